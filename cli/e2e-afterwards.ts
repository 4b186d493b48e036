/** What has to hold when a call was watched to its end. Every promise is checked; none is passed over. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { chainNext, chainStart } from '../core/domain/digest.ts';
import { CLOSE_CODES } from '../core/protocol/codes.ts';
import { CallDriversAnswer, CallList, CallView } from '../core/protocol/rest.ts';
import { Failed, type Checks } from './checks.ts';
import type { Journey } from './e2e.ts';
import { allEvents } from './events.ts';
import { callPath } from './session.ts';
import { openSocket, protocolsFor, type Frame } from './socket.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const SIX_FIELDS = ['transcript_summary', 'call_duration_seconds', 'cost', 'call_successful', 'analysis_data', 'metadata_json'] as const;

const must = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Failed(otherwise);
};
const typeOf = (frame: Frame | undefined): unknown => frame?.body['type'];
const textsOf = (frames: readonly Frame[]): string => frames.map((frame) => frame.text).join('\n');

export const checkAfterwards = async (journey: Journey, checks: Checks): Promise<void> => {
  await checkEvents(journey, checks);
  await checkRest(journey, checks);
  await checkOtherWays(journey, checks);
  await checkRefusals(journey, checks);
};

const checkEvents = async ({ events, confirmed, call }: Journey, checks: Checks): Promise<void> => {
  await checks.run('a first live turn came before the end', () => {
    const turn = events.findIndex(({ body }) => body['type'] === 'transcription' && body['late'] !== true);
    must(turn >= 0 && turn < events.findIndex((frame) => typeOf(frame) === 'call_completed'), 'no turn came while the call was going on');
    return undefined;
  });
  await checks.run('seqs are dense from 1, once each', () => {
    must(events.every(({ body }, index) => body['seq'] === index + 1), `they are ${events.map(({ body }) => String(body['seq'])).join(' ')}`);
    return `1 to ${events.length}`;
  });
  await checks.run('call_status before call_completed before call_sealed', () => {
    must(events.slice(-3).map(typeOf).join() === 'call_status,call_completed,call_sealed', `the last are ${events.slice(-3).map(typeOf).join(', ')}`);
    return undefined;
  });
  await checks.run('the digest proves that nothing is missing', () => {
    const before = events.slice(0, -1).reduce((chain, { text }) => chainNext(chain, text, sha256), chainStart(String(confirmed.body['epoch']), sha256));
    must(events.at(-1)?.body['digest'] === before, 'it is not the digest of these events');
    return undefined;
  });
  await checks.run('the conversation is named', () => {
    const named = events.at(-1)?.body['conversation_id'];
    must(typeof named === 'string' && (call.conversation_id ?? named) === named, 'the events name none, or another');
    return String(named);
  });
};

const checkRest = async ({ api, call, events, idempotencyKey, dialBody }: Journey, checks: Checks): Promise<void> => {
  const completed = events.find((frame) => typeOf(frame) === 'call_completed')?.body['data'] as Readonly<Record<string, unknown>> | undefined;
  await checks.run('GET /calls/{id} shows the six fields as call_completed told them', async () => {
    const view = await api.json(CallView, 'GET', callPath(call.call_sid));
    const other = SIX_FIELDS.filter((field) => view[field] !== completed?.[field]);
    must(other.length === 0, `${other.join(', ')} differ`);
    must(view.sealed && view.last_seq === events.length, 'it is not sealed with the last event');
    return undefined;
  });
  await checks.run('conversation_id finds the same call', async () => {
    const view = await api.json(CallView, 'GET', callPath(String(events.at(-1)?.body['conversation_id'])));
    must(view.call_sid === call.call_sid, 'it finds another');
    return undefined;
  });
  await checks.run('GET /calls lists the call', async () => {
    const list = await api.json(CallList, 'GET', `/calls?limit=20&q=${encodeURIComponent(call.call_sid)}`);
    must(list.calls.some((row) => row.call_sid === call.call_sid), 'it is not there');
    return undefined;
  });
  await checks.run('events by REST equal those by socket', async () => {
    const read = await allEvents(api, call.call_sid);
    must(read.events.map((event) => JSON.stringify(event)).join('\n') === textsOf(events), 'they differ');
    return undefined;
  });
  await checks.run('the same Idempotency-Key is the same call', async () => {
    const again = await api.json(CallDriversAnswer, 'POST', '/driver_data/call-elevenlabs', { body: dialBody, headers: { 'idempotency-key': idempotencyKey } });
    must(again.call_sid === call.call_sid, 'it began another');
    return undefined;
  });
};

const PollAnswer = z.object({ frames: z.array(z.record(z.string(), z.unknown())) });

const checkOtherWays = async ({ api, url, call, events, confirmed, waitMs, socket }: Journey, checks: Checks): Promise<void> => {
  await checks.run('a poll brings the same frames', async () => {
    const poll = new URL('/poll', url.replace(/^ws/, 'http')).href;
    const polled: string[] = [];
    let seq = 0;
    while (seq < events.length) {
      const position = seq === 0 ? {} : { epoch: confirmed.body['epoch'], seq };
      const response = await fetch(poll, {
        method: 'POST',
        headers: { authorization: `Bearer ${await api.token()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ calls: [{ id: call.call_sid, ...position }], wait: 1 }),
        signal: AbortSignal.timeout(waitMs),
      });
      const { frames } = PollAnswer.parse(await response.json());
      const fresh = frames.filter((frame) => typeof frame['seq'] === 'number');
      must(response.ok && fresh.length > 0, `HTTP ${response.status}, ${polled.length} of ${events.length} events`);
      polled.push(...fresh.map((frame) => JSON.stringify(frame)));
      seq = Number(fresh.at(-1)?.['seq']);
    }
    must(polled.join('\n') === textsOf(events), 'they differ');
    return undefined;
  });
  await checks.run('a second socket resumes from a position', async () => {
    const half = Math.floor(events.length / 2);
    const second = await openSocket(url, protocolsFor(await api.token()), waitMs);
    try {
      second.send({ subscribe: call.call_sid, since: { epoch: confirmed.body['epoch'], seq: half } });
      const answer = await second.next('the confirmation', (body) => body['type'] === 'subscription_confirmed', waitMs);
      must(answer.body['recovered'] === true, 'the position was not taken');
      const rest: Frame[] = [];
      while (rest.length < events.length - half) rest.push(await second.next('the rest', (body) => typeof body['seq'] === 'number', waitMs));
      must(textsOf(rest) === textsOf(events.slice(half)), 'the rest is not what followed');
    } finally {
      second.close();
    }
    return undefined;
  });
  await checks.run('unsubscribe is confirmed', async () => {
    socket.send({ unsubscribe: call.call_sid });
    const answer = await socket.next('the confirmation', (body) => body['type'] === 'unsubscribe_confirmed' || body['type'] === 'error', waitMs);
    must(answer.body['call_sid'] === call.call_sid, `it was answered with ${String(answer.body['code'])}`);
    return undefined;
  });
};

const checkRefusals = async ({ api, url, waitMs, socket }: Journey, checks: Checks): Promise<void> => {
  await checks.run('an unknown call is answered with error call_not_found', async () => {
    const unknown = 'EL_no_such_call_2000-01-01T00:00:00.000Z';
    socket.send({ subscribe: unknown });
    const { body } = await socket.next('the error', (frame) => frame['type'] === 'error' || frame['type'] === 'subscription_confirmed', waitMs);
    must(body['type'] === 'error' && body['code'] === 'call_not_found' && body['ref'] === unknown, `it was answered with ${String(body['code'] ?? body['type'])}`);
    return undefined;
  });
  await checks.run('an unknown call is 404 by REST', async () => {
    const response = await api.send('GET', callPath('EL_no_such_call_2000-01-01T00:00:00.000Z'));
    await response.body?.cancel();
    must(response.status === 404, `HTTP ${response.status}`);
    return undefined;
  });
  await checks.run(`a bad token is refused with error token_invalid and close code ${CLOSE_CODES.token_invalid.code}`, async () => {
    const refused = await openSocket(url, protocolsFor('bad.token.here'), waitMs);
    try {
      const { body } = await refused.next('the error', () => true, waitMs);
      const code = await refused.closed(waitMs);
      must(body['type'] === 'error' && body['code'] === 'token_invalid' && refused.frames.length === 1, `the first frame was ${String(body['code'] ?? body['type'])}`);
      must(code === CLOSE_CODES.token_invalid.code, `the close code was ${code}`);
    } finally {
      refused.close();
    }
    return undefined;
  });
  await checks.run('REST refuses a bad token with 401', async () => {
    const response = await fetch(`${api.url}/calls`, { headers: { authorization: 'Bearer bad.token.here' }, signal: AbortSignal.timeout(waitMs) });
    await response.body?.cancel();
    must(response.status === 401, `HTTP ${response.status}`);
    return undefined;
  });
};
