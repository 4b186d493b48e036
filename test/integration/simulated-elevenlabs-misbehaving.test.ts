import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { MISBEHAVIOURS } from '../../local/simulated-elevenlabs/misbehaviour.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { AGENT_EVENTS, API_KEY, control, conversationIn, dial, POST_CALL, stage, TURNS, WEBHOOK_SECRET } from '../fixtures/simulated-call.ts';
import type { Stage } from '../fixtures/simulated-call.ts';

const SCRIPT = { simulate_script: 'hours_of_service_short' };
const FINALS = ['turn_1', 'turn_2', 'turn_3', 'turn_4', 'turn_5'];

const finals = ({ receiver }: Stage): readonly unknown[] =>
  receiver.at(TURNS).filter((request) => request.json['state'] === 'final').map((request) => request.json['turn_id']);
const paths = ({ receiver }: Stage): readonly string[] => receiver.received.map((request) => request.path);
const types = ({ receiver }: Stage): readonly unknown[] => receiver.at(POST_CALL).map((request) => request.json['type']);

/** How a monitoring WebSocket is refused; null: it is not. */
const upgradeStatus = ({ simulated }: Stage, id: string, key: string): Promise<number | null> =>
  new Promise((resolve) => {
    const socket = new WebSocket(`${simulated.url.replace('http', 'ws')}/v1/convai/conversations/${id}/monitor`, { headers: { 'xi-api-key': key } });
    socket.on('open', () => {
      socket.terminate();
      resolve(null);
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on('error', () => undefined);
  });

/** The real runtime, but timers of a second and more run only when they are fired. */
const longTimersByHand = (): { readonly runtime: Runtime; waiting(): readonly number[]; fire(): void } => {
  const system = systemRuntime();
  const held: { readonly ms: number; readonly run: () => void }[] = [];
  return {
    runtime: {
      ...system,
      after: (ms, run) => {
        if (ms < 1_000) return system.after(ms, run);
        held.push({ ms: Math.round(ms / 100) * 100, run });
        return { cancel: () => undefined };
      },
    },
    waiting: () => held.map((timer) => timer.ms),
    fire: () => {
      for (const timer of held.splice(0)) timer.run();
    },
  };
};

/** Each misbehaviour, asked for by the dial's dynamic variable, and what it does. */
const deeds: Readonly<Record<keyof typeof MISBEHAVIOURS, (simulate: string) => Promise<void>>> = {
  answer_late: async (simulate) => {
    const timers = longTimersByHand();
    const on = await stage({ runtime: timers.runtime });
    let answered = false;
    const answer = dial(on.simulated, { simulate: `${simulate}:5000`, ...SCRIPT }).finally(() => (answered = true));
    await expect.poll(() => types(on)).toStrictEqual(['post_call_transcription']);
    expect([answered, timers.waiting()]).toStrictEqual([false, [5_000]]);
    timers.fire();
    expect((await answer).status).toBe(200);
  },
  never_answer: async (simulate) => {
    const on = await stage();
    const giveUp = new AbortController();
    const answer = dial(on.simulated, { simulate, ...SCRIPT }, giveUp.signal);
    await expect.poll(() => on.simulated.calls().length).toBe(1);
    await on.simulated.idle();
    expect(types(on)).toStrictEqual(['post_call_transcription']);
    giveUp.abort();
    await expect(answer).rejects.toThrow();
  },
  webhook_before_answer: async (simulate) => {
    const on = await stage();
    const id = await conversationIn(await dial(on.simulated, { simulate, ...SCRIPT }));
    expect(on.receiver.at(POST_CALL).map((request) => (request.json['data'] as { readonly conversation_id: string }).conversation_id)).toStrictEqual([id]);
  },
  no_conversation_id: async (simulate) => {
    const on = await stage();
    expect(await (await dial(on.simulated, { simulate, ...SCRIPT })).json()).toStrictEqual({
      success: true, message: 'Success', conversation_id: null, callSid: expect.stringMatching(/^CA/) as string,
    });
    await on.simulated.idle();
    expect(types(on)).toStrictEqual(['post_call_transcription']);
  },
  dial_429: async (simulate) => {
    const on = await stage();
    const answer = await dial(on.simulated, { simulate });
    expect([answer.status, await answer.json()]).toMatchObject([429, { detail: { code: 'concurrent_limit_exceeded' } }]);
    expect(on.simulated.calls()).toStrictEqual([]);
  },
  dial_500: async (simulate) => {
    const on = await stage();
    const answer = await dial(on.simulated, { simulate });
    expect([answer.status, await answer.json()]).toMatchObject([500, { detail: { status: 'internal_error' } }]);
    expect(on.simulated.calls()).toStrictEqual([]);
  },
  dial_html: async (simulate) => {
    const on = await stage();
    const answer = await dial(on.simulated, { simulate });
    expect([answer.status, answer.headers.get('content-type')]).toStrictEqual([502, 'text/html']);
    expect(on.simulated.calls()).toStrictEqual([]);
  },
  dial_success_false: async (simulate) => {
    const on = await stage();
    const answer = await dial(on.simulated, { simulate });
    expect([answer.status, await answer.json()]).toMatchObject([200, { success: false }]);
    expect(on.simulated.calls()).toStrictEqual([]);
  },
  voicemail: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate });
    await on.simulated.idle();
    expect(on.receiver.at(POST_CALL)[0]?.json).toMatchObject({
      data: { metadata: { phone_call: { call_result: 'voicemail' }, termination_reason: 'Voicemail detected' }, analysis: { call_successful: 'unknown' } },
    });
  },
  initiation_failure: async (simulate) => {
    const on = await stage();
    for (const reason of ['', ':busy', ':no-answer', ':unknown']) await dial(on.simulated, { simulate: simulate + reason });
    await on.simulated.idle();
    expect(new Set(paths(on))).toStrictEqual(new Set([POST_CALL]));
    expect(new Set(types(on))).toStrictEqual(new Set(['call_initiation_failure']));
    const failures = on.receiver.at(POST_CALL).map((request) => request.json['data'] as { readonly failure_reason: string; readonly metadata: { readonly type: string; readonly body: unknown } });
    expect(failures.map((failure) => failure.failure_reason).sort()).toStrictEqual(['busy', 'busy', 'no-answer', 'unknown']);
    expect(failures[0]).toMatchObject({ metadata: { type: 'twilio', body: { To: '+15550100002', CallStatus: expect.any(String) as string } } });
    expect(failures[0]).not.toHaveProperty('conversation_initiation_client_data');
    expect(on.simulated.calls().map((record) => record.status)).toStrictEqual(['failed', 'failed', 'failed', 'failed']);
  },
  hang: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await expect.poll(() => finals(on)).toStrictEqual(FINALS);
    expect(on.simulated.calls()).toMatchObject([{ status: 'in-progress' }]);
    expect(on.receiver.at(POST_CALL)).toStrictEqual([]);
  },
  no_live_turns: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await on.simulated.idle();
    expect(paths(on)).toStrictEqual([POST_CALL]);
  },
  shuffle_turns: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await on.simulated.idle();
    expect(finals(on)).toStrictEqual(['turn_2', 'turn_1', 'turn_4', 'turn_3', 'turn_5']);
    expect(paths(on).at(-1)).toBe(POST_CALL);
  },
  no_monitoring: async (simulate) => {
    const on = await stage();
    const id = await conversationIn(await dial(on.simulated, { simulate: `hang,${simulate}`, ...SCRIPT }));
    await expect.poll(() => on.simulated.calls()[0]?.status).toBe('in-progress');
    expect(await upgradeStatus(on, id, API_KEY)).toBe(403);
    expect(await upgradeStatus(on, id, 'another key')).toBe(401);
    expect(await upgradeStatus(on, 'conv_none', API_KEY)).toBe(404);
  },
  duplicate_webhook: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate: `${simulate}:3`, ...SCRIPT });
    await on.simulated.idle();
    expect(on.receiver.at(POST_CALL)).toHaveLength(3);
    expect(new Set(on.receiver.at(POST_CALL).map((request) => request.raw)).size).toBe(1);
  },
  delay_webhook: async (simulate) => {
    const timers = longTimersByHand();
    const on = await stage({ runtime: timers.runtime });
    await dial(on.simulated, { simulate: `${simulate}:60000`, ...SCRIPT });
    await expect.poll(() => timers.waiting().length).toBe(1);
    expect(on.simulated.calls()).toMatchObject([{ status: 'done' }]);
    expect(on.receiver.at(POST_CALL)).toStrictEqual([]);
    timers.fire();
    await on.simulated.idle();
    expect(types(on)).toStrictEqual(['post_call_transcription']);
  },
  webhook_before_turns: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await on.simulated.idle();
    expect(paths(on)).toStrictEqual([POST_CALL, ...FINALS.map(() => TURNS)]);
    expect(finals(on)).toStrictEqual(FINALS);
  },
  lose_webhook: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await on.simulated.idle();
    expect(finals(on)).toStrictEqual(FINALS);
    expect(on.receiver.at(POST_CALL)).toStrictEqual([]);
    expect(on.simulated.calls()).toMatchObject([{ status: 'done' }]);
  },
  sign_wrongly: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await on.simulated.idle();
    const [webhook] = on.receiver.at(POST_CALL);
    const [, seconds, signature] = /^t=(\d+),v0=([0-9a-f]{64})$/.exec(String(webhook?.headers['elevenlabs-signature'])) ?? [];
    expect(signature).toBeDefined();
    expect(signature).not.toBe(createHmac('sha256', WEBHOOK_SECRET).update(`${String(seconds)}.${String(webhook?.raw)}`).digest('hex'));
  },
  otel_webhook: async (simulate) => {
    const on = await stage();
    const id = await conversationIn(await dial(on.simulated, { simulate, ...SCRIPT }));
    await on.simulated.idle();
    expect(on.receiver.at(POST_CALL).map((request) => request.json)).toMatchObject([
      { type: 'post_call_transcription_otel', data: { conversation_id: id, agent_id: 'agent_1', otlp_traces: { resourceSpans: [] } } },
    ]);
  },
  audio_webhook: async (simulate) => {
    const on = await stage();
    await dial(on.simulated, { simulate, ...SCRIPT });
    await on.simulated.idle();
    expect(new Set(types(on))).toStrictEqual(new Set(['post_call_transcription', 'post_call_audio']));
    const audio = on.receiver.at(POST_CALL).find((request) => request.json['type'] === 'post_call_audio');
    expect(Buffer.from((audio?.json['data'] as { readonly full_audio: string }).full_audio, 'base64').subarray(0, 2)).toStrictEqual(Buffer.from([0xff, 0xf3]));
  },
};

describe('misbehaving in one call, as its dynamic variable asks', () => {
  test.each(Object.entries(deeds))('%s', async (kind, deed) => {
    await deed(kind);
  });
});

describe('who else may ask for misbehaviour', () => {
  test('an order over HTTP strikes the next calls only', async () => {
    const on = await stage();
    await control(on.simulated, 'POST', '/simulator/misbehave', { kind: 'dial_html', calls: 2 });
    const statuses = [];
    for (let call = 0; call < 3; call++) statuses.push((await dial(on.simulated, SCRIPT)).status);
    expect(statuses).toStrictEqual([502, 502, 200]);
  });

  test('an order to misbehave in all calls holds until it is taken back', async () => {
    const on = await stage();
    on.simulated.misbehave('lose_webhook', null, null);
    await dial(on.simulated, SCRIPT);
    await dial(on.simulated, SCRIPT);
    await on.simulated.idle();
    expect(on.receiver.at(POST_CALL)).toStrictEqual([]);
    on.simulated.behave();
    await dial(on.simulated, SCRIPT);
    await on.simulated.idle();
    expect(on.receiver.at(POST_CALL)).toHaveLength(1);
  });

  test('an option makes every call misbehave', async () => {
    const on = await stage({ misbehave: [{ kind: 'no_live_turns', value: null }, { kind: 'duplicate_webhook', value: null }] });
    await dial(on.simulated, SCRIPT);
    await on.simulated.idle();
    expect(paths(on)).toStrictEqual([POST_CALL, POST_CALL]);
  });

  test('what a dial asks for and the simulator does not know changes nothing', async () => {
    const on = await stage();
    await dial(on.simulated, { simulate: 'constructor, hang:3, duplicate_webhook:many', ...SCRIPT });
    await on.simulated.idle();
    expect(on.simulated.calls()).toMatchObject([{ status: 'done', misbehaviours: [] }]);
    expect(on.receiver.at(AGENT_EVENTS)).toStrictEqual([]);
    expect(types(on)).toStrictEqual(['post_call_transcription']);
  });
});
