/** What state a page may show: by links, heartbeats and the relay's own word, at this moment. */
import { INTERIM_AGE_MAX_MS } from '../../protocol/limits.ts';
import type { ClientState } from './effects.ts';
import { FRESH_MAX_MS, isFresh, readBeat, type Beat } from './freshness.ts';
import type { Fields } from './link.ts';
import type { Outbox } from './outbox.ts';

/** How long `restored` is shown. */
const RESTORED_MS = 3_000;

export class Display {
  readonly #out: Outbox;
  state: ClientState = 'connecting';
  /** The relay says that rights cannot be confirmed. */
  degraded = false;
  #offline = false;
  #everUp = false;
  #wasLost = false;
  #showRestored = false;
  #beat: Beat | null = null;
  /** The last heartbeat's time is over. A flag, not a look at the clock: a timer may be a fraction of a millisecond early by it. */
  #overdue = false;

  constructor(out: Outbox) {
    this.#out = out;
  }

  get offline(): boolean {
    return this.#offline;
  }

  network(offline: boolean): void {
    this.#offline = offline;
  }

  heartbeat(frame: Fields, now: number): void {
    this.#beat = readBeat(frame, now) ?? this.#beat;
    this.#overdue = false;
    this.#out.timer('fresh', FRESH_MAX_MS);
  }

  /** No other heartbeat came in its time. */
  overdue(): void {
    this.#overdue = true;
  }

  /** Nothing is confirmed until the next heartbeat. */
  doubt(): void {
    this.#beat = null;
  }

  restoredShown(): void {
    this.#showRestored = false;
  }

  /** Whether an interim turn of that time is no longer what is being said, by the relay's clock. */
  isOld(timestamp: unknown, now: number): boolean {
    const said = Date.parse(String(timestamp));
    if (this.#beat === null || Number.isNaN(said)) return false;
    return this.#beat.serverTime + (now - this.#beat.at) - said > INTERIM_AGE_MAX_MS;
  }

  /** Judges anew, and tells the page when it is another state. `up`: a source works; `behind`: something followed is not there yet. */
  show(is: { readonly stopped: boolean; readonly up: boolean; readonly behind: boolean }, now: number): void {
    const state = is.stopped ? 'stopped' : this.#judge(is.up, is.behind, now);
    if (state === this.state) return;
    this.state = state;
    this.#out.emit({ kind: 'state', state });
  }

  #judge(up: boolean, behind: boolean, now: number): ClientState {
    this.#everUp ||= up;
    if (!up || this.#offline) {
      this.#wasLost = this.#everUp;
      return this.#everUp ? 'lost' : 'connecting';
    }
    if (behind) return 'catching_up';
    if (this.degraded || this.#overdue || !isFresh(this.#beat, now)) return 'unverified';
    if (this.#wasLost) {
      this.#wasLost = false;
      this.#showRestored = true;
      this.#out.timer('restored', RESTORED_MS);
    }
    return this.#showRestored ? 'restored' : 'live';
  }
}
