/**
 * Real processes under real faults: functions and relays as they are deployed, on shared parts, each behind hops that break, two
 * hundred viewers, a stream of deliveries, kills and stops. Then all heals, everybody catches up, and the history is judged.
 */
import { seededRandom } from '../../local/simulated-elevenlabs/random.ts';
import { checkHistory, type Violation } from '../history/check.ts';
import type { HistoryRecord } from '../history/history.ts';
import { withLog } from '../fixtures/stored-data.ts';
import { allCalls, Auditor } from './audit.ts';
import { AGENTS, dismiss, LEAVER, PEOPLE, type Person } from './cast.ts';
import { Desk } from './desk.ts';
import { Notes } from './notes.ts';
import { buildStage, type Stage } from './stage.ts';
import { Strikes } from './strikes.ts';
import { noteSockets, Viewer, type WireFigures } from './viewers.ts';

export interface ChaosOptions {
  /** How long faults strike. */
  readonly seconds: number;
  /** Chooses the faults; what they meet is for the machine to say. */
  readonly seed: string;
  /** Default 200. */
  readonly viewers?: number;
}

export interface ChaosReport {
  readonly seconds: number;
  readonly seed: string;
  readonly viewers: number;
  /** By process and signal. */
  readonly blows: readonly { readonly process: string; readonly signal: string; readonly count: number }[];
  readonly kills: number;
  /** Connections lost, by fault. */
  readonly lostConnections: ReadonlyMap<string, number>;
  readonly cuts: number;
  readonly slowdowns: number;
  readonly deliveries: { readonly begun: number; readonly answered: number; readonly forged: number; readonly attempts: number; readonly unanswered: number; readonly perSecond: number };
  readonly requests: number;
  readonly calls: number;
  readonly events: number;
  readonly sockets: number;
  readonly frames: number;
  readonly shown: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Milliseconds of a viewer's longest way from a lost connection to being live again, while faults struck. */
  readonly longestGapMs: number;
  /** Milliseconds from the healing until every delivery was answered 200, and until every viewer was live and at the head of all its calls. */
  readonly answeredMs: number;
  readonly caughtUpMs: number;
  readonly peakBytes: ReadonlyMap<string, number>;
  readonly violations: readonly Violation[];
  /** What else makes the run a failure. */
  readonly problems: readonly string[];
  /** Starts of processes that failed because what they need was not there. */
  readonly failedStarts: number;
  readonly records: readonly HistoryRecord[];
}

const VIEWERS_COUNT = 200;
/** A run that struck less often proves too little. */
const KILLS_MIN_COUNT = 10;
const CUTS_MIN_COUNT = 10;
const DELIVERIES_MIN_PER_SECOND = 50;
/** Conversations begun a second: each brings some twenty deliveries. */
const CALLS_PER_SECOND = 4;
/** Before the first fault, so that calls are on. */
const WARM_UP_MS = 4_000;
const DIAL_EVERY_MS = 1_500;
const JOBS_EVERY_MS = 8_000;
const LIST_EVERY_MS = 1_000;
const AUDIT_EVERY_MS = 5_000;
/** A slow machine starts processes slowly: then faults strike for longer, until there were enough. */
const LONGER_MAX_MS = 60_000;
/** After the healing everything comes right within it, or never. */
const SETTLE_MAX_MS = 120_000;
const CATCH_UP_MAX_MS = 90_000;
const JOB_RUNS_MAX_COUNT = 5;
/** How much later than it was sent a frame may reach its viewer here: hops delay and throttle. */
const LATE_MS = 15_000;

/** Runs it. Rejects only where the stage cannot be built. */
export const runChaos = async (options: ChaosOptions): Promise<ChaosReport> => {
  const notes = new Notes();
  const random = seededRandom(`chaos ${options.seed}`);
  const stage = await buildStage(notes, random);
  const run = new Run(options, notes, stage, random);
  try {
    return await run.play();
  } finally {
    run.close();
    await stage.close();
  }
};

class Run {
  readonly #options: ChaosOptions;
  readonly #notes: Notes;
  readonly #stage: Stage;
  readonly #random: () => number;
  readonly #viewers: Viewer[] = [];
  readonly #desk: Desk;
  readonly #auditor: Auditor;
  readonly #figures: WireFigures = { frames: 0, sockets: 0 };
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #problems: string[] = [];
  #restoreSockets: () => void = () => undefined;

  constructor(options: ChaosOptions, notes: Notes, stage: Stage, random: () => number) {
    this.#options = options;
    this.#notes = notes;
    this.#stage = stage;
    this.#random = random;
    this.#desk = new Desk({ apiUrl: stage.urls.api, jobsUrl: stage.urls.jobs, tokens: stage.tokens, notes, random });
    this.#auditor = new Auditor(stage.dataDir, notes);
  }

  async play(): Promise<ChaosReport> {
    const { processes, hops, telephony, senders } = this.#stage;
    const { seconds, seed } = this.#options;
    this.#admit();
    this.#traffic();
    await later(WARM_UP_MS);
    const strikes = new Strikes({ processes, hops, random: this.#random, notes: this.#notes });
    const beganAt = performance.now();
    const begunBefore = telephony.begun;
    strikes.start();
    this.#timers.push(setTimeout(() => void dismiss(this.#stage.dataDir, LEAVER, this.#notes), (seconds * 1000) / 3));
    await later(seconds * 1000);
    const enough = (): boolean => killsOf(this.#stage) >= KILLS_MIN_COUNT && strikes.cuts >= CUTS_MIN_COUNT;
    while (!enough() && performance.now() - beganAt < seconds * 1000 + LONGER_MAX_MS) await later(250);
    const struckMs = performance.now() - beganAt;
    const perSecond = (telephony.begun - begunBefore) / (struckMs / 1000);
    this.#stopTraffic();
    await strikes.stop();
    this.#notes.take({ actor: 'run', op: 'healed', unreachable: [] });
    const healedAt = performance.now();
    const longestGapMs = Math.max(...this.#viewers.map((viewer) => viewer.longestGapMs));
    await this.#settle();
    const answeredMs = performance.now() - healedAt;
    await this.#freeWaiting();
    const caughtUpMs = await this.#everybodyCatchesUp(healedAt);
    await this.#auditor.read(true);
    await this.#auditor.readQuarantine();
    this.close();
    await this.#stage.close();
    this.#judgeRun(strikes, perSecond);
    const sum = (of: (viewer: Viewer) => number): number => this.#viewers.reduce((total, viewer) => total + of(viewer), 0);
    return {
      seconds: Math.round(struckMs / 1000),
      seed,
      viewers: this.#viewers.length,
      blows: processes.flatMap(({ name, blows }) => [...blows].map(([signal, count]) => ({ process: name, signal, count }))),
      kills: killsOf(this.#stage),
      lostConnections: lostConnections(this.#stage),
      cuts: strikes.cuts,
      slowdowns: strikes.slowdowns,
      deliveries: { begun: telephony.begun, answered: senders.answered, forged: senders.forged, attempts: senders.attempts, unanswered: senders.unanswered, perSecond },
      requests: this.#desk.requests,
      calls: this.#auditor.calls,
      events: this.#auditor.events,
      sockets: this.#figures.sockets,
      frames: this.#figures.frames,
      shown: sum((viewer) => viewer.events),
      lost: sum((viewer) => viewer.lost),
      duplicated: sum((viewer) => viewer.duplicated),
      outOfOrder: sum((viewer) => viewer.outOfOrder),
      longestGapMs,
      answeredMs,
      caughtUpMs,
      peakBytes: new Map(processes.map(({ name, peakBytes }) => [name, peakBytes])),
      violations: checkHistory(this.#notes.records, { lateMs: LATE_MS }),
      problems: this.#problems,
      failedStarts: processes.reduce((all, { failedStarts }) => all + failedStarts, 0),
      records: this.#notes.records,
    };
  }

  close(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    for (const viewer of this.#viewers) viewer.close();
    this.#restoreSockets();
    this.#stage.senders.over = true;
    this.#desk.over = true;
  }

  #admit(): void {
    const { tokens } = this.#stage;
    const count = this.#options.viewers ?? VIEWERS_COUNT;
    const all = PEOPLE.reduce((sum, person) => sum + person.viewers, 0);
    const people = PEOPLE.flatMap((person) => Array.from({ length: Math.max(1, Math.round((person.viewers * count) / all)) }, () => person));
    const byName = new Map<string, Person>();
    this.#restoreSockets = noteSockets(this.#notes, (name) => byName.get(name), this.#figures);
    for (const [index, person] of people.slice(0, count).entries()) {
      const name = `viewer-${index + 1}`;
      byName.set(name, person);
      const relay = index % 2;
      const viewer = new Viewer({
        name,
        person,
        url: this.#stage.urls.relays[relay] ?? '',
        relay: `relay-${relay + 1}`,
        // Some tokens end while the run goes on, and have to be refreshed.
        token: () => (this.#random() < 0.2 ? tokens.short(person.username, person.tenant, 20 + this.#random() * 60) : tokens.long(person.username, person.tenant)),
        notes: this.#notes,
        byBoard: index % 10 === 0,
        picks: (callSid) => seededRandom(`${name} ${callSid}`)() < 0.14,
      });
      this.#viewers.push(viewer);
      viewer.open();
    }
  }

  #traffic(): void {
    const { telephony } = this.#stage;
    this.#steadily(1_000 / CALLS_PER_SECOND, () => telephony.ring());
    this.#steadily(DIAL_EVERY_MS, () => this.#desk.dial());
    this.#every(JOBS_EVERY_MS, () => void this.#desk.runJobs());
    this.#every(AUDIT_EVERY_MS, () => void this.#auditor.read(false).catch(() => undefined));
    this.#every(LIST_EVERY_MS, () => void this.#offer());
    this.#every(7_000, () => {
      for (const viewer of this.#viewers) viewer.tidy((callSid) => seededRandom(`${viewer.name} tidies ${callSid}`)() < 0.05);
    });
  }

  /** So often on the whole, also where the machine is late. */
  #steadily(ms: number, work: () => void): void {
    const started = performance.now();
    let done = 0;
    this.#every(ms, () => {
      for (; done < (performance.now() - started) / ms; done++) work();
    });
  }

  #every(ms: number, work: () => void): void {
    this.#timers.push(setInterval(work, ms));
  }

  #stopTraffic(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  async #offer(): Promise<void> {
    for (const { tenant } of AGENTS) {
      const callSids = await this.#desk.list(tenant);
      if (callSids !== null) for (const viewer of this.#viewers) if (viewer.person.tenant === tenant) viewer.offer(callSids);
    }
  }

  /** Every delivery and request gets its answer. */
  async #settle(): Promise<void> {
    const { telephony, senders } = this.#stage;
    await Promise.race([Promise.all([telephony.settled(), this.#desk.settled()]), later(SETTLE_MAX_MS)]);
    if (senders.pending.size > 0) this.#problems.push(`${senders.pending.size} deliveries were not answered 200 within ${SETTLE_MAX_MS / 1000} s after the healing`);
    senders.over = true;
    this.#desk.over = true;
  }

  /** The scheduler goes on: the jobs run until they free nothing more. */
  async #freeWaiting(): Promise<void> {
    for (let runs = 0, before = Infinity; runs < JOB_RUNS_MAX_COUNT; runs++) {
      const freed = await this.#desk.runJobs();
      if (freed === 0 && before === 0) return;
      before = freed ?? Infinity;
    }
  }

  /** Answers how long it took until everybody was live and at the head of every call. */
  async #everybodyCatchesUp(healedAt: number): Promise<number> {
    const started = performance.now();
    return withLog(this.#stage.dataDir, async (log) => {
      for (;;) {
        const heads = new Map((await allCalls(log)).map((call) => [call.call_sid, call.last_seq]));
        const behind = this.#viewers.filter((viewer) => viewer.stopped === 'no' && !(viewer.isLive && viewer.calls.every((call) => call.refused || (call.callSid !== null && call.seq >= (heads.get(call.callSid) ?? 0)))));
        const late = performance.now() - started > CATCH_UP_MAX_MS;
        // At this very moment: somebody who polled until now may get its socket back in the next.
        if (behind.length === 0 || late) for (const viewer of this.#viewers) viewer.look();
        if (behind.length === 0) return performance.now() - healedAt;
        if (late) {
          this.#problems.push(`${behind.length} viewers had not caught up ${CATCH_UP_MAX_MS / 1000} s after the healing, ${behind[0]?.name ?? ''} (${behind[0]?.state ?? ''}) among them`);
          return performance.now() - healedAt;
        }
        await later(100);
      }
    });
  }

  #judgeRun(strikes: Strikes, perSecond: number): void {
    const say = (what: string): void => void this.#problems.push(what);
    const kills = killsOf(this.#stage);
    if (kills < KILLS_MIN_COUNT) say(`${kills} kills are too few`);
    if (strikes.cuts < CUTS_MIN_COUNT) say(`${strikes.cuts} cuts are too few`);
    if (perSecond < DELIVERIES_MIN_PER_SECOND) say(`${Math.round(perSecond)} deliveries a second are too few`);
    for (const process of this.#stage.processes) for (const crash of process.crashes) say(crash);
    const stopped = this.#viewers.filter((viewer) => viewer.stopped !== 'no' && viewer.person.username !== LEAVER);
    if (stopped.length > 0) say(`${stopped.length} viewers were sent away for good, ${stopped[0]?.name ?? ''} with ${String(stopped[0]?.stopped)}`);
    if (this.#viewers.every((viewer) => viewer.events === 0)) say('nobody was shown anything');
  }
}

const killsOf = ({ processes }: Stage): number => processes.reduce((sum, { blows }) => sum + (blows.get('SIGKILL') ?? 0) + (blows.get('SIGTERM') ?? 0), 0);

const lostConnections = ({ hops }: Stage): ReadonlyMap<string, number> => {
  const all = new Map<string, number>();
  for (const { lost } of hops) for (const [fault, count] of lost) all.set(fault, (all.get(fault) ?? 0) + count);
  return all;
};

const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
