import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { outcomeOf } from '../../core/domain/elevenlabs/conversation.ts';
import { matches, parseSignatureHeader } from '../../core/domain/elevenlabs/signature.ts';
import { IngestAgentEvent, IngestTurn } from '../../core/protocol/ingest.ts';
import { SCRIPTS } from '../../local/simulated-elevenlabs/scripts.ts';
import { startSimulatedElevenLabs } from '../../local/simulated-elevenlabs/server.ts';
import { pythonJson } from '../../local/simulated-elevenlabs/python-json.ts';
import { startReceiver } from '../fixtures/receiver.ts';
import { AGENT_EVENTS, API_KEY, closeAfterTest, control, conversationIn, dial, POST_CALL, stage, TURNS, WEBHOOK_SECRET } from '../fixtures/simulated-call.ts';

interface Row {
  readonly role: string;
  readonly message: string | null;
}

const dataOf = (body: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> => (body?.['data'] ?? {}) as Readonly<Record<string, unknown>>;

describe('an ordinary simulated call', () => {
  test('posts growing interim turns, final turns and tool use with the ingest key, then one signed webhook', async () => {
    const { simulated, receiver } = await stage();
    const id = await conversationIn(await dial(simulated, { simulate_script: 'speeding_admitted', earshot_call_sid: 'EL_1' }));
    await simulated.idle();

    const live = receiver.received.slice(0, -1);
    expect(new Set(live.map((request) => request.headers['authorization']))).toStrictEqual(new Set(['Bearer ingest-key']));
    expect(new Set(live.map((request) => request.json['conversation_id']))).toStrictEqual(new Set([id]));
    const turns = receiver.at(TURNS).map((request) => request.json);
    expect(turns.slice(0, 3)).toMatchObject([
      { state: 'interim', speaker: 'agent', turn_id: 'turn_1', rev: 1, text: 'Hey', time_in_call_secs: 0, agent_id: 'agent_1' },
      { state: 'interim', text: 'Hey John,' },
      { state: 'interim', text: 'Hey John, this' },
    ]);
    expect(turns.filter((turn) => turn['state'] !== 'interim').map((turn) => [turn['speaker'], turn['state'], turn['rev'], turn['text']])).toStrictEqual([
      ['agent', 'final', 1, 'Hey John, this is dispatch calling about a speeding alert from your truck this morning.'],
      ['driver', 'final', 1, 'Yeah, hey. What does it say?'],
      ['agent', 'final', 1, 'It shows seventy four in a sixty two zone on I-80. What happened there?'],
      ['driver', 'final', 1, 'I was passing a tanker and did not watch the gate.'],
      ['driver', 'corrected', 2, 'I was passing a tanker and did not watch the gauge.'],
      ['agent', 'final', 1, 'I understand. Please keep to the limit, because the next alert goes to the safety manager.'],
      ['agent', 'corrected', 2, 'I understand. Please keep to the limit, because...'],
      ['driver', 'final', 1, 'Okay, okay, I will slow down.'],
      ['agent', 'final', 1, 'Thank you. I have noted that. Drive safely.'],
    ]);
    expect(receiver.at(AGENT_EVENTS).map((request) => request.json)).toMatchObject([
      { type: 'tool_executing', tool_name: 'get_violation_details' },
      { type: 'tool_completed', tool_name: 'get_violation_details', is_error: false, duration_ms: 900 },
    ]);

    const webhook = receiver.received.at(-1);
    expect(webhook?.path).toBe(POST_CALL);
    const [, seconds, signature] = /^t=(\d+),v0=([0-9a-f]{64})$/.exec(String(webhook?.headers['elevenlabs-signature'])) ?? [];
    expect(signature).toBe(createHmac('sha256', WEBHOOK_SECRET).update(`${String(seconds)}.${String(webhook?.raw)}`).digest('hex'));
    expect(webhook?.raw).toBe(pythonJson(webhook?.json));
    expect(webhook?.raw.startsWith('{"type": "post_call_transcription", "event_timestamp": ')).toBe(true);
    expect(webhook?.json).toMatchObject({
      type: 'post_call_transcription',
      data: {
        conversation_id: id,
        agent_id: 'agent_1',
        status: 'done',
        metadata: { cost: expect.any(Number) as number, cost_fiat: expect.any(Number) as number, phone_call: { type: 'twilio', call_result: 'answered', external_number: '+15550100002' } },
        analysis: {
          call_successful: 'success',
          call_summary_title: 'Speeding alert acknowledged',
          evaluation_criteria_results: { violation_discussed: { result: 'success' } },
          data_collection_results: { driver_reason: { value: 'passing a tanker' } },
        },
        conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: 'EL_1', driver_name: 'John', system__conversation_id: id } },
      },
    });
    const rows = dataOf(webhook?.json)['transcript'] as readonly Row[];
    expect(rows.filter((row) => row.message !== null).map((row) => [row.role, row.message]).slice(-2)).toStrictEqual([
      ['agent', 'Thank you. I have noted that. Drive safely.'],
      ['user', 'Bye.'],
    ]);
  });

  test('GET tells the status while the call runs and the words once it is over', async () => {
    let blocked = (): void => undefined;
    const block = new Promise<void>((resolve) => (blocked = resolve));
    let reached = (): void => undefined;
    const inProgress = new Promise<void>((resolve) => (reached = resolve));
    const { simulated } = await stage({}, async () => {
      reached();
      await block;
      return 200;
    });
    const id = await conversationIn(await dial(simulated));
    const read = async (): Promise<Readonly<Record<string, unknown>>> =>
      (await (await fetch(`${simulated.url}/v1/convai/conversations/${id}`, { headers: { 'xi-api-key': API_KEY } })).json()) as Readonly<Record<string, unknown>>;
    await inProgress;
    expect(await read()).toMatchObject({ status: 'in-progress', transcript: [], analysis: null, has_audio: false });
    blocked();
    await simulated.idle();
    expect(await read()).toMatchObject({ status: 'done', has_audio: true, analysis: { call_successful: expect.any(String) as string } });
  });

  test('an inbound call comes in that nobody announced', async () => {
    const { simulated, receiver } = await stage();
    const answer = await control(simulated, 'POST', '/simulator/inbound', { agent_id: 'agent_7', from_number: '+15550100055' });
    expect(answer).toStrictEqual({ status: 201, json: { conversation_id: expect.stringMatching(/^conv_/) as string } });
    await simulated.idle();
    expect(dataOf(receiver.at(POST_CALL)[0]?.json)).toMatchObject({
      agent_id: 'agent_7',
      metadata: { phone_call: { direction: 'inbound', external_number: '+15550100055' } },
      conversation_initiation_client_data: { dynamic_variables: { system__caller_id: '+15550100055' } },
    });
  });

  test('the person can hang up: what was not said by then is neither in the transcript nor judged', async () => {
    const texts: unknown[] = [];
    let hangUp = async (): Promise<void> => undefined;
    const { simulated, receiver } = await stage({}, async (request) => {
      if (request.path === TURNS && request.json['state'] === 'final') {
        texts.push(request.json['text']);
        if (texts.length === 2) await hangUp();
      }
      return 200;
    });
    let ended: unknown = null;
    hangUp = async () => {
      ended = await control(simulated, 'POST', '/simulator/end', { conversation_id: simulated.calls()[0]?.conversation_id });
    };
    const id = await conversationIn(await dial(simulated));
    await simulated.idle();
    expect(ended).toStrictEqual({ status: 202, json: { ending: true } });
    const data = dataOf(receiver.at(POST_CALL)[0]?.json);
    expect((data['transcript'] as readonly Row[]).map((row) => row.message)).toStrictEqual(texts);
    expect(texts).toHaveLength(2);
    expect(data).toMatchObject({
      analysis: { call_successful: 'unknown', call_summary_title: 'Call ended early', evaluation_criteria_results: { violation_discussed: { result: 'unknown' } } },
      metadata: { termination_reason: 'Call ended by monitoring command' },
    });
    expect((data['analysis'] as { readonly data_collection_results: object }).data_collection_results).toStrictEqual({});
    expect(await control(simulated, 'POST', '/simulator/end', { conversation_id: id })).toMatchObject({ status: 409 });
  });

  test.each(SCRIPTS.map((script) => script.name))('Earshot takes every word of %s', async (script) => {
    const { simulated, receiver } = await stage();
    await dial(simulated, { simulate_script: script });
    await simulated.idle();
    for (const turn of receiver.at(TURNS)) expect(IngestTurn.safeParse(turn.json).error).toBeUndefined();
    for (const event of receiver.at(AGENT_EVENTS)) expect(IngestAgentEvent.safeParse(event.json).error).toBeUndefined();
    const [webhook] = receiver.at(POST_CALL);
    const header = parseSignatureHeader(String(webhook?.headers['elevenlabs-signature']));
    expect(header !== null && matches(header, [createHmac('sha256', WEBHOOK_SECRET).update(`${header.timestamp}.${String(webhook?.raw)}`).digest('hex')])).toBe(true);
    const outcome = outcomeOf(dataOf(webhook?.json), 'completed');
    expect(outcome).toMatchObject({ status: 'completed', direction: 'outbound', cost: expect.any(Number) as number, cost_credits: expect.any(Number) as number });
    const rows = dataOf(webhook?.json)['transcript'] as readonly Row[];
    expect(outcome.transcript?.map((turn) => turn.text)).toStrictEqual(rows.flatMap((row) => row.message ?? []));
    expect(JSON.stringify(outcome)).not.toContain('simulated-tool-credential');
  });

  test('the nth call of a seed follows the same script, whatever was dialled', async () => {
    const scripts = async (seed: number): Promise<readonly string[]> => {
      const { simulated } = await stage({ seed, ingestKey: null });
      for (let call = 0; call < 8; call++) await dial(simulated, { violation_types: '' });
      await simulated.idle();
      return simulated.calls().map((record) => record.script);
    };
    const first = await scripts(7);
    expect(await scripts(7)).toStrictEqual(first);
    expect(await scripts(8)).not.toStrictEqual(first);
    expect(new Set(first).size).toBeGreaterThan(1);
  });
});

describe('the API around it', () => {
  test.each([
    ['no key', {}, 401],
    ['another key', { 'xi-api-key': 'other' }, 401],
  ])('with %s nothing is answered and nothing dialled', async (_, headers, status) => {
    const { simulated } = await stage();
    for (const [method, path] of [['POST', '/v1/convai/twilio/outbound-call'], ['GET', '/v1/convai/conversations']] as const) {
      expect((await fetch(simulated.url + path, { method, headers })).status).toBe(status);
    }
    expect(simulated.calls()).toStrictEqual([]);
  });

  test.each([
    ['no fields', {}, 422],
    ['a number that is none', { agent_id: 'a', agent_phone_number_id: 'p', to_number: '555' }, 400],
    ['a broken body', '{"agent', 422],
    ['a huge body', 'x'.repeat(300_000), 413],
  ])('a dial with %s is refused with a detail', async (_, body, status) => {
    const { simulated } = await stage();
    const answer = await fetch(`${simulated.url}/v1/convai/sip-trunk/outbound-call`, {
      method: 'POST', headers: { 'xi-api-key': API_KEY }, body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toHaveProperty('detail');
    expect(simulated.calls()).toStrictEqual([]);
  });

  test('no more calls at once than the concurrency: the next is refused, and taken once a line is free', async () => {
    const { simulated } = await stage({ concurrency: 1 });
    const id = await conversationIn(await dial(simulated, { simulate: 'hang', simulate_script: 'speeding_admitted' }));
    const refused = await dial(simulated);
    expect([refused.status, await refused.json()]).toMatchObject([429, { detail: { code: 'concurrent_limit_exceeded' } }]);
    await expect.poll(async () => (await control(simulated, 'POST', '/simulator/end', { conversation_id: id })).status).toBe(202);
    await simulated.idle();
    expect((await dial(simulated)).status).toBe(200);
    expect(simulated.calls()).toHaveLength(2);
  });

  test('lists its misbehaviours, takes orders, refuses those it does not know and those from a page in a browser', async () => {
    const { simulated } = await stage();
    expect(await control(simulated, 'POST', '/simulator/misbehave', { kind: 'duplicate_webhook', value: 3, calls: 'all' })).toStrictEqual({
      status: 200, json: { rules: [{ kind: 'duplicate_webhook', value: 3, calls: null }] },
    });
    expect(await control(simulated, 'POST', '/simulator/misbehave', { kind: 'nonsense' })).toMatchObject({ status: 422 });
    expect(await control(simulated, 'POST', '/simulator/misbehave', { kind: 'hang', value: 3 })).toMatchObject({ status: 422 });
    expect((await fetch(`${simulated.url}/simulator/misbehave`, { method: 'POST', body: '{"kind":"hang"}' })).status).toBe(415);
    expect(await control(simulated, 'GET', '/simulator')).toMatchObject({
      status: 200,
      json: { rules: [{ kind: 'duplicate_webhook' }], misbehaviours: { duplicate_webhook: { value: { standard: 2 } } }, settings: { pace: 0 } },
    });
    expect(await control(simulated, 'DELETE', '/simulator/misbehave')).toStrictEqual({ status: 200, json: { rules: [] } });
    expect(await control(simulated, 'POST', '/simulator/settings', { unruly: 2 })).toMatchObject({ status: 422 });
    expect(await control(simulated, 'POST', '/simulator/settings', { retries: true })).toMatchObject({ status: 200, json: { settings: { retries: true, pace: 0 } } });
  });
});

describe('webhooks that are not taken', () => {
  const answering = (...statuses: readonly number[]) => {
    const left = [...statuses];
    return (request: { readonly path: string }) => (request.path === POST_CALL ? left.shift() ?? 200 : 200);
  };

  test.each([
    ['503 with retries on', true, {}, [503, 500, 200], [503, 500, 200]],
    ['five failures with retries on', true, {}, [503, 429, 408, 500, 502, 200], [503, 429, 408, 500, 502]],
    ['404 with retries on', true, {}, [404, 200], [404]],
    ['201 with retries on', true, {}, [201, 200], [201]],
    ['503 with retries off', false, {}, [503, 200], [503]],
    ['503 to a failure webhook', true, { simulate: 'initiation_failure' }, [503, 200], [503]],
  ])('%s: attempts are made by the schedule and end there', async (_, retries, variables, statuses, attempts) => {
    const { simulated, receiver } = await stage({ retries, ingestKey: null }, answering(...statuses));
    await dial(simulated, variables);
    await simulated.idle();
    expect(simulated.webhookAttempts().map(({ attempt, status }) => [attempt, status])).toStrictEqual(attempts.map((status, index) => [index + 1, status]));
    expect(new Set(receiver.at(POST_CALL).map((request) => request.raw)).size).toBe(1);
  });
});

describe('restarts', () => {
  const inDirectory = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'simulated-elevenlabs-'));
    closeAfterTest(() => rm(directory, { recursive: true }));
    return directory;
  };
  const options = { apiKey: API_KEY, webhookSecret: WEBHOOK_SECRET, ingestKey: 'ingest-key', pace: 0 };

  test('a call under way goes on where it stood, each turn posted at least once, and its webhook is sent', async () => {
    const dataDir = await inDirectory();
    let stuck = (): void => undefined;
    const reached = new Promise<void>((resolve) => (stuck = resolve));
    const first = await startReceiver(async (request) => {
      if (request.json['turn_id'] !== 'turn_4' || request.json['state'] !== 'final') return 200;
      stuck();
      return await new Promise<number>(() => undefined);
    });
    const before = await startSimulatedElevenLabs({ ...options, dataDir, webhookBaseUrl: first.url });
    const id = await conversationIn(await dial(before, { simulate_script: 'speeding_admitted' }));
    await reached;
    await before.close();
    await first.close();

    const second = await startReceiver();
    closeAfterTest(() => second.close());
    const after = await startSimulatedElevenLabs({ ...options, dataDir });
    closeAfterTest(() => after.close());
    expect(after.calls()).toMatchObject([{ conversation_id: id, status: 'in-progress' }]);
    after.setWebhookBaseUrl(`${second.url}/`);
    await after.idle();
    const finals = second.at(TURNS).filter((request) => request.json['state'] === 'final').map((request) => request.json['turn_id']);
    expect(finals).toStrictEqual(['turn_4', 'turn_5', 'turn_6', 'turn_7', 'turn_8']);
    expect(second.at(POST_CALL).map((request) => dataOf(request.json)['conversation_id'])).toStrictEqual([id]);
    expect(after.calls()).toMatchObject([{ status: 'done' }]);
  });

  test('a webhook that was not yet taken is sent after the restart, once, byte for byte the same', async () => {
    const dataDir = await inDirectory();
    let sent = (): void => undefined;
    const reached = new Promise<void>((resolve) => (sent = resolve));
    const first = await startReceiver((request) => {
      if (request.path !== POST_CALL) return 200;
      sent();
      return new Promise<number>(() => undefined);
    });
    const before = await startSimulatedElevenLabs({ ...options, dataDir, webhookBaseUrl: first.url });
    await dial(before);
    await reached;
    await before.close();
    await first.close();

    const second = await startReceiver();
    closeAfterTest(() => second.close());
    const after = await startSimulatedElevenLabs({ ...options, dataDir, webhookBaseUrl: second.url });
    closeAfterTest(() => after.close());
    await after.idle();
    expect(second.received.map((request) => request.raw)).toStrictEqual(first.at(POST_CALL).map((request) => request.raw));
  });

  test('orders to misbehave and the count of calls outlive a restart', async () => {
    const dataDir = await inDirectory();
    const before = await startSimulatedElevenLabs({ ...options, dataDir });
    before.misbehave('dial_500', null, 2);
    expect((await dial(before)).status).toBe(500);
    await before.close();
    const after = await startSimulatedElevenLabs({ ...options, dataDir });
    closeAfterTest(() => after.close());
    expect((await dial(after)).status).toBe(500);
    await dial(after);
    expect(after.calls()).toMatchObject([{ number: 3 }]);
  });
});
