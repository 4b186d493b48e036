/** The whole product in one process, on one origin: functions, relay, jobs, and a simulated ElevenLabs where no key is set. */
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { asyncApiDocument } from '../core/protocol/asyncapi.ts';
import { LOCAL_CONNECTIONS_MAX_COUNT, RECONCILE_MS } from '../core/protocol/limits.ts';
import { withOwnOrigins, type Settings } from '../core/settings.ts';
import { functionsApp } from '../functions/app.ts';
import { runFollower, runJobs } from '../functions/jobs.ts';
import type { Parts } from '../functions/parts.ts';
import { withOwnWorkspace } from '../ports/directory-workspace.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey } from '../ports/identity.jose.ts';
import type { Log } from '../ports/log.ts';
import { prometheusMetrics } from '../ports/metrics.prometheus.ts';
import { scryptPasswords } from '../ports/password.scrypt.ts';
import type { Runtime } from '../ports/runtime.ts';
import { embeddedOwnStores } from '../ports/stores.embedded.ts';
import type { FunctionStores } from '../ports/stores.ts';
import { elevenLabsProvider } from '../ports/voice-provider.elevenlabs.ts';
import { createRelay } from '../ws-relay/relay.ts';
import { FIRST_LOGIN } from '../client/first-call.ts';
import { dashboard } from './dashboard.ts';
import { firstStart } from './first-start.ts';
import type { GooglePlaces } from './google/places.ts';
import { startSimulatedElevenLabs, type SimulatedElevenLabs } from './simulated-elevenlabs/server.ts';

/** How often the jobs run on one machine that people wait for: how far calls are. All others run every RECONCILE_MS. */
const FOLLOW_MS = 10_000;
/** A job that waits for an answer from outside holds a stop up no longer. */
const JOB_END_MAX_MS = 5_000;

export interface Product {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  /** Where it was started so: emulators or a project of the cloud. */
  readonly google: GooglePlaces | null;
  /** null where the real ElevenLabs is used. */
  readonly simulated: SimulatedElevenLabs | null;
  readonly parts: Parts;
  /** Sends viewers away, finishes what was begun, closes everything. */
  close(): Promise<void>;
}

export interface ProductOptions {
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly version: string;
  /** Stores in Google's cloud or its emulators; null: in DATA_DIR. Closed with the product. */
  readonly google?: GooglePlaces | null;
}

/** Starts it; resolves when it serves. Rejects where the port is taken or the data cannot be opened. */
export const startProduct = async ({ settings, runtime, log, version, google = null }: ProductOptions): Promise<Product> => {
  const { dataDir } = settings;
  // Numbers, names and secrets lie there: for its owner only.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const signingKey = settings.authSigningKey ?? (await loadOrCreateSigningKey(dataDir));
  const issuer = joseIssuer({ signingKey, publicKeys: settings.authPublicKeys, runtime });
  const { close: closeStores, ...stores } = google === null ? embeddedOwnStores(dataDir, runtime) : await storesIn(google, settings, runtime, log);
  const opened: Parts = {
    ...stores,
    provider: elevenLabsProvider(),
    identity: joseIdentity({ publicKeys: issuer.publicKeys, issuers: settings.authIssuers, runtime, fetch: globalThis.fetch }),
    issuer,
    runtime,
    log,
    metrics: prometheusMetrics(),
    settings,
  };
  const passwords = scryptPasswords();
  const simulated =
    settings.elevenlabsApiKey === null
      ? await startSimulatedElevenLabs({
          dataDir: join(dataDir, 'simulated-elevenlabs'),
          apiKey: 'simulated',
          webhookSecret: settings.elevenlabsWebhookSecrets[0] ?? '',
          ingestKey: settings.ingestKeys[0] ?? null,
          pace: 1 / settings.simulatedPace,
          retries: true,
          runtime,
          log,
        })
      : null;
  // In the cloud tenants and logins are somebody's already.
  if (google?.emulated !== false) await firstStart(opened, passwords, simulated === null ? { apiKey: settings.elevenlabsApiKey ?? '', baseUrl: settings.elevenlabsBaseUrl } : { apiKey: 'simulated', baseUrl: simulated.url });

  const page = await dashboard({ firstLogin: google?.emulated === false ? null : FIRST_LOGIN });
  const server = createServer();
  const port = await listen(server, settings.port, settings.host);
  // What follows up to the handlers waits for nothing, so no request comes before them.
  const parts: Parts = { ...opened, settings: { ...settings, port, allowedOrigins: withOwnOrigins(settings.allowedOrigins, port) } };
  const functions = functionsApp(parts, { passwords, version, asyncApi: async () => asyncApiDocument({ version }) });
  const relay = createRelay({
    callLog: parts.callLog,
    bus: parts.bus,
    directory: parts.directory,
    identity: parts.identity,
    runtime,
    log,
    metrics: parts.metrics,
    options: {
      allowedOrigins: parts.settings.allowedOrigins,
      allowQueryToken: settings.allowQueryToken,
      maxConnectionsPerUser: settings.maxConnectionsPerUser,
      maxConnections: LOCAL_CONNECTIONS_MAX_COUNT,
      version,
      metricsOpen: true,
      moveAfterMs: null,
      revision: null,
    },
  });
  server.on('request', (request, response) => {
    if (page(request, response)) return;
    relay.handleRequest(request, response).then(
      (answered) => answered || functions.guarded(request, response),
      (error: unknown) => {
        log.error('request failed', {}, error);
        response.destroy();
      },
    );
  });
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
  await relay.start();
  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`;
  simulated?.setWebhookBaseUrl(url);
  let allJobsAt = Number.NEGATIVE_INFINITY;
  const jobs = repeat(runtime, FOLLOW_MS, () => {
    const now = runtime.monotonic();
    if (now - allJobsAt < RECONCILE_MS) return runFollower(parts);
    allJobsAt = now;
    return runJobs(parts);
  });
  log.info('Application startup complete', { port, version });

  return {
    url,
    port,
    google,
    simulated,
    parts,
    close: async () => {
      await jobs.stop();
      await simulated?.close();
      await relay.drain();
      await relay.close();
      await closed(server);
      await closeStores();
      await google?.close();
    },
  };
};

/** Google's libraries are loaded only where they are used. */
const storesIn = async ({ hosts, emulated }: GooglePlaces, settings: Settings, runtime: Runtime, log: Log): Promise<FunctionStores> => {
  const { googleFunctionStores } = await import('../ports/stores.google.ts');
  const stores = await googleFunctionStores(settings, { runtime, log, hosts });
  return emulated ? stores : { ...stores, directory: withOwnWorkspace(stores.directory, settings, runtime) };
};

const listen = (server: Server, port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** Runs again `ms` after each run ended, never beside itself. */
const repeat = (runtime: Runtime, ms: number, run: () => Promise<unknown>): { stop(): Promise<void> } => {
  let stopped = false;
  let running: Promise<unknown> = Promise.resolve();
  const next = (): void => {
    timer = runtime.after(ms, () => {
      running = run().then(() => {
        if (!stopped) next();
      });
    });
  };
  let timer = runtime.after(0, () => undefined);
  next();
  return {
    stop: async () => {
      stopped = true;
      timer.cancel();
      await Promise.race([running, new Promise<void>((resolve) => void runtime.after(JOB_END_MAX_MS, resolve))]);
    },
  };
};
