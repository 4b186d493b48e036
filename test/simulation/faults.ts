/**
 * Everything that can go wrong in the simulated world, in one table, and the plan of one seed: which of it does, and how often.
 * Each kind has a chance of its own, so that leaving one out changes nothing of when the others strike (as far as the world goes on alike).
 */
import { oneOf, seededRandom } from '../../local/simulated-elevenlabs/random.ts';

interface FaultRow {
  readonly what: string;
  /** Most that it may be: the share of occasions at which it strikes. */
  readonly share?: number;
  /** Fewest milliseconds between two of them, on average, for what strikes by itself. */
  readonly everyMs?: number;
}

export const FAULTS = {
  // Functions
  function_crash: { what: 'a functions instance dies with everything that it is doing', everyMs: 8_000 },
  function_stall: { what: 'a functions instance stands still for some seconds', everyMs: 20_000 },
  // The stores
  log_unavailable: { what: 'the log refuses a question or an append', share: 0.06 },
  log_unknown_commit: { what: 'an append is committed and answered with an error', share: 0.08 },
  log_hangs: { what: 'the log takes a question or an append and never answers', share: 0.01 },
  log_slow: { what: 'the log answers after seconds', share: 0.05 },
  log_outage: { what: 'the log is down for a while', everyMs: 30_000 },
  log_down_long: { what: 'the log is down for ten minutes', everyMs: 90_000 },
  history_removed: { what: 'an event in the middle of a log is gone', everyMs: 30_000 },
  raw_unavailable: { what: 'the raw store refuses, or does as asked and answers with an error', share: 0.08 },
  directory_unavailable: { what: 'the directory refuses a question', share: 0.03 },
  directory_outage: { what: 'the directory is down for a while', everyMs: 40_000 },
  // The bus
  publish_fails: { what: 'the bus refuses a message', share: 0.3 },
  publish_hangs: { what: 'the bus never answers whether it took a message', share: 0.15 },
  bus_drops: { what: 'a message does not reach one relay', share: 0.4 },
  bus_doubles: { what: 'a message reaches a relay twice', share: 0.4 },
  bus_delays: { what: 'a message comes seconds late, behind later ones', share: 0.4 },
  bus_goes_silent: { what: "a relay's stream is dead for a while and does not say so", everyMs: 20_000 },
  bus_unsubscribes: { what: "a relay's subscription is deleted underneath it", everyMs: 60_000 },
  // The provider
  dial_answer_lost: { what: 'a dial is taken and its answer is lost', share: 0.5 },
  dial_refused: { what: 'a dial is refused', share: 0.3 },
  dial_without_id: { what: 'the answer to a dial names no conversation', share: 0.5 },
  dial_answer_late: { what: 'the answer to a dial comes after the first words', share: 0.5 },
  provider_down: { what: "the provider's API answers 500", share: 0.3 },
  provider_hangs: { what: "the provider's API never answers", share: 0.1 },
  webhook_lost: { what: 'a post-call webhook is never sent', share: 0.4 },
  webhook_late: { what: 'a post-call webhook comes minutes late', share: 0.4 },
  webhook_doubled: { what: 'a delivery is sent several times at once', share: 0.3 },
  webhook_early: { what: 'the post-call webhook overtakes the live turns', share: 0.3 },
  webhook_other: { what: 'the provider sends a recording, the format without analysis, or a type that nobody knows', share: 0.4 },
  webhook_forged: { what: 'somebody sends forged deliveries', everyMs: 6_000 },
  webhook_foreign: { what: "a delivery about one workspace's agent is signed by another workspace", everyMs: 15_000 },
  nothing_live: { what: 'nothing is posted while people talk', share: 0.5 },
  turns_without_id: { what: 'live turns carry no id of their own, and are written anew for every attempt', share: 0.4 },
  long_texts: { what: 'people say very much at once', share: 0.8 },
  turns_shuffled: { what: 'live turns come late and out of order', share: 0.4 },
  outcome_amended: { what: 'the provider changes its mind about a call that has ended', share: 0.4 },
  nobody_answers: { what: 'the dial becomes no conversation', share: 0.3 },
  retries_off: { what: 'the provider does not retry a webhook', share: 1 },
  // Relays
  relay_crash: { what: 'a relay dies', everyMs: 20_000 },
  relay_drain: { what: 'a relay is replaced: it drains and a new one starts', everyMs: 30_000 },
  relay_stall: { what: "a relay's event loop stands still for five seconds", everyMs: 20_000 },
  // Viewers and their links
  link_cut: { what: 'a connection is reset', everyMs: 6_000 },
  link_half_open: { what: 'a connection carries nothing any more and neither side is told', everyMs: 15_000 },
  link_slow: { what: 'a connection takes half a second each way', share: 0.5 },
  link_narrow: { what: 'a connection has room for a few events only', share: 0.5 },
  link_throttled: { what: 'a viewer takes a few bytes a second', everyMs: 15_000 },
  connect_refused: { what: 'a connection is not made', share: 0.4 },
  frame_doubled: { what: 'a frame is shown to the client twice, now or later', share: 0.1 },
  viewer_offline: { what: 'the network of a viewer is gone for a while, and it knows', everyMs: 25_000 },
  viewer_sleeps: { what: "a viewer's machine sleeps for a while", everyMs: 25_000 },
  no_sockets: { what: 'WebSockets do not come through: a viewer has to poll', share: 0.3 },
  // Identity
  token_short: { what: 'tokens end after some seconds and have to be refreshed', share: 0.5 },
  by_ticket: { what: 'a viewer comes with a ticket in the place of its token', share: 0.5 },
  ticket_again: { what: 'somebody comes with a ticket that was used already', everyMs: 10_000 },
  token_refused: { what: 'no token can be had for a while', share: 0.2 },
  token_bad: { what: 'somebody comes with a token that is none, or that has ended', everyMs: 10_000 },
  right_removed: { what: 'a user loses the right to watch', everyMs: 25_000 },
  call_erased: { what: 'a call is erased', everyMs: 60_000 },
  // Clocks and deploys
  sessions_move: { what: 'sessions are asked to move after a minute, as before the platform cuts them', share: 0.5 },
  clock_skew: { what: 'clocks differ by up to two minutes', share: 1 },
  clock_jump: { what: "a machine's clock jumps by up to a minute", everyMs: 20_000 },
} as const satisfies Record<string, FaultRow>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];

/** Which faults a seed has, each with how strong it is: 0 < x <= 1. */
export type Plan = ReadonlyMap<FaultKind, number>;

/** Some seeds have a few faults, some many: a swarm finds more than everything at once. */
export const planOf = (seed: number, only: readonly FaultKind[] | null): Plan => {
  const chance = seededRandom(`${seed}:plan`);
  const density = oneOf([0.08, 0.2, 0.4, 0.7], chance);
  const drawn = FAULT_KINDS.map((kind) => [kind, chance() < density ? oneOf([0.1, 0.4, 1], chance) : 0] as const);
  return new Map(drawn.filter(([kind, strength]) => strength > 0 && (only === null || only.includes(kind))));
};

/** Decides at each occasion whether a fault strikes, and tells of it. */
export class Faults {
  readonly plan: Plan;
  readonly counts = new Map<FaultKind, number>();
  readonly #seed: number;
  readonly #chances = new Map<string, () => number>();
  readonly #tell: (kind: FaultKind, detail: string | null) => void;
  #healed = false;

  constructor(seed: number, plan: Plan, tell: (kind: FaultKind, detail: string | null) => void) {
    this.#seed = seed;
    this.plan = plan;
    this.#tell = tell;
  }

  /** From now on nothing strikes any more. */
  heal(): void {
    this.#healed = true;
  }

  /** A chance of its own for this purpose: the same seed and purpose give the same numbers. */
  chance(purpose: string): () => number {
    let chance = this.#chances.get(purpose);
    if (chance === undefined) this.#chances.set(purpose, (chance = seededRandom(`${this.#seed}:${purpose}`)));
    return chance;
  }

  /** Whether it strikes at this occasion; if so it is told of. */
  strikes(kind: FaultKind, detail: string | null = null): boolean {
    const strength = this.plan.get(kind);
    if (strength === undefined || this.#healed) return false;
    const row: FaultRow = FAULTS[kind];
    if (this.chance(kind)() >= (row.share ?? 0) * strength) return false;
    this.struck(kind, detail);
    return true;
  }

  /** Milliseconds until one that strikes by itself does so next; null: it does not. */
  next(kind: FaultKind): number | null {
    const strength = this.plan.get(kind);
    const row: FaultRow = FAULTS[kind];
    if (strength === undefined || this.#healed || row.everyMs === undefined) return null;
    // Exponential: it strikes at any moment as likely as at any other.
    return (-Math.log(1 - this.chance(kind)()) * row.everyMs) / strength;
  }

  struck(kind: FaultKind, detail: string | null = null): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#tell(kind, detail);
  }
}
