/**
 * The functions as they are deployed: chooses the ways, registers the three functions with functions-framework. What is opened is
 * opened at the first request. Here the embedded ways: a log and a directory in DATA_DIR, which relays on the same machine
 * (`ws-relay/main.ts`) read, and the bus over which they hear of events.
 */
import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { http } from '@google-cloud/functions-framework';
import { ERRORS } from '../core/protocol/codes.ts';
import { asyncApiDocument } from '../core/protocol/asyncapi.ts';
import { readSettings } from '../core/settings.ts';
import { sqliteCallLog } from '../ports/call-log.sqlite.ts';
import { sqliteDirectory } from '../ports/directory.sqlite.ts';
import { busFile, socketBroker, socketBus, type BusBroker } from '../ports/event-bus.socket.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey } from '../ports/identity.jose.ts';
import { jsonLog } from '../ports/log.json.ts';
import { sentryLog } from '../ports/log.sentry.ts';
import { logMetrics } from '../ports/metrics.log.ts';
import { prometheusMetrics } from '../ports/metrics.prometheus.ts';
import { scryptPasswords } from '../ports/password.scrypt.ts';
import { sqliteRawStore } from '../ports/raw-store.sqlite.ts';
import { systemRuntime } from '../ports/runtime.system.ts';
import { elevenLabsProvider } from '../ports/voice-provider.elevenlabs.ts';
import { functionsApp, type FunctionsApp } from './app.ts';
import { guardNextServer } from './guard.ts';
import type { Parts } from './parts.ts';
import { problemOf } from '../core/protocol/problem.ts';

/** The platform kills ten seconds after it asked: whoever has not finished by then would be cut in the middle. */
const FINISH_MAX_MS = 8_000;

const settings = readSettings(process.env, process.env['NODE_ENV'] === 'production' ? 'deployed' : 'local');
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
const runtime = systemRuntime();
const write = (line: string): void => void process.stdout.write(line);
const deployed = settings.store === 'google';
const lines = jsonLog(settings.logLevel, write, deployed ? { project: settings.googleCloudProject, name: process.env['K_SERVICE'] ?? 'earshot-functions', version } : null);
const log = await sentryLog(lines, { dsn: settings.sentryDsn, release: version, runtime, fetch: globalThis.fetch });

interface Opened {
  readonly app: FunctionsApp;
  close(): Promise<void>;
}

/**
 * Carries the bus of this data folder, unless another process does; a socket file whose process died is removed.
 * @returns null where somebody else carries it
 */
const carryBus = async (path: string): Promise<BusBroker | null> => {
  const carry = (): Promise<BusBroker | null> => socketBroker({ path }).catch(() => null);
  const broker = await carry();
  if (broker !== null || (await answers(path))) return broker;
  await rm(path, { force: true });
  return carry();
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

const open = async (): Promise<Opened> => {
  const { dataDir } = settings;
  // Numbers, names and words lie there: for its owner only.
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const broker = await carryBus(busFile(dataDir));
  const signingKey = settings.authSigningKey ?? (await loadOrCreateSigningKey(dataDir));
  const issuer = joseIssuer({ signingKey, publicKeys: settings.authPublicKeys, runtime });
  const parts: Parts = {
    callLog: sqliteCallLog({ path: join(dataDir, 'calls.db'), runtime }),
    directory: sqliteDirectory({ path: join(dataDir, 'directory.db'), runtime }),
    rawStore: sqliteRawStore({ path: join(dataDir, 'deliveries.db'), runtime }),
    bus: socketBus({ path: busFile(dataDir) }, runtime),
    provider: elevenLabsProvider(),
    identity: joseIdentity({ publicKeys: issuer.publicKeys, issuers: settings.authIssuers, runtime, fetch: globalThis.fetch }),
    issuer,
    runtime,
    log,
    // Instances come and go, and nobody could scrape them: figures go where the lines go.
    metrics: deployed ? logMetrics(write, runtime) : prometheusMetrics(),
    settings,
  };
  const app = functionsApp(parts, { passwords: scryptPasswords(), version, asyncApi: () => asyncApiDocument({ version }) });
  return {
    app,
    close: async () => {
      await Promise.all([parts.callLog.close(), parts.directory.close(), parts.rawStore.close(), parts.bus.close()]);
      await broker?.close();
    },
  };
};

let opening: Promise<Opened> | null = null;
const opened = (): Promise<Opened> => {
  opening ??= open().catch((error: unknown) => {
    // The next request tries again.
    opening = null;
    throw error;
  });
  return opening;
};

const unavailable = (response: ServerResponse): void => {
  response.writeHead(ERRORS.store_unavailable.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problemOf('store_unavailable')));
};

const serve =
  (choose: (app: FunctionsApp) => RequestListener): RequestListener =>
  (request, response) => {
    opened().then(
      ({ app }) => choose(app)(request, response),
      (error: unknown) => {
        log.error('the stores could not be opened', {}, error);
        unavailable(response);
      },
    );
  };

/**
 * The framework answers a request under way with 500 and exits when it is asked to stop. Here what was begun is finished first:
 * our handlers take the place of its own, which it sets when it begins to listen.
 */
const finishWhenAsked = (server: Server): void => {
  const stop = async (): Promise<void> => {
    const ended = new Promise<void>((resolve) => void server.close(() => resolve()));
    const late = setTimeout(() => process.exit(1), FINISH_MAX_MS);
    await ended;
    await opening?.then((all) => all.close(), () => undefined);
    clearTimeout(late);
    process.exit(0);
  };
  server.once('listening', () => {
    log.info('Application startup complete', { port: (server.address() as AddressInfo).port });
    setImmediate(() => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.removeAllListeners(signal);
        process.once(signal, () => void stop());
      }
    });
  });
};

guardNextServer({ secrets: async () => (await opened()).app.secrets() }, finishWhenAsked);
http('webhooks', serve((app) => app.webhooks));
http('api', serve((app) => app.api));
http('jobs', serve((app) => app.jobs));
