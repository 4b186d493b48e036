/**
 * One relay as a process of its own on one machine, beside the process that writes: reads the same data folder and hears of
 * events over the bus whose broker listens at `bus.sock` in it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readSettings, SettingsError } from '../core/settings.ts';
import { LOCAL_CONNECTIONS_MAX_COUNT } from '../core/protocol/limits.ts';
import { sqliteCallLog } from '../ports/call-log.sqlite.ts';
import { sqliteDirectory } from '../ports/directory.sqlite.ts';
import { busFile, socketBus } from '../ports/event-bus.socket.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey } from '../ports/identity.jose.ts';
import { jsonLog } from '../ports/log.json.ts';
import { sentryLog } from '../ports/log.sentry.ts';
import { prometheusMetrics } from '../ports/metrics.prometheus.ts';
import { systemRuntime } from '../ports/runtime.system.ts';
import { serveMetrics } from './metrics-port.ts';
import { createRelay } from './relay.ts';

const start = async (): Promise<void> => {
  const settings = readSettings(process.env, 'local', 'relay');
  const { dataDir } = settings;
  const runtime = systemRuntime();
  const version = process.env['npm_package_version'] ?? 'unknown';
  const service = settings.store === 'google' ? { project: settings.googleCloudProject, name: process.env['K_SERVICE'] ?? 'earshot-relay', version } : null;
  const lines = jsonLog(settings.logLevel, (line) => process.stdout.write(line), service);
  const log = await sentryLog(lines, { dsn: settings.sentryDsn, release: version, runtime, fetch: globalThis.fetch });
  const metrics = prometheusMetrics();
  const signingKey = settings.authPublicKeys === null ? (settings.authSigningKey ?? (await loadOrCreateSigningKey(dataDir))) : null;
  const keys = joseIssuer({ signingKey, publicKeys: settings.authPublicKeys, runtime });
  const callLog = sqliteCallLog({ path: join(dataDir, 'calls.db'), runtime, readOnly: true });
  const directory = sqliteDirectory({ path: join(dataDir, 'directory.db'), runtime });
  const bus = socketBus({ path: busFile(dataDir) }, runtime);
  const relay = createRelay({
    callLog,
    bus,
    directory,
    identity: joseIdentity({ publicKeys: keys.publicKeys, issuers: settings.authIssuers, runtime, fetch: globalThis.fetch }),
    runtime,
    log,
    metrics,
    options: {
      allowedOrigins: settings.allowedOrigins,
      allowQueryToken: settings.allowQueryToken,
      maxConnectionsPerUser: settings.maxConnectionsPerUser,
      maxConnections: LOCAL_CONNECTIONS_MAX_COUNT,
      version,
      metricsOpen: true,
      moveAfterMs: null,
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
    await Promise.all([bus.close(), callLog.close(), directory.close()]);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
};

start().catch((error: unknown) => {
  const reason = error instanceof SettingsError ? error.message : `The relay did not start: ${error instanceof Error ? error.name : 'unknown error'}`;
  process.stderr.write(`${reason}\n`);
  process.exit(1);
});
