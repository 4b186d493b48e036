/** The simulated bus: subscriptions outlive the relays that made them, messages are lost, doubled, late and out of order. */
import { ORPHAN_SUBSCRIPTION_MS } from '../../core/protocol/limits.ts';
import { isPassedOver, type BusMessage, type EventBus, type PassesOver } from '../../ports/event-bus.ts';
import type { Actor, Fate, World } from './world.ts';

interface Subscription {
  readonly actor: Actor;
  readonly handler: (message: BusMessage) => void;
  readonly passesOver: PassesOver | undefined;
  /** The last sign of life of its relay, virtual time. */
  lastSeen: number;
  silentUntil: number;
}

const BEAT_MS = 60_000;
const LATE_MAX_MS = 6_000;

export class Bus {
  readonly #world: World;
  readonly #subscriptions = new Set<Subscription>();

  constructor(world: World) {
    this.#world = world;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /** The bus as this actor has it. */
  for(actor: Actor): EventBus {
    return {
      publish: (message) => this.#world.ask(actor, this.#publishFate(), async () => this.#spread(message)),
      subscribe: (handler, passesOver) =>
        this.#world.ask(actor, { fate: 'answered' }, async () => {
          const subscription: Subscription = { actor, handler, passesOver, lastSeen: this.#world.now, silentUntil: 0 };
          this.#subscriptions.add(subscription);
          this.#beat(subscription);
          return { close: () => this.#world.ask(actor, { fate: 'answered' }, async () => void this.#subscriptions.delete(subscription)) };
        }),
      sweep: async () => this.sweep(),
      close: async () => undefined,
    };
  }

  /** Removes subscriptions whose relay has shown no life for long enough. */
  sweep(): number {
    const orphans = [...this.#subscriptions].filter(({ lastSeen }) => this.#world.now - lastSeen >= ORPHAN_SUBSCRIPTION_MS);
    for (const orphan of orphans) this.#subscriptions.delete(orphan);
    return orphans.length;
  }

  /** A stream that is dead and does not say so. */
  silence(actor: Actor, until: number): void {
    for (const subscription of this.#subscriptions) if (subscription.actor === actor) subscription.silentUntil = until;
  }

  unsubscribe(actor: Actor): void {
    for (const subscription of this.#subscriptions) if (subscription.actor === actor) this.#subscriptions.delete(subscription);
  }

  #beat(subscription: Subscription): void {
    subscription.actor.runtime.after(BEAT_MS, () => {
      if (!this.#subscriptions.has(subscription)) return;
      subscription.lastSeen = this.#world.now;
      this.#beat(subscription);
    });
  }

  #publishFate(): Fate {
    const { faults } = this.#world;
    if (faults.strikes('publish_hangs')) return faults.chance('publish_hangs')() < 0.5 ? { fate: 'hangs' } : { fate: 'answered', lateMs: 30_000 };
    return faults.strikes('publish_fails') ? { fate: 'refused', error: new Error('the bus refused') } : { fate: 'answered' };
  }

  #spread(message: BusMessage): void {
    const { faults } = this.#world;
    for (const subscription of this.#subscriptions) {
      if (!subscription.actor.alive) continue;
      if (faults.strikes('bus_drops', subscription.actor.name)) continue;
      const copies = faults.strikes('bus_doubles') ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) this.#deliver(subscription, message);
    }
  }

  #deliver(subscription: Subscription, message: BusMessage): void {
    const { faults } = this.#world;
    const chance = faults.chance('bus delay');
    const late = faults.strikes('bus_delays') ? chance() * LATE_MAX_MS : chance() * 20;
    this.#world.after(late, () => {
      if (this.#world.now < subscription.silentUntil || !this.#subscriptions.has(subscription)) return;
      this.#world.run(subscription.actor, () => {
        if (!isPassedOver(message, subscription.passesOver)) subscription.handler(message);
      });
    });
  }
}
