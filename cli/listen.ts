/**
 * `earshot listen --from <deployment> --forward <local>`: hybrid development. ElevenLabs posts to the deployment only; this brings
 * what was verified there, secrets removed, to an Earshot here, signed with the secret of here. The position stands in a file and
 * moves only after a delivery was taken: a restart misses nothing, and what comes twice is a repeat that the log knows.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DeliveriesAnswer } from '../core/protocol/rest.ts';
import { POLL_WAIT_MAX_SECONDS } from '../core/protocol/limits.ts';
import type { z } from 'zod';
import { apiOf, type Api } from './api.ts';
import { asCliError, CliError, usage, type ExitName } from './exit-codes.ts';
import { dataDir } from './local-data.ts';
import { localPort, targetOf, urlOf } from './target.ts';
import { pause } from './wait.ts';
import { postDelivery, type DeliveryKeys } from './webhooks.ts';
import type { Cli } from './world.ts';

export interface ListenOptions {
  readonly from?: string;
  readonly forward?: string;
  readonly position?: string;
  /** End when there is nothing more to forward now. */
  readonly once?: boolean;
}

type Delivery = z.infer<typeof DeliveriesAnswer>['deliveries'][number];

/** Between tries at a side that does not answer; doubled each time. */
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 15_000;
const WORTH_ANOTHER_TRY: readonly ExitName[] = ['unreachable', 'not_now'];

/** Ends when the person does, or with --once when nothing is left. */
export const listen = async (cli: Cli, options: ListenOptions): Promise<void> => {
  if (options.from === undefined) throw usage('Name the deployment with --from.');
  const api = apiOf(targetOf(cli, options.from), cli);
  const forward = urlOf('--forward', options.forward ?? `http://127.0.0.1:${localPort(cli.env)}`, ['http', 'https']);
  if (forward === api.url) throw new CliError('same_deployment', '--from and --forward are the same Earshot.', 'usage');
  const file = options.position ?? join(dataDir(cli), `listen-${createHash('sha256').update(api.url).digest('hex').slice(0, 12)}.json`);
  const { ingestKeys, elevenlabsWebhookSecrets } = cli.settings();
  const [secret] = elevenlabsWebhookSecrets;
  const [ingestKey = null] = ingestKeys;
  if (secret === undefined) throw new CliError('setting_missing', 'ELEVENLABS_WEBHOOK_SECRETS names no secret.', 'usage');

  let cursor = readPosition(file, api.url);
  cli.print.note(`${cursor === null ? 'Listening from now on' : 'Going on where it stopped'}: ${api.url} -> ${forward}`);
  while (!cli.stop.aborted) {
    const answer = await hear(cli, api, cursor, options.once === true);
    if (answer === null) return;
    for (const delivery of answer.deliveries) {
      if (!(await bring(cli, forward, { secret, ingestKey }, delivery))) return;
    }
    const first = cursor === null;
    cursor = answer.cursor;
    keepPosition(file, api.url, cursor);
    if (options.once === true && !first && answer.deliveries.length === 0) return;
    if (options.once === true && first) return;
  }
};

/** The next answer; null: the person wants to end. */
const hear = (cli: Cli, api: Api, cursor: string | null, once: boolean): Promise<z.infer<typeof DeliveriesAnswer> | null> =>
  untilAnswered(cli, 'the deployment', () => {
    const query = cursor === null ? '' : `?after=${encodeURIComponent(cursor)}&wait=${once ? 0 : POLL_WAIT_MAX_SECONDS}`;
    return api.json(DeliveriesAnswer, 'GET', `/deliveries${query}`);
  });

/** Forwards one. false: the person wants to end before it was taken. */
const bring = async (cli: Cli, forward: string, keys: DeliveryKeys, delivery: Delivery): Promise<boolean> => {
  const { id, route, type } = delivery;
  const told = (result: string): void => {
    cli.print.record({ id, route, type, result });
    cli.print.line(`${id.slice(0, 12)} ${type ?? route}: ${result}`);
  };
  if (delivery.body === null) {
    told('not forwarded: its body was not kept');
    return true;
  }
  const body = JSON.stringify(delivery.body);
  const taken = await untilAnswered(cli, 'the local Earshot', async () => {
    const posted = await postDelivery(cli.runtime, forward, keys, route, body, cli.stop);
    if (posted.status >= 500 || posted.status === 429) throw new CliError(posted.result, `It answered ${posted.status}.`, 'not_now');
    return posted;
  });
  if (taken === null) return false;
  if (taken.status === 401) throw new CliError(taken.result, 'The local Earshot does not know the secret or key: both have to have the same ELEVENLABS_WEBHOOK_SECRETS and INGEST_KEY.', 'not_allowed');
  told(taken.result);
  if (taken.result === 'quarantined') cli.print.note('  It waits in quarantine: does the local tenant have its agent? (earshot agents add <agent>)');
  return true;
};

/** Tries again where that may help. null: the person wants to end. */
const untilAnswered = async <T>(cli: Cli, who: string, work: () => Promise<T>): Promise<T | null> => {
  for (let wait = RETRY_MIN_MS; !cli.stop.aborted; wait = Math.min(RETRY_MAX_MS, wait * 2)) {
    try {
      return await work();
    } catch (error) {
      const known = asCliError(error);
      if (known.exit === 'interrupted') return null;
      if (!WORTH_ANOTHER_TRY.includes(known.exit)) throw known;
      cli.print.note(`${who} does not answer (${known.code}); trying again`);
      await pause(wait, cli.stop);
    }
  }
  return null;
};

const readPosition = (file: string, from: string): string | null => {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as { from?: unknown; cursor?: unknown };
    return kept.from === from && typeof kept.cursor === 'string' ? kept.cursor : null;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw new CliError('file_not_readable', `The position in ${file} cannot be read: remove the file to listen from now on.`, 'usage');
  }
};

/** Whole or not at all: a crash in between must not lose the position. */
const keepPosition = (file: string, from: string, cursor: string): void => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify({ from, cursor }));
  renameSync(`${file}.new`, file);
};
