/** The functions as processes of the simulated world: two instances of the shipped code, which die, stand still and come again. */
import { idempotencyKey } from '../../functions/api/idempotency.ts';
import { callFor } from '../../functions/api/asker.ts';
import { startCalls, type StartRequest } from '../../functions/calls/start-calls.ts';
import { eraseCall } from '../../functions/calls/end-and-erase.ts';
import { runJobs } from '../../functions/jobs.ts';
import type { Parts } from '../../functions/parts.ts';
import { webhookRoutes } from '../../functions/webhooks/routes.ts';
import { webhookRecorder } from '../../functions/webhooks/stats.ts';
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import { EarshotError, ERRORS } from '../../core/protocol/codes.ts';
import { problemOf } from '../../core/protocol/problem.ts';
import { DIAL_POST_MAX_MS } from '../../core/protocol/limits.ts';
import { readSettings } from '../../core/settings.ts';
import type { Principal } from '../../ports/identity.ts';
import type { VoiceProvider } from '../../ports/voice-provider.ts';
import { elevenLabsProvider } from '../../ports/voice-provider.elevenlabs.ts';
import type { Bus } from './bus.ts';
import type { Identities } from './identities.ts';
import type { Outgoing, Provider } from './provider.ts';
import type { Stores } from './stores.ts';
import { countingMetrics, notingLog, type Actor, type Fate, type World } from './world.ts';

/** An answer of a function; null: the connection broke, or nothing came in time. */
export interface Answered {
  readonly status: number;
  readonly call_sids: readonly string[];
}

interface Instance {
  readonly actor: Actor;
  readonly parts: Parts;
  readonly hooks: ReturnType<typeof webhookRoutes>;
  /** Requests under way: told when the process dies. */
  readonly underWay: Set<() => void>;
}

export interface FunctionsHostParts {
  readonly world: World;
  readonly stores: Stores;
  readonly bus: Bus;
  readonly identities: Identities;
  readonly provider: () => Provider;
}

const INSTANCES = 2;
/** A platform cuts a request that takes longer. */
const REQUEST_MAX_MS = 60_000;
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const RESTART_MS = 1_500;

/** What `fetch` rejects with when nothing came in time. */
const CUT = Object.assign(new Error('fetch failed'), { name: 'TimeoutError' });

const settings = readSettings({ LOG_LEVEL: 'info' }, 'local');

export class FunctionsHost {
  readonly #made: FunctionsHostParts;
  readonly #instances: (Instance | null)[] = [];
  #births = 0;
  #skew: () => number = () => 0;

  constructor(made: FunctionsHostParts) {
    this.#made = made;
  }

  start(skew: () => number): void {
    this.#skew = skew;
    for (let slot = 0; slot < INSTANCES; slot++) this.#instances[slot] = this.#bear();
  }

  /** Actors that run now. */
  get actors(): readonly Actor[] {
    return this.#instances.flatMap((instance) => (instance === null ? [] : [instance.actor]));
  }

  /** Kills one; another takes its place soon. */
  crash(actor: Actor): void {
    this.#made.world.kill(actor);
  }

  /** Brings a delivery to one of the instances. */
  deliver(outgoing: Outgoing): Promise<Answered | null> {
    return this.#request((instance) => this.#hook(instance, outgoing));
  }

  /** A call request, as the API's routes make one of it. */
  startCalls(asker: Principal, request: StartRequest, key: string): Promise<Answered | null> {
    return this.#request((instance) =>
      this.#answered(instance, async () => {
        const { parts } = instance;
        const started = await startCalls(parts, asker, request, idempotencyKey(parts.runtime, asker, '/calls', key, request));
        return { status: started.repeated ? 200 : 201, call_sids: started.calls.map((call) => call.call_sid) };
      }),
    );
  }

  erase(asker: Principal, callSid: string): Promise<Answered | null> {
    return this.#request((instance) =>
      this.#answered(instance, async () => {
        await eraseCall(instance.parts, await callFor(instance.parts.callLog, asker, 'calls.erase', callSid));
        return { status: 204, call_sids: [] };
      }),
    );
  }

  /** The scheduler's call; two may run beside each other. */
  runJobs(): Promise<Answered | null> {
    return this.#request((instance) =>
      this.#answered(instance, async () => {
        await runJobs(instance.parts);
        return { status: 200, call_sids: [] };
      }),
    );
  }

  #bear(): Instance {
    const { world, stores, bus, identities } = this.#made;
    const actor = world.actor(`functions-${++this.#births}`);
    actor.skew = this.#skew();
    const parts: Parts = {
      callLog: stores.logFor(actor),
      directory: stores.directoryFor(actor),
      rawStore: stores.rawStoreFor(actor),
      bus: bus.for(actor),
      provider: this.#provider(actor),
      identity: identities.for(actor),
      issuer: { issue: () => Promise.reject(new EarshotError('server_fault')), publicKeys: () => Promise.resolve({ keys: [] }) },
      runtime: actor.runtime,
      log: notingLog(world, actor.name),
      metrics: countingMetrics(world),
      settings,
    };
    const instance: Instance = { actor, parts, hooks: webhookRoutes(parts, webhookRecorder()), underWay: new Set() };
    actor.onDeath = () => {
      for (const tell of instance.underWay) tell();
      const slot = this.#instances.indexOf(instance);
      this.#instances[slot] = null;
      world.after(RESTART_MS, () => (this.#instances[slot] = this.#bear()));
    };
    return instance;
  }

  /** The shipped client of the provider's API, with the world in the place of the network. */
  #provider(actor: Actor): VoiceProvider {
    const { world } = this.#made;
    const ask = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const url = new URL(input instanceof Request ? input.url : input);
      // Only a gauge goes by it: it costs the world neither time nor chance.
      if (url.pathname.endsWith('/workspace/webhooks')) return Response.json({ webhooks: [] });
      const dial = url.pathname.endsWith('/outbound-call');
      return world.ask(actor, this.#providerFate(dial), () => this.#made.provider().answer(url, init));
    };
    return elevenLabsProvider({ fetch: ask });
  }

  #providerFate(dial: boolean): Fate {
    const { faults } = this.#made.world;
    if (dial) {
      if (faults.strikes('dial_answer_lost')) return { fate: 'answer_lost', error: CUT };
      return faults.strikes('dial_answer_late') ? { fate: 'answered', lateMs: faults.chance('dial_answer_late')() * DIAL_POST_MAX_MS } : { fate: 'answered' };
    }
    if (faults.strikes('provider_hangs')) return { fate: 'answer_lost', error: CUT };
    return faults.strikes('provider_down') ? { fate: 'refused', error: CUT } : { fate: 'answered' };
  }

  #request(work: (instance: Instance) => Promise<Answered>): Promise<Answered | null> {
    const { world } = this.#made;
    const chance = world.faults.chance('balancer');
    return new Promise((resolve) => {
      world.after(chance() * 10, () => {
        const instance = this.#instances[Math.floor(chance() * INSTANCES)] ?? null;
        if (instance === null) {
          resolve(null);
          return;
        }
        let over = false;
        const end = (answered: Answered | null): void => {
          if (over) return;
          over = true;
          instance.underWay.delete(cut);
          late.cancel();
          resolve(answered);
        };
        const cut = (): void => end(null);
        const late = world.after(REQUEST_MAX_MS, cut);
        instance.underWay.add(cut);
        world.run(instance.actor, () => void work(instance).then((answered) => world.after(chance() * 5, () => end(answered))));
      });
    });
  }

  async #hook({ hooks, actor }: Instance, outgoing: Outgoing): Promise<Answered> {
    const { world } = this.#made;
    // The platform's front end begins a trace for whoever brings none.
    const incoming = { headers: { traceparent: TRACEPARENT, ...outgoing.headers() }, rawBody: Buffer.from(outgoing.body) };
    const request = new Request(`http://functions${WEBHOOK_PATHS[outgoing.route]}`, { method: 'POST' });
    const response = await hooks.fetch(request, { incoming: incoming as never });
    if (response.status !== 200) world.note(actor.name, { op: 'wrote', what: 'error', text: await world.working(response.text()) });
    return { status: response.status, call_sids: [] };
  }

  async #answered({ actor }: Instance, work: () => Promise<Answered>): Promise<Answered> {
    try {
      return await work();
    } catch (error) {
      const code = error instanceof EarshotError ? error.code : 'server_fault';
      this.#made.world.note(actor.name, { op: 'wrote', what: 'error', text: JSON.stringify(problemOf(code, error instanceof EarshotError ? error.problems : [])) });
      return { status: ERRORS[code].status, call_sids: [] };
    }
  }
}
