/**
 * One relay as a process of its own. With STORE=google on the cloud's log and bus; else on one machine, beside the process that writes:
 * reads the same data folder and hears of events over the bus whose broker listens at `bus.sock` in it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import manifest from '../package.json' with { type: 'json' };
import { readSettings, SettingsError, type Settings } from '../core/settings.ts';
import { CONNECTIONS_PER_RELAY_MAX_COUNT, LOCAL_CONNECTIONS_MAX_COUNT, SESSION_MOVE_AFTER_MS } from '../core/protocol/limits.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey } from '../ports/identity.jose.ts';
import { jsonLog } from '../ports/log.json.ts';
import { sentryLog } from '../ports/log.sentry.ts';
import { prometheusMetrics } from '../ports/metrics.prometheus.ts';
import type { Log } from '../ports/log.ts';
import type { Runtime } from '../ports/runtime.ts';
import { systemRuntime } from '../ports/runtime.system.ts';
import { embeddedRelayStores } from '../ports/stores.embedded.ts';
import type { Stores } from '../ports/stores.ts';
import { serveMetrics } from './metrics-port.ts';
import { createRelay } from './relay.ts';

/** Google's libraries are loaded only where they are used. */
const openStores = async (settings: Settings, deployed: boolean, runtime: Runtime, log: Log): Promise<Stores> => {
  if (!deployed) return embeddedRelayStores(settings.dataDir, runtime);
  const { googleHosts, googleStores } = await import('../ports/stores.google.ts');
  return googleStores(settings, { runtime, log, hosts: googleHosts(process.env) });
};

const start = async (): Promise<void> => {
  const deployed = process.env['STORE'] === 'google';
  const settings = readSettings(process.env, deployed ? 'deployed' : 'local', 'relay');
  const runtime = systemRuntime();
  const { version } = manifest;
  const service = deployed ? { project: settings.googleCloudProject, name: process.env['K_SERVICE'] ?? 'earshot-relay', version } : null;
  const lines = jsonLog(settings.logLevel, (line) => process.stdout.write(line), service);
  const log = await sentryLog(lines, { dsn: settings.sentryDsn, release: version, runtime, fetch: globalThis.fetch });
  const metrics = prometheusMetrics();
  const signingKey = settings.authPublicKeys === null ? (settings.authSigningKey ?? (deployed ? null : await loadOrCreateSigningKey(settings.dataDir))) : null;
  const keys = joseIssuer({ signingKey, publicKeys: settings.authPublicKeys, runtime });
  const stores = await openStores(settings, deployed, runtime, log);
  const relay = createRelay({
    ...stores,
    identity: joseIdentity({ publicKeys: keys.publicKeys, issuers: settings.authIssuers, runtime, fetch: globalThis.fetch }),
    runtime,
    log,
    metrics,
    options: {
      allowedOrigins: settings.allowedOrigins,
      allowQueryToken: settings.allowQueryToken,
      maxConnectionsPerUser: settings.maxConnectionsPerUser,
      maxConnections: deployed ? CONNECTIONS_PER_RELAY_MAX_COUNT : LOCAL_CONNECTIONS_MAX_COUNT,
      version,
      metricsOpen: !deployed,
      moveAfterMs: deployed ? SESSION_MOVE_AFTER_MS : null,
      revision: settings.revision,
    },
  });

  const server = createServer((request, response) => {
    relay.handleRequest(request, response).then(
      (answered) => {
        if (!answered) response.writeHead(404).end();
      },
      (error: unknown) => {
        log.error('request failed', {}, error);
        response.destroy();
      },
    );
  });
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
  await relay.start();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.port, settings.host, resolve);
  });
  const collected = settings.metricsPort === null ? null : await serveMetrics(metrics, settings.metricsPort);
  log.info('Application startup complete', { port: (server.address() as AddressInfo).port });

  const stop = async (): Promise<void> => {
    server.close();
    await relay.drain();
    await relay.close();
    await collected?.close();
    await stores.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
};

start().catch((error: unknown) => {
  const reason = error instanceof SettingsError ? error.message : `The relay did not start: ${error instanceof Error ? error.name : 'unknown error'}`;
  process.stderr.write(`${reason}\n`);
  process.exit(1);
});
