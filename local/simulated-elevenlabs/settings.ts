import type { Log } from '../../ports/log.ts';
import type { Runtime } from '../../ports/runtime.ts';
import type { Misbehaviour } from './misbehaviour.ts';

/** How a simulated ElevenLabs is started. */
export interface SimulatedElevenLabsOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Where its own file lies; null (the default): nothing outlives the process. */
  readonly dataDir?: string | null;
  /** What callers must send as `xi-api-key`. */
  readonly apiKey: string;
  /** What webhooks are signed with, `wsec_` included. */
  readonly webhookSecret: string;
  /** Earshot's base URL; null (the default): not known yet, calls and webhooks wait for `setWebhookBaseUrl`. */
  readonly webhookBaseUrl?: string | null;
  /** Bearer of the live posts; null (the default): nothing is posted while a call runs. */
  readonly ingestKey?: string | null;
  /** Factor on every wait: 1 (the default) is a call of 15 to 40 seconds, 0 as fast as possible. */
  readonly pace?: number;
  /** Whether failed webhooks are tried again, as an account may switch on. Default false, as with ElevenLabs. */
  readonly retries?: boolean;
  /** Default 1. The nth call of a seed is always the same. */
  readonly seed?: number;
  /** Calls under way at once. Default 20. */
  readonly concurrency?: number;
  /** Misbehaviours of every call. */
  readonly misbehave?: readonly Misbehaviour[];
  /** Share of calls, 0 (the default) to 1, that misbehave by chance. */
  readonly unruly?: number;
  readonly runtime?: Runtime;
  /** Default: none. */
  readonly log?: Log;
}

/** What may change while it runs. */
export interface LiveSettings {
  webhookBaseUrl: string | null;
  pace: number;
  retries: boolean;
  concurrency: number;
  unruly: number;
  /** The webhook is switched off, as ElevenLabs does after a week of failures: nothing is sent until a person switches it on. */
  disabled: boolean;
}
