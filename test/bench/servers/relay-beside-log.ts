/** The relay as it runs beside the process that writes the log: reads the data folder, hears over its bus, counts what it reads. */
import { createServer } from 'node:http';
import type { CallLog } from '../../../ports/call-log.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey } from '../../../ports/identity.jose.ts';
import { jsonLog } from '../../../ports/log.json.ts';
import { prometheusMetrics } from '../../../ports/metrics.prometheus.ts';
import { embeddedRelayStores } from '../../../ports/stores.embedded.ts';
import { createRelay } from '../../../ws-relay/relay.ts';
import { answering, listening } from '../harness/answering.ts';
import { fastRuntime } from '../harness/fast-clock.ts';

const dataDir = process.env['DATA_DIR'] ?? '';
const runtime = fastRuntime(Number(process.env['CLOCK_SPEED'] ?? 1), Number(process.env['CLOCK_STARTED_AT'] ?? Date.now()));
const { callLog, directory, bus } = embeddedRelayStores(dataDir, runtime);

/** How often each page of each call was read, where it is asked for: a day's worth would be counted as the relay's own memory. */
const counting = process.env['COUNT_READS'] === '1';
const pages = new Map<string, number>();
const counted: CallLog = {
  ...callLog,
  read: (callSid, afterSeq, limit) => {
    const page = `${callSid} ${afterSeq}`;
    if (counting) pages.set(page, (pages.get(page) ?? 0) + 1);
    return callLog.read(callSid, afterSeq, limit);
  },
};

const keys = joseIssuer({ signingKey: await loadOrCreateSigningKey(dataDir), publicKeys: null, runtime });
const metrics = prometheusMetrics();
const relay = createRelay({
  callLog: counted,
  directory,
  bus,
  identity: joseIdentity({ publicKeys: keys.publicKeys, issuers: [], runtime, fetch: globalThis.fetch }),
  runtime,
  // Written as shipped, and thrown away.
  log: jsonLog('info', () => undefined, null),
  metrics,
  options: { allowedOrigins: [], allowQueryToken: false, maxConnectionsPerUser: 20_000, maxConnections: 20_000, version: 'bench', metricsOpen: true, moveAfterMs: null, revision: null },
});
const server = createServer((request, response) => void relay.handleRequest(request, response).then((answered) => answered || response.writeHead(404).end()));
server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
await relay.start();
answering({
  /** Takes connections on that port (0: a free one) from now on, and answers which. */
  listen: (port: number) => listening(server, port),
  /** Reads of pages so far: how many, of how many different ones, and the most of any one. */
  reads: () => ({ all: [...pages.values()].reduce((sum, count) => sum + count, 0), pages: pages.size, most: Math.max(0, ...pages.values()) }),
  forgetReads: () => pages.clear(),
  metrics: () => metrics.text(),
});
