/** A data folder with its log, its bus and one dispatcher: what functions write to, for relays in other processes to read from. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FactEntry } from '../../../core/domain/call/facts.ts';
import type { CallState, NewCall } from '../../../core/domain/call/state.ts';
import { joseIssuer, loadOrCreateSigningKey } from '../../../ports/identity.jose.ts';
import type { Runtime } from '../../../ports/runtime.ts';
import { embeddedFunctionStores } from '../../../ports/stores.embedded.ts';
import type { FunctionStores } from '../../../ports/stores.ts';

const TENANT = 'bench';
const USER = 'dispatcher';

export interface LogFolder {
  readonly dataDir: string;
  readonly stores: FunctionStores;
  /** An access token of the dispatcher. */
  token(): Promise<string>;
  /** A call that nobody announced, with its first entries; the relays are told. */
  begin(conversationId: string, entries: readonly FactEntry[]): Promise<CallState>;
  /** Appends to a call and tells the relays. */
  append(callSid: string, entries: readonly FactEntry[]): Promise<CallState>;
  /** Closes the stores and removes the folder. */
  close(): Promise<void>;
}

const newCall = (callSid: string): NewCall => ({
  call_sid: callSid,
  workspace: 'bench',
  tenant: TENANT,
  driver: null,
  to_number: null,
  agent_id: 'agent',
  direction: 'inbound',
  triggers_count: 0,
  requested_by: null,
});

/** Makes the folder. Whoever made it closes it. */
export const openLogFolder = async (runtime: Runtime): Promise<LogFolder> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'earshot-bench-'));
  const stores = await embeddedFunctionStores(dataDir, runtime);
  const issuer = joseIssuer({ signingKey: await loadOrCreateSigningKey(dataDir), publicKeys: null, runtime });
  await stores.directory.putUser({ user: USER, tenant: TENANT, username: USER, password: null, roles: ['dispatcher'], disabled: false, tokens_valid_from: 0, failed_sign_ins: 0, sign_in_blocked_until: 0 });
  await stores.directory.putTenant({ tenant: TENANT, name: 'Bench', calling_hours: null, default_agent_id: null });
  let calls = 0;

  const told = async (result: { readonly call: CallState; readonly events: readonly { readonly seq: number; readonly text: string }[] }): Promise<CallState> => {
    const { call, events } = result;
    const first = events[0];
    if (first !== undefined) {
      const { tenant, call_sid, epoch } = call;
      await stores.bus.publish({ kind: 'events', tenant, call_sid, epoch, first_seq: first.seq, texts: events.map(({ text }) => text), at: runtime.now() });
    }
    return call;
  };

  return {
    dataDir,
    stores,
    token: async () => {
      const now = Math.floor(runtime.now() / 1000);
      return (await issuer.issue({ user: USER, username: USER, tenant: TENANT, roles: ['dispatcher'], sid: 'bench', signed_in_at: now })).token;
    },
    begin: async (conversationId, entries) => told(await stores.callLog.adopt(conversationId, newCall(`bench_${String(++calls).padStart(6, '0')}`), entries)),
    append: async (callSid, entries) => {
      const result = await stores.callLog.append(callSid, entries);
      if (result === null) throw new Error(`no call ${callSid}`);
      return told(result);
    },
    close: async () => {
      await stores.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
