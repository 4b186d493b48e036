/**
 * The webhooks as `functions/index.ts` serves them - guard, verification, reading, routing, lines and figures -, with stand-ins for what
 * keeps: the log has the call and was told before, the raw store takes everything and keeps nothing.
 */
import { openSync, writeSync } from 'node:fs';
import { http } from '@google-cloud/functions-framework';
import { newCallState } from '../../../core/domain/call/state.ts';
import { readSettings } from '../../../core/settings.ts';
import { functionsApp } from '../../../functions/app.ts';
import { guardNextServer } from '../../../functions/guard.ts';
import { sqliteCallLog } from '../../../ports/call-log.sqlite.ts';
import type { CallLog } from '../../../ports/call-log.ts';
import { withOwnWorkspace } from '../../../ports/directory-workspace.ts';
import { sqliteDirectory } from '../../../ports/directory.sqlite.ts';
import { memoryBus } from '../../../ports/event-bus.memory.ts';
import { joseIdentity, joseIssuer } from '../../../ports/identity.jose.ts';
import { jsonLog } from '../../../ports/log.json.ts';
import { logMetrics } from '../../../ports/metrics.log.ts';
import { scryptPasswords } from '../../../ports/password.scrypt.ts';
import { sqliteRawStore } from '../../../ports/raw-store.sqlite.ts';
import type { RawStore } from '../../../ports/raw-store.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { elevenLabsProvider } from '../../../ports/voice-provider.elevenlabs.ts';
import { newCall } from '../../fixtures/facts.ts';

const runtime = systemRuntime();
const settings = readSettings(process.env, 'local', 'functions');
const nowhere = openSync('/dev/null', 'w');
const write = (line: string): void => void writeSync(nowhere, line);
const log = jsonLog('info', write, { project: 'bench', name: 'earshot-webhooks', version: '0.0.0' });
const issuer = joseIssuer({ signingKey: null, publicKeys: null, runtime });

const call = { ...newCallState(newCall({ workspace: 'main', call_sid: 'EL_conv_bench' }), '1.aa', runtime.now(), ''), conversation_id: 'conv_bench', status: 'completed' } as const;
const callLog: CallLog = {
  ...sqliteCallLog({ path: ':memory:', runtime }),
  find: () => Promise.resolve(call),
  append: () => Promise.resolve({ call, results: [{ result: 'duplicate' }], events: [] }),
};
const rawStore: RawStore = { ...sqliteRawStore({ path: ':memory:', runtime }), put: (delivery) => Promise.resolve({ ...delivery, count: 1 }) };

const app = functionsApp(
  {
    callLog,
    rawStore,
    directory: withOwnWorkspace(sqliteDirectory({ path: ':memory:', runtime }), settings, runtime),
    bus: memoryBus(),
    provider: elevenLabsProvider(),
    identity: joseIdentity({ publicKeys: issuer.publicKeys, issuers: [], runtime, fetch: globalThis.fetch }),
    issuer,
    runtime,
    log,
    metrics: logMetrics(write, runtime),
    settings,
  },
  { passwords: scryptPasswords(), version: '0.0.0', asyncApi: async () => ({}) },
);

guardNextServer({ secrets: app.secrets, answer: app.webhooks });
http('webhooks', app.webhooks);
