/**
 * The functions as they are deployed: chooses the ways, registers the three functions with functions-framework. With STORE=google a
 * process serves the one function that FUNCTION_TARGET names, on the cloud's stores; else on those in DATA_DIR, which relays on the
 * same machine (`ws-relay/main.ts`) read. These are opened at the first request; in the cloud while the process starts, since that request
 * waits already.
 */
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { http } from '@google-cloud/functions-framework';
import manifest from '../package.json' with { type: 'json' };
import { readSettings, UNITS } from '../core/settings.ts';
import { withOwnWorkspace } from '../ports/directory-workspace.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey, schedulerOf } from '../ports/identity.jose.ts';
import { jsonLog } from '../ports/log.json.ts';
import { sentryLog } from '../ports/log.sentry.ts';
import { logMetrics } from '../ports/metrics.log.ts';
import { scryptPasswords } from '../ports/password.scrypt.ts';
import { systemRuntime } from '../ports/runtime.system.ts';
import type { FunctionStores } from '../ports/stores.ts';
import { elevenLabsProvider } from '../ports/voice-provider.elevenlabs.ts';
import { answerUnavailable, functionsApp, type FunctionsApp } from './app.ts';
import { guardNextServer } from './guard.ts';
import type { Parts } from './parts.ts';

/** The platform kills ten seconds after it asked: whoever has not finished by then would be cut in the middle. */
const FINISH_MAX_MS = 8_000;

const deployed = process.env['STORE'] === 'google';
const unit = UNITS.find((name) => name === process.env['FUNCTION_TARGET']);
const settings = readSettings(process.env, deployed || process.env['NODE_ENV'] === 'production' ? 'deployed' : 'local', deployed ? unit : 'functions');
const { version } = manifest;
const runtime = systemRuntime();
const write = (line: string): void => void process.stdout.write(line);
const lines = jsonLog(settings.logLevel, write, deployed ? { project: settings.googleCloudProject, name: process.env['K_SERVICE'] ?? 'earshot-functions', version } : null);
const log = await sentryLog(lines, { dsn: settings.sentryDsn, release: version, runtime, fetch: globalThis.fetch });

interface Opened {
  readonly app: FunctionsApp;
  close(): Promise<void>;
}

/** Each place's libraries are loaded only there. */
const openStores = async (): Promise<FunctionStores> => {
  if (!deployed) return (await import('../ports/stores.embedded.ts')).embeddedFunctionStores(settings.dataDir, runtime);
  const { googleFunctionStores, googleHosts } = await import('../ports/stores.google.ts');
  const stores = await googleFunctionStores(settings, { runtime, log, hosts: googleHosts(process.env) });
  return { ...stores, directory: withOwnWorkspace(stores.directory, settings, runtime) };
};

const open = async (): Promise<Opened> => {
  // In a deployment only the function that signs has the key for it.
  const signingKey = settings.authSigningKey ?? (deployed ? null : await loadOrCreateSigningKey(settings.dataDir));
  const issuer = joseIssuer({ signingKey, publicKeys: settings.authPublicKeys, runtime });
  const { close, ...stores } = await openStores();
  const parts: Parts = {
    ...stores,
    provider: elevenLabsProvider(),
    identity: joseIdentity({ publicKeys: issuer.publicKeys, issuers: settings.authIssuers, scheduler: schedulerOf(settings), runtime, fetch: globalThis.fetch }),
    issuer,
    runtime,
    log,
    // Instances come and go, and nobody could scrape them: figures go where the lines go.
    metrics: deployed ? logMetrics(write, runtime) : (await import('../ports/metrics.prometheus.ts')).prometheusMetrics(),
    settings,
  };
  return { app: functionsApp(parts, { passwords: scryptPasswords(), version, asyncApi: async () => (await import('../core/protocol/asyncapi.ts')).asyncApiDocument({ version }) }), close };
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

const serve =
  (choose: (app: FunctionsApp) => RequestListener): RequestListener =>
  (request, response) => {
    opened().then(
      ({ app }) => choose(app)(request, response),
      (error: unknown) => {
        log.error('the stores could not be opened', {}, error);
        answerUnavailable(response);
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

const listeners = { webhooks: serve((app) => app.webhooks), api: serve((app) => app.api), jobs: serve((app) => app.jobs) };
/** As functions-framework reads it: its flag before the environment. */
const { target = process.env['FUNCTION_TARGET'] } = parseArgs({ args: process.argv.slice(2), options: { target: { type: 'string' } }, strict: false }).values;

const served = Object.entries(listeners).find(([name]) => name === target)?.[1];

guardNextServer({ secrets: async () => (await opened()).app.secrets(), created: finishWhenAsked, answer: served });
http('webhooks', listeners.webhooks);
http('api', listeners.api);
http('jobs', listeners.jobs);

// Signing secrets and the connection by which they come: the first request finds both there. What fails now is tried again then.
if (deployed) {
  opened()
    .then(({ app }) => app.secrets())
    .catch(() => undefined);
}
