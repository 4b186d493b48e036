/** One seed from its start to its verdict: traffic under faults, healing, audit. */
import { isTerminal, type CallState } from '../../core/domain/call/state.ts';
import { HEARTBEAT_MS, PONG_WAIT_MS, RECONCILE_MS } from '../../core/protocol/limits.ts';
import { oneOf } from '../../local/simulated-elevenlabs/random.ts';
import type { Offer } from '../../core/domain/relay/effects.ts';
import type { Principal } from '../../ports/identity.ts';
import { checkHistory, type Violation } from '../history/check.ts';
import type { HistoryRecord } from '../history/history.ts';
import { Bus } from './bus.ts';
import { ADMINS, AGENTS, DISPATCHERS, enter, ingestKey, SECRETS, TENANTS } from './cast.ts';
import { planOf, type FaultKind, type Plan } from './faults.ts';
import { FunctionsHost } from './functions-host.ts';
import { Identities, type Person } from './identities.ts';
import { Provider, type Outgoing } from './provider.ts';
import { RelayHost } from './relay-host.ts';
import { Stores } from './stores.ts';
import { fingerprints, Viewer } from './viewer.ts';
import { World, type Actor, type CrashPoint } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Only these faults may be in the plan; null: any. */
  readonly only?: readonly FaultKind[] | null;
  /** In the place of the plan that the seed would draw. */
  readonly plan?: Plan;
  /** Kills a process where it waits for the nth time. */
  readonly crash?: CrashPoint;
  /** Calls in the run; default by the seed, 2 to 4. */
  readonly calls?: number;
}

export interface Run {
  readonly seed: number;
  readonly plan: Plan;
  readonly records: readonly HistoryRecord[];
  readonly violations: readonly Violation[];
  /** SHA-256 over the whole history. */
  readonly hash: string;
  readonly sometimes: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Times that each kind of process waited for something. */
  readonly points: ReadonlyMap<string, number>;
  readonly virtualMs: number;
  readonly events: number;
  readonly deliveries: number;
  /** Longest that a connected viewer needed after the healing to be at the head of all its calls. */
  readonly catchUpMs: number;
}

/** Faults strike for so long; then everything heals. */
const FAULT_MIN_MS = 45_000;
const FAULT_MAX_MS = 90_000;
/** Whatever the reconciler has to finish is finished by then: its grace and bounds, and a pass each. */
const FINISH_MAX_MS = 16 * 60_000;
const STEP_MS = 15_000;
const SETTLE_STEPS = 4;
const HELD_MS = 5_000;
/** A silent connection is given up, and another one opened, by then. */
const NOTICED_MS = 100_000;
/** Longer than a subscription without a relay may live. */
const AFTERWARDS_MS = 40 * 60_000;
/** Whoever left without a word is missed by then: no pong for so long, and a heartbeat's time on top. */
const GONE_MS = PONG_WAIT_MS + 2 * HEARTBEAT_MS + 10_000;
const LONG_MS = 10 * 60_000;
const REQUEST_TRIES = 4;
const COMMON_NUMBER = '+15550001234';

/** Runs one seed. The same options give the same history. */
export const runSeed = async (options: RunOptions): Promise<Run> => {
  const scene = new Scene(options);
  try {
    return await scene.play();
  } finally {
    await scene.close();
  }
};

class Scene {
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #stores: Stores;
  readonly #bus: Bus;
  readonly #identities: Identities;
  readonly #provider: Provider;
  readonly #functions: FunctionsHost;
  readonly #relays: RelayHost;
  readonly #viewers: Viewer[] = [];
  readonly #chance: () => number;
  readonly #callSids: string[] = [];
  #deliveries = 0;
  #requests = 0;
  /** Call requests and erasures that somebody still waits for. */
  #asking = 0;
  /** Until then a viewer may not have noticed that nothing reaches it. */
  #noticedBy = 0;
  /** Nothing new comes in any more: what there is can be looked at. */
  #closing = false;
  #over = false;

  constructor(options: RunOptions) {
    this.#options = options;
    const plan = options.plan ?? planOf(options.seed, options.only ?? null);
    const world = new World(options.seed, plan, options.crash ?? null);
    this.#world = world;
    this.#chance = world.faults.chance('scene');
    this.#stores = new Stores(world);
    this.#bus = new Bus(world);
    this.#identities = new Identities(world);
    this.#provider = new Provider(world, AGENTS, SECRETS, ingestKey, (outgoing) => this.#deliver(outgoing));
    this.#functions = new FunctionsHost({ world, stores: this.#stores, bus: this.#bus, identities: this.#identities, provider: () => this.#provider });
    this.#relays = new RelayHost({ world, stores: this.#stores, bus: this.#bus, identities: this.#identities });
  }

  async play(): Promise<Run> {
    const world = this.#world;
    await enter(world, this.#stores);
    const { faults } = world;
    const skewed = faults.plan.has('clock_skew');
    const skews = faults.chance('clock_skew');
    if (skewed) faults.struck('clock_skew');
    this.#functions.start(() => (skewed ? (skews() - 0.5) * 240_000 : 0));
    // A relay's clock may only be ahead: what ends by it then ends early, which the history allows for.
    this.#relays.start(() => (skewed ? skews() * 120_000 : 0));
    this.#admit();
    this.#schedule();
    const faultMs = FAULT_MIN_MS + this.#chance() * (FAULT_MAX_MS - FAULT_MIN_MS);
    this.#traffic(faultMs * 0.7);
    this.#strikes();
    this.#holds();
    await world.until(faultMs);
    const catchUpMs = await this.#heal();
    await this.#audit(true);
    await this.#leave();
    return this.#verdict(catchUpMs);
  }

  async close(): Promise<void> {
    this.#over = true;
    await this.#stores.close();
  }

  // --- Who comes ---

  #admit(): void {
    const world = this.#world;
    const made = { world, directory: this.#stores.directory, relays: this.#relays, identities: this.#identities, fingerprint: fingerprints(world.clock.sha256) };
    const count = 3 + Math.floor(this.#chance() * 3);
    for (let place = 0; place < count; place++) {
      const person = DISPATCHERS[place % DISPATCHERS.length] ?? oneOf(DISPATCHERS, this.#chance);
      const viewer = new Viewer(made, `viewer-${place + 1}`, person, { board: this.#chance() < 0.7, pollsOnly: world.faults.strikes('no_sockets') });
      this.#viewers.push(viewer);
      world.after(this.#chance() * 20_000, () => viewer.start());
    }
  }

  // --- What is asked for ---

  #traffic(withinMs: number): void {
    const count = this.#options.calls ?? 2 + Math.floor(this.#chance() * 3);
    for (let place = 0; place < count; place++) {
      const at = 1_000 + this.#chance() * withinMs;
      const inbound = this.#chance() < 0.35;
      const agent = oneOf(AGENTS, this.#chance);
      this.#world.after(at, () => {
        if (inbound) this.#announce(this.#provider.ring(agent, this.#number(), {}).conversation_id, agent.tenant);
        else void this.#waited(this.#request(oneOf(TENANTS, this.#chance), agent.agent_id));
      });
    }
  }

  async #waited(work: Promise<void>): Promise<void> {
    this.#asking++;
    await work;
    this.#asking--;
  }

  #number(): string {
    const number = `+1555${String(1_000_000 + Math.floor(this.#chance() * 8_999_999))}`;
    this.#world.note('world', { op: 'canary', what: 'phone number', text: number });
    return number;
  }

  /** A careful requester: the same key again until there is an answer. */
  async #request(tenant: string, agentId: string): Promise<void> {
    const world = this.#world;
    const admin = ADMINS.get(tenant);
    if (admin === undefined) return;
    // Two users may well choose the same key for the same words.
    const place = ++this.#requests;
    const alike = place % 3 === 1;
    const to = alike ? COMMON_NUMBER : this.#number();
    const key = alike ? 'key-alike' : `key-${place}`;
    const request = !alike && AGENTS.some((agent) => agent.agent_id === agentId && agent.tenant === tenant) ? { to, agent_id: agentId } : { to };
    for (let attempt = 0; attempt < REQUEST_TRIES; attempt++) {
      const id = `request-${place}-${attempt}`;
      world.note(admin.user, { op: 'request', phase: 'invoke', id, user: admin.user, tenant, idempotency_key: key, number: to });
      const answered = await this.#functions.startCalls(principalOf(admin), request, key);
      const unsure = answered === null || answered.status >= 500;
      world.note(admin.user, { op: 'request', phase: unsure ? 'unknown' : answered.status < 300 ? 'ok' : 'fail', id, status: answered?.status ?? null, call_sids: answered?.call_sids ?? [] });
      if (!unsure) {
        for (const callSid of answered.call_sids) {
          this.#callSids.push(callSid);
          this.#announce(callSid, tenant);
        }
        return;
      }
      await new Promise<void>((resolve) => void world.after(1_000 + this.#chance() * 4_000, resolve));
    }
  }

  /** Some viewers of the tenant follow it without waiting for the board; now and then somebody who may not tries to. */
  #announce(id: string, tenant: string): void {
    for (const viewer of this.#viewers) {
      const own = viewer.person.tenant === tenant;
      if (this.#chance() < (own ? 0.6 : 0.15)) this.#world.after(this.#chance() * 10_000, () => viewer.follow(id, own ? undefined : 2));
    }
  }

  async #deliver(outgoing: Outgoing): Promise<number | null> {
    const world = this.#world;
    // What came now would be judged by what was looked at before.
    if (this.#closing) return null;
    const id = `delivery-${++this.#deliveries}`;
    const { delivery, route, conversation, workspace, content, marker } = outgoing;
    world.note('provider', { op: 'deliver', phase: 'invoke', id, delivery, route, conversation_id: conversation.conversation_id, workspace, genuine: outgoing.genuine, marker, content });
    const answered = await this.#functions.deliver(outgoing);
    const phase = answered === null ? 'unknown' : answered.status === 200 ? 'ok' : answered.status < 500 ? 'fail' : 'unknown';
    world.note('provider', { op: 'deliver', phase, id, delivery, status: answered?.status ?? null });
    return answered?.status ?? null;
  }

  /** The platform's scheduler. */
  #schedule(): void {
    this.#world.after(RECONCILE_MS / 2, () => {
      if (this.#closing) return;
      void this.#functions.runJobs();
      this.#schedule();
    });
  }

  #holds(): void {
    this.#world.after(HELD_MS, () => {
      if (this.#over) return;
      this.#relays.noteHeld();
      this.#holds();
    });
  }

  // --- What goes wrong by itself ---

  #strikes(): void {
    const { faults } = this.#world;
    const strike = (kind: FaultKind, act: () => string | null): void => {
      const wait = faults.next(kind);
      if (wait === null) return;
      this.#world.after(wait, () => {
        if (faults.next(kind) === null) return;
        const detail = act();
        if (detail !== null) faults.struck(kind, detail);
        strike(kind, act);
      });
    };
    for (const [kind, act] of Object.entries(this.#acts()) as [FaultKind, () => string | null][]) strike(kind, act);
  }

  /** Each strikes at something there is, and says what; null: there was nothing. */
  #acts(): Partial<Record<FaultKind, () => string | null>> {
    const world = this.#world;
    const pick = world.faults.chance('strikes');
    const on = <T>(all: readonly T[], act: (one: T) => string): (() => string | null) => () => (all.length === 0 ? null : act(oneOf(all, pick)));
    const live = <T>(all: () => readonly T[], act: (one: T) => string): (() => string | null) => () => on(all(), act)();
    const stall = (actor: Actor): string => {
      actor.stalledUntil = Math.max(actor.stalledUntil, world.now + 5_000);
      return actor.name;
    };
    const functions = (): readonly Actor[] => this.#functions.actors;
    const relays = (): readonly Actor[] => this.#relays.actors;
    const viewers = (): readonly Viewer[] => this.#viewers.filter((viewer) => !viewer.stopped);
    const conversations = () => [...this.#provider.conversations.values()];
    return {
      function_crash: live(functions, (actor) => (this.#functions.crash(actor), actor.name)),
      function_stall: live(functions, stall),
      relay_crash: live(relays, (actor) => (this.#relays.crash(actor), actor.name)),
      relay_drain: live(relays, (actor) => (this.#relays.drain(actor), actor.name)),
      relay_stall: live(relays, stall),
      log_outage: () => String((this.#stores.logDownUntil = Math.max(this.#stores.logDownUntil, world.now + oneOf([1_000, 30_000], pick)))),
      log_down_long: () => (this.#stores.logDownUntil > world.now + LONG_MS / 2 ? null : String((this.#stores.logDownUntil = world.now + LONG_MS))),
      directory_outage: () => String((this.#stores.directoryDownUntil = world.now + oneOf([2_000, 70_000], pick))),
      bus_goes_silent: live(relays, (actor) => (this.#bus.silence(actor, world.now + oneOf([5_000, 60_000], pick)), actor.name)),
      bus_unsubscribes: live(relays, (actor) => (this.#bus.unsubscribe(actor), actor.name)),
      link_cut: live(() => this.#relays.links, (link) => (link.cut(), link.relay.name)),
      link_half_open: live(() => this.#relays.links, (link) => ((link.dead = true), link.relay.name)),
      link_throttled: live(() => this.#relays.links, (link) => ((link.throttled = true), link.relay.name)),
      viewer_offline: live(viewers, (viewer) => {
        viewer.network(false);
        world.after(oneOf([5_000, 30_000], pick), () => viewer.network(true));
        return viewer.name;
      }),
      viewer_sleeps: live(viewers, (viewer) => {
        viewer.actor.stalledUntil = Math.max(viewer.actor.stalledUntil, world.now + oneOf([4_000, 60_000], pick));
        world.after(viewer.actor.stalledUntil - world.now, () => viewer.woke());
        return viewer.name;
      }),
      webhook_forged: live(conversations, (one) => (this.#provider.forge(one, oneOf(['secret', 'prefix', 'none', 'key'] as const, pick)), one.conversation_id)),
      webhook_foreign: live(conversations, (one) => {
        const key = oneOf(AGENTS.filter((agent) => agent.tenant !== one.agent.tenant || agent.workspace !== one.agent.workspace), pick);
        if (pick() < 0.5) this.#provider.foreign(one, oneOf([...SECRETS.keys()].filter((name) => name !== one.agent.workspace), pick));
        else this.#provider.foreignTurn(one, key, pick() < 0.5);
        return one.conversation_id;
      }),
      token_bad: () => this.#intrude(pick),
      ticket_again: live(() => this.#identities.usedTickets, (ticket) => this.#intrude(pick, ticket)),
      right_removed: live(viewers, ({ person }) => (void this.#revoke(person), person.user)),
      call_erased: live(() => this.#callSids, (callSid) => (void this.#waited(this.#erase(callSid)), callSid)),
      history_removed: () => {
        void this.#remove(pick);
        return '';
      },
      clock_jump: () => {
        const actor = oneOf([...functions(), ...relays()], pick);
        const by = pick() * 60_000;
        actor.skew += actor.name.startsWith('relay') || pick() < 0.5 ? by : -by;
        return actor.name;
      },
    };
  }

  #intrude(pick: () => number, ticket: string | null = null): string {
    const world = this.#world;
    const person = oneOf(DISPATCHERS, pick);
    const token = oneOf(['none at all', this.#identities.ended(person), ''], pick);
    const offer: Offer = ticket !== null ? { kind: 'ticket', ticket } : token === '' ? { kind: 'none' } : { kind: 'token', token };
    const actor = world.actor(`intruder-${this.#viewers.length}`);
    const session = `intruder/${Math.round(world.now)}`;
    const id = this.#callSids[0] ?? 'EL_none';
    const frame = (text: string): void => {
      const { type, call_sid, seq } = JSON.parse(text) as { type: string; call_sid?: string; seq?: number };
      world.note('intruder', { op: 'frame', session, type, call_sid: call_sid ?? null, seq: seq ?? null, fingerprint: null });
    };
    const end = { actor, frame, closed: (code: number) => world.note('intruder', { op: 'closed', session, code }) };
    this.#relays.connect(end, Math.floor(pick() * 2), offer, null, (link, relay) => {
      if (link === null) return;
      world.note('intruder', { op: 'opened', session, relay, user: person.user, tenant: person.tenant, valid: false, ends_at: 0 });
      link.send(JSON.stringify({ subscribe: id }));
      link.send(JSON.stringify({ watch: 'board' }));
      world.after(8_000, () => link.leave());
    });
    return session;
  }

  async #revoke({ user, tenant }: Person): Promise<void> {
    await this.#stores.directory.changeUser(user, (known) => ({ ...known, disabled: true }));
    this.#world.note('world', { op: 'right', user, tenant, held: false });
    const administrator = this.#world.actor('administrator');
    await this.#bus.for(administrator).publish({ kind: 'rights', tenant, user }).catch(() => undefined);
  }

  async #erase(callSid: string): Promise<void> {
    const world = this.#world;
    const call = await this.#stores.callLog.get(callSid);
    const admin = ADMINS.get(call?.tenant ?? '');
    if (admin === undefined) return;
    for (let attempt = 0; attempt < REQUEST_TRIES; attempt++) {
      const before = await this.#stores.callLog.get(callSid);
      world.note(admin.user, { op: 'erase', phase: 'invoke', call_sid: callSid, status: null, conversation_id: before?.conversation_id ?? null });
      const answered = await this.#functions.erase(principalOf(admin), callSid);
      const gone = answered?.status === 204 || answered?.status === 404;
      world.note(admin.user, { op: 'erase', phase: gone ? 'ok' : 'unknown', call_sid: callSid, status: answered?.status ?? null });
      if (gone) return;
      await new Promise<void>((resolve) => void world.after(1_000, resolve));
    }
  }

  async #remove(pick: () => number): Promise<void> {
    const calls = (await this.#calls()).filter((call) => call.last_seq >= 3);
    if (calls.length === 0) return;
    const call = oneOf(calls, pick);
    const seq = 2 + Math.floor(pick() * (call.last_seq - 2));
    const gone = this.#stores.removed.get(call.call_sid) ?? new Set<number>();
    this.#stores.removed.set(call.call_sid, gone.add(seq));
  }

  // --- Healing ---

  /** Lets everything come right; answers how long connected viewers needed. */
  async #heal(): Promise<number> {
    const world = this.#world;
    world.faults.heal();
    // All else has healed by then.
    if (this.#stores.logDownUntil > world.now + LONG_MS / 2) await world.until(this.#stores.logDownUntil);
    this.#stores.logDownUntil = 0;
    this.#stores.directoryDownUntil = 0;
    for (const link of this.#relays.links) link.restore();
    this.#breakForGood();
    world.note('world', { op: 'healed', unreachable: [] });
    await this.#audit(false);
    const healed = world.now;
    const until = healed + FINISH_MAX_MS;
    let caughtUpAt = healed;
    do {
      await world.until(world.now + STEP_MS);
      if (!(await this.#atHead())) caughtUpAt = world.now;
    } while (world.now < until && !(await this.#settled()));
    this.#closing = true;
    // Whoever was woken a moment ago waits for the next heartbeat.
    for (let steps = 0; steps < SETTLE_STEPS; steps++) {
      await world.until(world.now + STEP_MS);
      if (this.#viewers.every((viewer) => viewer.stopped || viewer.live)) break;
    }
    for (const viewer of this.#viewers) viewer.noteShown(viewer.links.length > 0);
    return caughtUpAt - healed;
  }

  /** In some runs one thing never heals: a relay, or one direction of the way between a viewer and a relay. Everybody has to get along all the same. */
  #breakForGood(): void {
    const world = this.#world;
    const viewer = oneOf(this.#viewers, this.#chance);
    const slot = Math.floor(this.#chance() * 2);
    const what = world.faults.plan.size === 0 ? 1 : this.#chance();
    if (what < 0.12) this.#relays.breakForGood(slot);
    else if (what < 0.24) this.#relays.deafen(viewer.actor, slot);
    else return;
    this.#noticedBy = world.now + NOTICED_MS;
    world.reached(what < 0.12 ? 'relay broken for good' : 'one direction broken for good');
    world.note('world', { op: 'fault', kind: 'broken_for_good', detail: what < 0.12 ? `relay ${slot}` : `relay ${slot} to ${viewer.name}` });
  }

  async #settled(): Promise<boolean> {
    const awake = this.#viewers.every(({ actor }) => actor.stalledUntil <= this.#world.now - STEP_MS);
    if (!awake || !this.#provider.quiet || this.#asking > 0 || this.#world.now < this.#noticedBy) return false;
    const calls = await this.#calls();
    const waiting = await this.#stores.rawStore.pending('waiting', null, 1);
    const known = new Set(calls.map((call) => call.conversation_id));
    const found = [...this.#provider.conversations.keys()].every((id) => known.has(id) || this.#erasedIds.has(id));
    return found && waiting.length === 0 && calls.every((call) => isTerminal(call.status) || call.reason === 'needs_person') && this.#viewers.every((viewer) => viewer.stopped || viewer.live) && (await this.#atHead());
  }

  readonly #erasedIds = new Set<string>();

  async #atHead(): Promise<boolean> {
    const heads = new Map((await this.#calls()).map((call) => [call.call_sid, call.last_seq]));
    return this.#viewers.every((viewer) => viewer.stopped || viewer.positions.every(({ callSid, seq }) => !heads.has(callSid) || heads.get(callSid) === seq));
  }

  // --- The audit ---

  #calls(): Promise<readonly CallState[]> {
    return this.#stores.callLog.active(null, 0);
  }

  async #audit(final: boolean): Promise<void> {
    const world = this.#world;
    for (const call of await this.#calls()) {
      const { call_sid, tenant, workspace, agent_id, epoch, conversation_id, merged_into, status, last_seq, transcript_summary, cost } = call;
      const page = await this.#stores.callLog.read(call_sid, 0, 100_000);
      const texts = page?.events.map(({ text }) => text) ?? [];
      world.note('auditor', { op: 'logged', call_sid, tenant, workspace, agent_id, epoch, conversation_id, merged_into, status, last_seq, texts, removed: [...(this.#stores.removed.get(call_sid) ?? [])], outcome: { transcript_summary, cost }, final });
      if (final) this.#countSometimes(call, texts);
    }
    if (!final) return;
    for (const entry of await this.#stores.rawStore.quarantine(null, null, 1_000)) {
      const { body } = (await this.#stores.rawStore.get(entry.id)) ?? { body: null };
      world.note('auditor', { op: 'quarantined', reason: entry.reason, conversation_id: entry.conversation_id, body, age_ms: world.clock.now() - entry.received_at });
    }
    for (const id of this.#stores.kept) {
      const kept = await this.#stores.rawStore.get(id);
      if (kept !== null) world.note('auditor', { op: 'kept', reason: kept.reason, call_sid: kept.call_sid, conversation_id: kept.conversation_id });
    }
  }

  #countSometimes(call: CallState, texts: readonly string[]): void {
    const world = this.#world;
    if (call.merged_into !== null) world.reached('merged');
    if (texts.some((text) => text.includes('"type":"call_amended"'))) world.reached('amendment after a seal');
    const unknown = texts.findIndex((text) => text.includes('"status":"unknown"'));
    if (unknown >= 0 && call.status !== 'unknown') world.reached('dial unknown and settled');
    if (call.reason === 'needs_person') world.reached('dial that needs a person');
  }

  /** Everybody goes; much later nothing is left of them. */
  async #leave(): Promise<void> {
    const world = this.#world;
    for (const viewer of this.#viewers) viewer.close();
    await world.until(world.now + GONE_MS);
    const rooms = this.#relays.watched;
    const { sessions } = this.#relays;
    const stopping = this.#relays.stop();
    await world.until(world.now + 10_000);
    await stopping;
    this.#over = true;
    await world.until(world.now + AFTERWARDS_MS);
    void this.#functions.runJobs();
    await world.until(world.now + 60_000);
    const swept = await this.#stores.directory.sweep(world.clock.now());
    world.note('auditor', { op: 'left', subscriptions: this.#bus.size, tickets: swept, leases: 0, rooms, sessions });
  }

  #verdict(catchUpMs: number): Run {
    const world = this.#world;
    const events = world.records.reduce((sum, record) => sum + (record.op === 'logged' && record.final ? record.texts.length : 0), 0);
    const deliveries = world.records.reduce((sum, record) => sum + (record.op === 'event' ? 1 : 0), 0);
    return {
      seed: this.#options.seed,
      plan: world.faults.plan,
      records: world.records,
      violations: checkHistory(world.records),
      hash: world.clock.sha256(JSON.stringify(world.records)),
      sometimes: world.sometimes,
      faults: world.faults.counts,
      points: world.points,
      virtualMs: world.now,
      events,
      deliveries,
      catchUpMs,
    };
  }
}

const principalOf = ({ user, tenant, roles }: Person): Principal => ({ user, username: user, tenant, roles, sid: `sid-${user}`, signed_in_at: 0, issued_at: 0, expires_at: Number.MAX_SAFE_INTEGER, local: true });
