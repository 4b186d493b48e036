/**
 * The stores of the simulated world: the shipped embedded ways, in memory, behind a network that fails. One of each for all
 * processes, as Firestore and Cloud Storage are.
 */
import type { CallLog, Page } from '../../ports/call-log.ts';
import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import type { Directory } from '../../ports/directory.ts';
import { sqliteDirectory } from '../../ports/directory.sqlite.ts';
import type { RawStore } from '../../ports/raw-store.ts';
import { sqliteRawStore } from '../../ports/raw-store.sqlite.ts';
import type { FaultKind } from './faults.ts';
import { unavailable, type Actor, type Fate, type World } from './world.ts';

/** Every method answers with a promise. */
type Asked = Record<string, (...args: never[]) => Promise<unknown>>;

const WRITES = new Set(['create', 'append', 'adopt', 'erase']);
const SLOW_MAX_MS = 9_000;

export class Stores {
  readonly callLog: CallLog;
  readonly directory: Directory;
  readonly rawStore: RawStore;
  /** Seqs that are gone, by call. */
  readonly removed = new Map<string, Set<number>>();
  /** Ids of all raw deliveries that were ever kept. */
  readonly kept = new Set<string>();
  /** Until then (virtual time) nobody is answered. */
  logDownUntil = 0;
  directoryDownUntil = 0;
  readonly #world: World;
  /** Reads of each relay that failed and have not succeeded since. */
  readonly #failedReads = new Set<string>();

  constructor(world: World) {
    this.#world = world;
    const { clock: runtime } = world;
    this.callLog = sqliteCallLog({ path: ':memory:', runtime });
    this.directory = sqliteDirectory({ path: ':memory:', runtime });
    this.rawStore = sqliteRawStore({ path: ':memory:', runtime });
  }

  logFor(actor: Actor): CallLog {
    const log = { ...this.callLog, read: (callSid: string, afterSeq: number, limit: number) => this.read(callSid, afterSeq, limit) };
    return this.#behind(actor, log, (method) => this.#logFate(method), (method, args, failed) => {
      if (method !== 'read') return;
      const key = `${actor.name} ${String(args[0])}`;
      if (failed) this.#failedReads.add(key);
      else if (this.#failedReads.delete(key)) this.#world.reached('fill failed then succeeded');
    });
  }

  directoryFor(actor: Actor): Directory {
    return this.#behind(actor, this.directory, () => (this.#world.now < this.directoryDownUntil ? refused() : this.#struck(['directory_unavailable'])));
  }

  rawStoreFor(actor: Actor): RawStore {
    const change: RawStore['change'] = async (id, to) => {
      if (to.reason === 'used' && (await this.rawStore.get(id))?.reason === 'waiting') this.#world.reached('unbound delivery waited and was freed');
      return this.rawStore.change(id, to);
    };
    const put: RawStore['put'] = (delivery) => {
      this.kept.add(delivery.id);
      return this.rawStore.put(delivery);
    };
    return this.#behind(actor, { ...this.rawStore, put, change }, () => this.#rawFate());
  }

  /** What the log still has: removed events are missing, those behind them follow. */
  async read(callSid: string, afterSeq: number, limit: number): Promise<Page | null> {
    const page = await this.callLog.read(callSid, afterSeq, limit);
    const gone = this.removed.get(callSid);
    return page === null || gone === undefined ? page : { ...page, events: page.events.filter(({ seq }) => !gone.has(seq)) };
  }

  async close(): Promise<void> {
    await Promise.all([this.callLog.close(), this.directory.close(), this.rawStore.close()]);
  }

  /** The same need, each question of which fares as `fate` says. */
  #behind<Need extends object>(actor: Actor, need: Need, fate: (method: string) => Fate, seen: (method: string, args: readonly unknown[], failed: boolean) => void = () => undefined): Need {
    const methods = Object.entries(need as Asked).map(([method, work]) => {
      const asked = (...args: never[]): Promise<unknown> => {
        const fares = fate(method);
        const answer = this.#world.ask(actor, fares, () => work(...args));
        answer.then(
          () => seen(method, args, false),
          () => seen(method, args, true),
        );
        return answer;
      };
      return [method, asked] as const;
    });
    return Object.fromEntries(methods) as Need;
  }

  #logFate(method: string): Fate {
    const { faults, now } = this.#world;
    if (now < this.logDownUntil) return refused();
    if (faults.strikes('log_hangs', method)) return { fate: 'hangs' };
    if (WRITES.has(method) && faults.strikes('log_unknown_commit', method)) return { fate: 'answer_lost', error: unavailable() };
    if (faults.strikes('log_unavailable', method)) return refused();
    return faults.strikes('log_slow', method) ? { fate: 'answered', lateMs: faults.chance('log_slow')() * SLOW_MAX_MS } : { fate: 'answered' };
  }

  #rawFate(): Fate {
    const { faults } = this.#world;
    if (!faults.strikes('raw_unavailable')) return { fate: 'answered' };
    return faults.chance('raw answer lost')() < 0.5 ? { fate: 'answer_lost', error: unavailable() } : refused();
  }

  #struck(kinds: readonly FaultKind[]): Fate {
    return kinds.some((kind) => this.#world.faults.strikes(kind)) ? refused() : { fate: 'answered' };
  }
}

const refused = (): Fate => ({ fate: 'refused', error: unavailable() });
