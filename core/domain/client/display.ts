/** What a page may show of its connection: by links, heartbeats and the relay's own word, at this moment. */
import { INTERIM_AGE_MAX_MS } from '../../protocol/limits.ts';
import type { ClientState, Connection } from './effects.ts';
import { FRESH_MAX_MS, isFresh, readBeat, type Beat } from './freshness.ts';
import type { Fields } from './link.ts';
import type { Outbox } from './outbox.ts';
import { ServerClock } from './server-clock.ts';

/** How long `restored` is shown. */
const RESTORED_MS = 3_000;

export class Display {
  readonly #out: Outbox;
  readonly clock = new ServerClock();
  /** Another object after each change. */
  connection: Connection = { state: 'connecting', via: null, since: 0, retryAt: null, verifiedAt: null };
  /** The relay says that rights cannot be confirmed. */
  degraded = false;
  #offline = false;
  #everUp = false;
  #wasLost = false;
  #showRestored = false;
  #beat: Beat | null = null;
  /** The last heartbeat's time is over. A flag, not a look at the clock: a timer may be a fraction of a millisecond early by it. */
  #overdue = false;

  #verifiedAt: number | null = null;

  constructor(out: Outbox) {
    this.#out = out;
  }

  get offline(): boolean {
    return this.#offline;
  }

  network(offline: boolean): void {
    this.#offline = offline;
  }

  /** The page begins to connect. */
  begin(): void {
    this.connection = { ...this.connection, since: this.#out.now };
  }

  heartbeat(frame: Fields): void {
    this.#beat = readBeat(frame, this.#out.now) ?? this.#beat;
    if (typeof this.#beat?.lagMs === 'number') this.#verifiedAt = this.#beat.serverTime - this.#beat.lagMs;
    this.clock.hear(Date.parse(String(frame['server_time'])), this.#out.now);
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
  isOld(timestamp: unknown): boolean {
    return (this.clock.at(this.#out.now) ?? NaN) - Date.parse(String(timestamp)) > INTERIM_AGE_MAX_MS;
  }

  /** Judges anew, and tells the page when it is another state. `via`: the source that works; `behind`: something followed is not there yet. */
  show(is: { readonly stopped: boolean; readonly via: Connection['via']; readonly behind: boolean }): void {
    const before = this.connection;
    const state = is.stopped ? 'stopped' : this.#judge(is.via !== null, is.behind, this.#out.now);
    const via = this.#offline || is.stopped ? null : is.via;
    const retryAt = via === null ? this.#out.dueAt('retry', 'poll') : null;
    const verifiedAt = this.#verifiedAt;
    if (state === before.state && via === before.via && retryAt === before.retryAt && verifiedAt === before.verifiedAt) return;
    this.connection = { state, via, since: state === before.state ? before.since : this.#out.now, retryAt, verifiedAt };
    if (state !== before.state) this.#out.emit({ kind: 'state', state });
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
