/**
 * The relay as shipped, fed over a bus in its own process, or from Pub/Sub: real tokens and rights, cursors, back-pressure, metrics, log lines, wheel,
 * comparison. Only the log and the directory are in memory: nothing of what is measured reads them but to find a call.
 */
import { createServer } from 'node:http';
import { generateKeyPair, exportJWK } from 'jose';
import type { User } from '../../../ports/directory.ts';
import { joseIdentity, joseIssuer } from '../../../ports/identity.jose.ts';
import { jsonLog } from '../../../ports/log.json.ts';
import { prometheusMetrics } from '../../../ports/metrics.prometheus.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { createRelay } from '../../../ws-relay/relay.ts';
import { relayLog } from '../../fixtures/relay-log.ts';
import { answering, listening } from '../harness/answering.ts';
import { ourBus } from './bus.ts';
import { callOf, epochOf, fedBy, TENANT, type Course } from './feeding.ts';

const USER = 'ann';
const userOf = (user: string): User => ({ user, tenant: TENANT, username: user, password: null, roles: ['dispatcher'], disabled: false, tokens_valid_from: 0, failed_sign_ins: 0, sign_in_blocked_until: 0 });

const runtime = systemRuntime();
const bus = await ourBus(runtime);
const callLog = relayLog(runtime);
const metrics = prometheusMetrics();
const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
const issuer = joseIssuer({ signingKey: JSON.stringify(await exportJWK(privateKey)), publicKeys: null, runtime });
let logged = 0;

const relay = createRelay({
  callLog,
  bus,
  directory: {
    user: async (id) => (id.startsWith(USER) ? userOf(id) : null),
    signInEnded: async () => false,
    takeTicket: async () => null,
    servingRevision: async () => null,
    check: async () => undefined,
  },
  identity: joseIdentity({ publicKeys: () => issuer.publicKeys(), issuers: [], runtime, fetch: globalThis.fetch }),
  runtime,
  // Lines are made as shipped; where they go is no part of it.
  log: jsonLog('info', (line) => (logged += line.length)),
  metrics,
  options: { allowedOrigins: [], allowQueryToken: false, maxConnectionsPerUser: 20_000, maxConnections: 20_000, version: 'bench', metricsOpen: true, moveAfterMs: null, revision: null },
});
await relay.start();
const server = createServer((request, response) => void relay.handleRequest(request, response));
server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
const port = await listening(server, 0);

const tokenOf = async (user: string, sid: string): Promise<string> => {
  const issued = await issuer.issue({ user, username: user, tenant: TENANT, roles: ['dispatcher'], sid, signed_in_at: Math.floor(runtime.now() / 1000) });
  return issued.token;
};

answering({
  listening: async () => ({ port, token: await tokenOf(USER, 'sid-ann') }),
  /** So many tokens, each of a user and a sign-in of its own. */
  tokens: (count: number) => Promise.all(Array.from({ length: count }, (_, place) => tokenOf(`${USER}-${place}`, `sid-${place}-${runtime.randomHex(4)}`))),
  /** Calls that can be watched. */
  calls: ({ name, calls }: Course) => {
    for (let call = 0; call < calls; call++) callLog.add(callOf(name, call), { epoch: epochOf(callOf(name, call)), conversation_id: `conv_${callOf(name, call)}` });
  },
  ...fedBy((message) => bus.publish(message)),
  /** Says one more line in each of these calls, as the log and the bus tell of it. */
  say: async ({ name, calls }: { readonly name: string; readonly calls: readonly number[] }) => {
    for (const call of calls) {
      const callSid = callOf(name, call);
      const said = callLog.say(callSid, `Line at ${runtime.now()}`);
      await bus.publish({ kind: 'events', tenant: TENANT, call_sid: callSid, epoch: epochOf(callSid), first_seq: said[0]?.seq ?? 1, texts: said.map(({ text }) => text), at: runtime.now() });
    }
  },
  reads: () => callLog.asked,
  logged: () => logged,
  metrics: () => metrics.text(),
});
