import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { startSimulatedElevenLabs } from '../../local/simulated-elevenlabs/server.ts';
import type { SimulatedElevenLabs } from '../../local/simulated-elevenlabs/server.ts';
import { elevenLabsProvider } from '../../ports/voice-provider.elevenlabs.ts';
import { startReceiver } from '../fixtures/receiver.ts';
import { workspaceAt } from '../fixtures/workspaces.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const provider = elevenLabsProvider({ readMaxMs: 5_000 });

const start = async (pace = 0): Promise<SimulatedElevenLabs> => {
  const receiver = await startReceiver();
  const simulated = await startSimulatedElevenLabs({ apiKey: 'simulated-key', webhookSecret: 'wsec_simulated', webhookBaseUrl: receiver.url, pace });
  closing.push(() => receiver.close(), () => simulated.close());
  return simulated;
};

const dial = async (simulated: SimulatedElevenLabs, variables: Readonly<Record<string, string>> = {}, telephony: 'twilio' | 'sip_trunk' = 'twilio'): Promise<string> => {
  const answer = await provider.dial(workspaceAt(simulated.url, { telephony }), {
    agent_id: 'agent_1', to_number: '+15550100002', dynamic_variables: { driver_name: 'John', ...variables },
  });
  if (answer.result !== 'accepted' || answer.conversation_id === null) throw new Error(`not accepted: ${JSON.stringify(answer)}`);
  return answer.conversation_id;
};

/** Resolves with the session and a promise of all events, once the call is answered. */
const follow = async (simulated: SimulatedElevenLabs, id: string) => {
  const events: Record<string, unknown>[] = [];
  let closed = (): void => undefined;
  const ended = new Promise<void>((resolve) => (closed = resolve));
  // Monitoring is to be had only once somebody is on the line.
  for (;;) {
    const session = await provider.monitor(workspaceAt(simulated.url), id, (event) => events.push(event as Record<string, unknown>), closed);
    if (session !== null) return { session, events, ended };
    if (!['initiated', 'in-progress'].includes(simulated.calls()[0]?.status ?? '')) throw new Error('the call is over');
  }
};

describe('the voice provider, talking to the simulated ElevenLabs', () => {
  test.each(['twilio', 'sip_trunk'] as const)('dials by %s and reads the conversation, the variables unchanged', async (telephony) => {
    const simulated = await start();
    const id = await dial(simulated, { earshot_call_sid: 'EL_7' }, telephony);
    await simulated.idle();
    expect(await provider.conversation(workspaceAt(simulated.url), id)).toMatchObject({
      conversation_id: id,
      agent_id: 'agent_1',
      status: 'done',
      conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: 'EL_7', driver_name: 'John' } },
      metadata: { phone_call: { type: telephony === 'twilio' ? 'twilio' : 'sip_trunking', direction: 'outbound' } },
    });
  });

  test('a conversation that the provider does not have is null, and so is its recording', async () => {
    const simulated = await start();
    expect(await provider.conversation(workspaceAt(simulated.url), 'conv_none/../x')).toBeNull();
    expect(await provider.audio(workspaceAt(simulated.url), 'conv_none')).toBeNull();
  });

  test('lists page by page, each conversation once, newest first', async () => {
    const simulated = await start();
    const ids = [await dial(simulated), await dial(simulated), await dial(simulated)];
    await simulated.idle();
    const first = await provider.conversations(workspaceAt(simulated.url), { cursor: null, page_size: 2 });
    const second = await provider.conversations(workspaceAt(simulated.url), { cursor: first.next_cursor, page_size: 2 });
    expect(first.next_cursor).not.toBeNull();
    expect(second.next_cursor).toBeNull();
    expect([...first.conversations, ...second.conversations].map((row) => row.conversation_id)).toStrictEqual(ids.reverse());
    expect(first.conversations[0]).toStrictEqual({ conversation_id: ids[0], agent_id: 'agent_1', status: 'done', start_time_unix_secs: expect.any(Number) as number });
  });

  test('lists by dynamic variable, by status and by start', async () => {
    const simulated = await start();
    const wanted = await dial(simulated, { earshot_call_sid: 'EL_with:colon' });
    const failed = await dial(simulated, { simulate: 'initiation_failure' });
    await simulated.idle();
    const list = async (filter: Partial<Parameters<typeof provider.conversations>[1]>) =>
      (await provider.conversations(workspaceAt(simulated.url), { cursor: null, page_size: 10, ...filter })).conversations.map((row) => row.conversation_id);
    expect(await list({ dynamic_variable: { name: 'earshot_call_sid', value: 'EL_with:colon' } })).toStrictEqual([wanted]);
    expect(await list({ exclude_statuses: ['done', 'initiated'] })).toStrictEqual([failed]);
    expect(await list({ call_start_after_unix: 4_000_000_000 })).toStrictEqual([]);
    expect(await list({ call_start_after_unix: 1 })).toStrictEqual([failed, wanted]);
  });

  test('passes the recording through as a stream with its type and length', async () => {
    const simulated = await start();
    const id = await dial(simulated);
    await simulated.idle();
    const recording = await provider.audio(workspaceAt(simulated.url), id);
    const bytes = new Uint8Array(await new Response(recording?.body ?? null).arrayBuffer());
    expect(recording).toMatchObject({ content_type: 'audio/mpeg', content_length: bytes.byteLength });
    expect([...bytes.slice(0, 2)]).toStrictEqual([0xff, 0xf3]);
  });

  test('tells of the webhooks of the account, and whether they are switched on', async () => {
    const receiver = await startReceiver();
    const simulated = await startSimulatedElevenLabs({ apiKey: 'simulated-key', webhookSecret: 'wsec_simulated', webhookBaseUrl: receiver.url, pace: 0 });
    closing.push(() => receiver.close(), () => simulated.close());
    const url = `${receiver.url}/webhooks/elevenlabs/post-call`;
    expect(await provider.webhooks(workspaceAt(simulated.url))).toStrictEqual([{ url, enabled: true }]);
    await fetch(`${simulated.url}/simulator/settings`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"disabled":true}' });
    expect(await provider.webhooks(workspaceAt(simulated.url))).toStrictEqual([{ url, enabled: false }]);
    // Whoever has switched it off sends nothing, and tries nothing again later.
    await dial(simulated);
    await simulated.idle();
    expect(receiver.received.filter((delivery) => delivery.path.endsWith('/post-call'))).toStrictEqual([]);
    expect(await provider.webhooks(workspaceAt(simulated.url, { api_key: 'restricted' }))).toBeNull();
  });

  test('monitors an active call from its history to its end', async () => {
    const simulated = await start(0.01);
    const id = await dial(simulated);
    const { events, ended } = await follow(simulated, id);
    await ended;
    const types = events.map((event) => event['type']);
    expect(types[0]).toBe('connected');
    expect(types[1]).toBe('conversation_initiation_metadata');
    expect(types).toContain('history_complete');
    expect(types).toContain('agent_response');
    expect(types).toContain('user_transcript');
  });

  test('ends an active call that would go on for ever', async () => {
    const simulated = await start(0.02);
    const id = await dial(simulated, { simulate: 'hang' });
    const { session, ended } = await follow(simulated, id);
    session.close();
    expect(await provider.end(workspaceAt(simulated.url), id)).toBe('asked');
    await ended;
    await simulated.idle();
    expect(await provider.conversation(workspaceAt(simulated.url), id)).toMatchObject({ status: 'done', metadata: { termination_reason: 'Call ended by monitoring command' } });
  });

  test('says not_supported where monitoring is not to be had', async () => {
    const simulated = await start();
    const id = await dial(simulated, { simulate: 'hang,no_monitoring' });
    expect(await provider.end(workspaceAt(simulated.url), id)).toBe('not_supported');
    expect(await provider.end(workspaceAt(simulated.url), 'conv_none')).toBe('not_supported');
    expect(await provider.monitor(workspaceAt(simulated.url), id, () => undefined, () => undefined)).toBeNull();
  });
});

describe('a voice provider that does not answer as it should', () => {
  const startProvider = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const faults: readonly (readonly [string, RequestListener])[] = [
    ['answers 500', (_, response) => response.writeHead(500).end('{"detail":"x"}')],
    ['answers 401', (_, response) => response.writeHead(401).end('{"detail":{"status":"invalid_api_key"}}')],
    ['answers 429', (_, response) => response.writeHead(429).end()],
    ['redirects', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['answers HTML with 200', (_, response) => response.end('<html>')],
    ['answers a bare value with 200', (_, response) => response.end('7')],
    ['answers without end', (_, response) => {
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      const more = (): void => void response.write(chunk, (error) => error == null && more());
      more();
    }],
    ['cuts the connection', (request) => request.socket.destroy()],
    ['stays silent', () => undefined],
    ['stays silent after the head', (_, response) => response.writeHead(200).flushHeaders()],
  ];
  const impatient = elevenLabsProvider({ readMaxMs: 700 });
  const unavailable = new EarshotError('provider_unavailable');

  test.each(faults)('%s: reading one, listing and looking at webhooks throw provider_unavailable', async (name, listener) => {
    const workspace = workspaceAt(await startProvider(listener));
    await expect(impatient.conversation(workspace, 'conv_1')).rejects.toStrictEqual(unavailable);
    await expect(impatient.conversations(workspace, { cursor: null, page_size: 10 })).rejects.toStrictEqual(unavailable);
    // A key that may not see them is no fault.
    if (name !== 'answers 401') await expect(impatient.webhooks(workspace)).rejects.toStrictEqual(unavailable);
  });

  test.each(faults.filter(([name]) => !/HTML|bare|without end|after the head/.test(name)))('%s: asking for the recording throws provider_unavailable', async (_, listener) => {
    await expect(impatient.audio(workspaceAt(await startProvider(listener)), 'conv_1')).rejects.toStrictEqual(unavailable);
  });

  test.each(faults.filter(([name]) => /500|429|cuts|silent$/.test(name)))('%s: ending and monitoring throw provider_unavailable', async (_, listener) => {
    const url = await startProvider(() => undefined);
    // An upgrade that nobody listens for goes to the ordinary listener.
    const workspace = workspaceAt(await startProvider(listener));
    await expect(impatient.end(workspace, 'conv_1')).rejects.toStrictEqual(unavailable);
    await expect(impatient.monitor(workspace, 'conv_1', () => undefined, () => undefined)).rejects.toStrictEqual(unavailable);
    await expect(impatient.end(workspaceAt(url, { base_url: 'not a url' }), 'conv_1')).rejects.toStrictEqual(unavailable);
  });

  test.each([
    ['{"webhooks":[null,7,{},{"webhook_url":"https://a.example/x"},{"webhook_url":"https://b.example/x","is_disabled":true,"is_auto_disabled":false}]}', [{ url: 'https://a.example/x', enabled: true }, { url: 'https://b.example/x', enabled: false }]],
    ['{"webhooks":[]}', []],
  ])('webhooks that name no address are passed over: %s', async (body, webhooks) => {
    const url = await startProvider((_, response) => response.end(body));
    expect(await impatient.webhooks(workspaceAt(url))).toStrictEqual(webhooks);
  });

  test('rows of a list that name no conversation are passed over', async () => {
    const url = await startProvider((_, response) => response.end('{"conversations":[null,7,{},{"conversation_id":"conv_1","status":null}],"next_cursor":"n","has_more":false}'));
    expect(await impatient.conversations(workspaceAt(url), { cursor: null, page_size: 500 })).toStrictEqual({
      conversations: [{ conversation_id: 'conv_1', agent_id: '', status: '', start_time_unix_secs: 0 }],
      next_cursor: null,
    });
  });
});
