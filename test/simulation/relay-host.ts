/** The relays as processes of the simulated world: the shipped relay, started, drained, killed and started again. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createInstance, type RelayInstance } from '../../ws-relay/instance.ts';
import type { RelayParts } from '../../ws-relay/parts.ts';
import { answerPoll } from '../../ws-relay/poll.ts';
import type { Offer } from '../../core/domain/relay/effects.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import type { CallLog } from '../../ports/call-log.ts';
import type { Bus } from './bus.ts';
import type { Identities } from './identities.ts';
import { Link, type ViewerEnd } from './link.ts';
import type { Stores } from './stores.ts';
import { countingMetrics, notingLog, type Actor, type World } from './world.ts';

export interface RelayHostParts {
  readonly world: World;
  readonly stores: Stores;
  readonly bus: Bus;
  readonly identities: Identities;
}

interface Running {
  readonly actor: Actor;
  readonly instance: RelayInstance;
  readonly links: Set<Link>;
  /** How far it has seen each call, by all that it was told. */
  readonly seen: Map<string, number>;
}

/** What a poll was answered; null: nothing came. */
export interface PollAnswered {
  readonly status: number;
  readonly body: string;
}

const RELAYS = 2;
const RESTART_MS = 2_000;
/** Long before the platform's cut, so that it comes within a run. */
const MOVE_AFTER_MS = 60_000;

export class RelayHost {
  readonly #made: RelayHostParts;
  readonly #running: (Running | null)[] = [];
  readonly #everyLink = new Set<Link>();
  #births = 0;
  /** No new one takes the place of one that dies. */
  #stopped = false;
  #skew: () => number = () => 0;
  /** Slots that nobody gets into any more. */
  readonly #broken = new Set<number>();
  /** Viewers that nothing reaches from a slot, though they reach it. */
  readonly #deaf = new Set<string>();

  constructor(made: RelayHostParts) {
    this.#made = made;
  }

  start(skew: () => number): void {
    this.#skew = skew;
    for (let slot = 0; slot < RELAYS; slot++) this.#bear(slot);
  }

  get actors(): readonly Actor[] {
    return this.#running.flatMap((running) => (running === null ? [] : [running.actor]));
  }

  /** Connections that are open as far as anybody knows. */
  get links(): readonly Link[] {
    for (const link of this.#everyLink) if (link.over) this.#everyLink.delete(link);
    return [...this.#everyLink];
  }

  /** How far the relay of that actor has seen the call. */
  seen(actor: Actor, callSid: string): number {
    return this.#of(actor)?.seen.get(callSid) ?? 0;
  }

  crash(actor: Actor): void {
    this.#made.world.kill(actor);
  }

  /** SIGTERM: a new one takes its place, as the platform does. */
  drain(actor: Actor): void {
    const running = this.#of(actor);
    if (running === undefined) return;
    const { world } = this.#made;
    const slot = this.#running.indexOf(running);
    if (running.instance.hub.size('socket') > 0) world.reached('drained with viewers');
    this.#bear(slot);
    world.run(actor, () => {
      void running.instance
        .drain()
        .then(() => running.instance.close())
        .finally(() => world.kill(actor));
    });
  }

  /** The relay of that slot dies, and no other takes its place. */
  breakForGood(slot: number): void {
    this.#broken.add(slot);
    const running = this.#running[slot] ?? null;
    if (running !== null) this.#made.world.kill(running.actor);
  }

  /** From now on nothing that the relay of that slot sends reaches this viewer. */
  deafen(viewer: Actor, slot: number): void {
    this.#deaf.add(`${viewer.name} ${slot}`);
    for (const link of this.#running[slot]?.links ?? []) if (link.viewer === viewer) link.dead = true;
  }

  /** Everybody is sent away for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running.flatMap((running) => (running === null ? [] : [this.#drainOrDie(running)])));
    for (const running of this.#running) if (running !== null) running.actor.onDeath = null;
  }

  /** Whoever dies while it drains is gone as well. */
  #drainOrDie({ actor, instance }: Running): Promise<void> {
    return new Promise((resolve) => {
      actor.onDeath = resolve;
      void instance
        .drain()
        .then(() => instance.close())
        .then(resolve);
    });
  }

  /** Takes a viewer's connection to one of the relays; calls back with why not, or with the link. */
  connect(viewer: ViewerEnd, slot: number, offer: Offer, replaces: string | null, done: (link: Link | null, relay: string) => void): void {
    const { world } = this.#made;
    const chance = world.faults.chance('handshake');
    const delayMs = world.faults.strikes('link_slow') ? 500 : 5 + chance() * 40;
    world.after(delayMs * 2, () => {
      const running = this.#running[slot] ?? null;
      if (running === null || this.#broken.has(slot) || !running.actor.alive || world.faults.strikes('connect_refused')) {
        done(null, '');
        return;
      }
      world.run(running.actor, () => {
        if (running.instance.refusal('socket') !== null) {
          done(null, running.actor.name);
          return;
        }
        const link = new Link(world, viewer, running.actor, delayMs);
        link.dead = this.#deaf.has(`${viewer.actor.name} ${slot}`);
        running.links.add(link);
        this.#everyLink.add(link);
        // The viewer knows its connection before the first frame comes.
        done(link, running.actor.name);
        link.accepted(running.instance.hub.connect({ transport: link.transport, offer, replaces, kind: 'socket' }));
      });
    });
  }

  /** A long poll over plain HTTP. `sent`: the relay has answered; `answered`: it has reached the viewer. */
  poll(viewer: Actor, slot: number, token: string, body: object, sent: (answer: PollAnswered) => void, answered: (answer: PollAnswered | null) => void): () => void {
    const { world } = this.#made;
    const request = new EventEmitter();
    const response = new EventEmitter();
    let status = 0;
    let over = false;
    const end = (answer: PollAnswered | null): void => {
      if (over) return;
      over = true;
      if (answer !== null) sent(answer);
      world.after(20, () => world.run(viewer, () => answered(answer)));
    };
    const fake = Object.assign(response, {
      destroyed: false,
      writeHead: (code: number) => {
        status = code;
        return fake;
      },
      end: (text: string) => end({ status, body: text }),
    });
    world.after(20, () => {
      const running = this.#running[slot] ?? null;
      if (running === null || this.#broken.has(slot) || !running.actor.alive || running.instance.refusal('poll') !== null) {
        end(null);
        return;
      }
      const { actor, instance } = running;
      const before = actor.onDeath;
      actor.onDeath = () => {
        end(null);
        before?.();
      };
      world.run(actor, () => {
        void answerPoll(instance.parts, instance.hub, Object.assign(request, { headers: { authorization: `Bearer ${token}` } }) as unknown as IncomingMessage, fake as unknown as ServerResponse, {});
        request.emit('data', Buffer.from(JSON.stringify(body)));
        request.emit('end');
      });
    });
    return () => {
      over = true;
      fake.destroyed = true;
      response.emit('close');
    };
  }

  /** What each relay holds now. */
  noteHeld(): void {
    for (const running of this.#running) {
      if (running === null) continue;
      const { instance, actor, links } = running;
      for (const link of links) if (link.over) links.delete(link);
      const waiting = [...links].map((link) => link.waiting);
      const bytes = waiting.reduce((sum, one) => sum + one, 0);
      this.#made.world.note(actor.name, { op: 'held', relay: actor.name, sessions: instance.hub.size('socket') + instance.hub.size('poll'), calls: instance.hub.watched(), bytes, most: Math.max(0, ...waiting) });
    }
  }

  /** Calls that the relays hold now, all together. */
  get watched(): number {
    return this.#running.reduce((sum, running) => sum + (running?.instance.hub.watched() ?? 0), 0);
  }

  /** Sessions that they hold, polls too. */
  get sessions(): number {
    return this.#running.reduce((sum, running) => sum + (running === null ? 0 : running.instance.hub.size('socket') + running.instance.hub.size('poll')), 0);
  }

  #of(actor: Actor): Running | undefined {
    return this.#running.find((running) => running?.actor === actor) ?? undefined;
  }

  #bear(slot: number): void {
    if (this.#stopped) return;
    const { world, stores, bus, identities } = this.#made;
    const actor = world.actor(`relay-${++this.#births}`);
    actor.skew = this.#skew();
    const seen = new Map<string, number>();
    const links = new Set<Link>();
    const own = bus.for(actor);
    const parts: RelayParts = {
      callLog: this.#watching(actor, stores.logFor(actor), seen),
      bus: { ...own, subscribe: (handler, passesOver) => own.subscribe(handler, (head) => {
        seen.set(head.call_sid, Math.max(seen.get(head.call_sid) ?? 0, head.first_seq + head.count - 1));
        return passesOver?.(head) === true;
      }) },
      directory: stores.directoryFor(actor),
      identity: identities.for(actor),
      runtime: actor.runtime,
      log: notingLog(world, actor.name),
      metrics: countingMetrics(world),
      options: { allowedOrigins: [], allowQueryToken: true, maxConnectionsPerUser: 20, maxConnections: 900, version: '0', metricsOpen: true, moveAfterMs: world.faults.strikes('sessions_move') ? MOVE_AFTER_MS : null, revision: null },
    };
    // A turn of the event loop ends a moment later.
    const instance = createInstance(parts, (work) => void actor.runtime.after(0, work));
    const running: Running = { actor, instance, links, seen };
    this.#running[slot] = running;
    actor.onDeath = () => {
      for (const link of links) link.cut();
      if (this.#running[slot] !== running) return;
      this.#running[slot] = null;
      if (!this.#broken.has(slot)) world.after(RESTART_MS, () => this.#bear(slot));
    };
    void running.instance.start();
  }

  /** Notes how far the log's answers have shown each call. */
  #watching(actor: Actor, log: CallLog, seen: Map<string, number>): CallLog {
    const note = (call: CallState): void => {
      const before = seen.get(call.call_sid);
      if (before !== undefined && before < call.last_seq) this.#made.world.reached('lost publish healed by the comparison');
      seen.set(call.call_sid, Math.max(before ?? 0, call.last_seq));
    };
    return {
      ...log,
      changes: async (tenants, mark) => {
        const began = Math.round(this.#made.world.now);
        const answer = await log.changes(tenants, mark);
        answer.calls.forEach(note);
        if (!answer.more) this.#made.world.note(actor.name, { op: 'compared', relay: actor.name, began });
        return answer;
      },
    };
  }
}
