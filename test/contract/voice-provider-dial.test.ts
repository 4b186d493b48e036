import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { DialAnswer } from '../../ports/voice-provider.ts';
import { elevenLabsProvider } from '../../ports/voice-provider.elevenlabs.ts';
import { workspaceAt } from '../fixtures/workspaces.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A provider that answers as told, and counts what it was asked. */
const startProvider = async (listener: RequestListener) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
};

const answering = (status: number, body: string, contentType = 'application/json'): RequestListener => (request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(status, { 'content-type': contentType }).end(body));
};

const request = { agent_id: 'agent_1', to_number: '+15550100002', dynamic_variables: { earshot_call_sid: 'EL_1' } };
const FREE_TEXT = 'Call to +15550100002 is not allowed';

interface Case {
  readonly name: string;
  readonly listener: RequestListener;
  readonly expected: DialAnswer;
}

const refused = (reason: string, busy = false): DialAnswer => ({ result: 'refused', reason, busy });
const unknown = (reason: string): DialAnswer => ({ result: 'unknown', reason });
const accepted = (conversation_id: string | null, provider_call_id: string | null): DialAnswer => ({ result: 'accepted', conversation_id, provider_call_id });

const cases: readonly Case[] = [
  { name: 'success with both ids is accepted', listener: answering(200, '{"success":true,"message":"Success","conversation_id":"conv_1","callSid":"CA1"}'), expected: accepted('conv_1', 'CA1') },
  { name: 'a snake-case carrier id is read too', listener: answering(200, '{"success":true,"conversation_id":"conv_1","call_sid":"CA1"}'), expected: accepted('conv_1', 'CA1') },
  { name: 'a SIP call id is the carrier id', listener: answering(200, '{"success":true,"conversation_id":"conv_1","sip_call_id":"S1"}'), expected: accepted('conv_1', 'S1') },
  { name: 'no conversation id is accepted without one', listener: answering(200, '{"success":true,"conversation_id":null,"callSid":"CA1"}'), expected: accepted(null, 'CA1') },
  { name: 'neither id is accepted', listener: answering(200, '{"success":true,"message":"Success"}'), expected: accepted(null, null) },
  { name: 'what cannot be an id is none', listener: answering(200, `{"success":true,"conversation_id":"${'c'.repeat(257)}","callSid":12,"call_sid":"CA1"}`), expected: accepted(null, 'CA1') },
  { name: 'success: false with 200 is refused, its sentence unquoted', listener: answering(200, `{"success":false,"message":"${FREE_TEXT}"}`), expected: refused('not_successful') },
  { name: '400 with a detail object is refused by its word', listener: answering(400, `{"detail":{"status":"invalid_agent","message":"${FREE_TEXT}"}}`), expected: refused('invalid_agent') },
  { name: 'the more exact word of a detail object wins', listener: answering(403, '{"detail":{"type":"permission_error","code":"missing_permissions","status":"forbidden"}}'), expected: refused('missing_permissions') },
  { name: '422 with a detail list is refused', listener: answering(422, '{"detail":[{"loc":["body","to_number"],"msg":"Field required"}]}'), expected: refused('invalid_request') },
  { name: 'a detail text is not quoted', listener: answering(400, `{"detail":"${FREE_TEXT}"}`), expected: refused('http_400') },
  { name: 'a sentence where a word should be is not quoted', listener: answering(400, `{"detail":{"status":"${FREE_TEXT}"}}`), expected: refused('http_400') },
  { name: '404 with HTML is refused', listener: answering(404, '<html>', 'text/html'), expected: refused('http_404') },
  { name: '429 with a word is busy', listener: answering(429, '{"detail":{"code":"concurrent_limit_exceeded"}}'), expected: refused('concurrent_limit_exceeded', true) },
  { name: '429 without a body is busy', listener: answering(429, ''), expected: refused('rate_limited', true) },
  { name: '408 is unknown', listener: answering(408, ''), expected: unknown('http_408') },
  { name: '500 is unknown', listener: answering(500, '{"detail":{"status":"internal_error"}}'), expected: unknown('http_500') },
  { name: "a gateway's HTML page is unknown", listener: answering(502, '<html>', 'text/html'), expected: unknown('http_502') },
  { name: 'a redirect is not followed and is unknown', listener: (_, response) => response.writeHead(307, { location: '/elsewhere' }).end(), expected: unknown('http_307') },
  { name: '200 with HTML is unknown', listener: answering(200, '<html>', 'text/html'), expected: unknown('answer_not_understood') },
  { name: '200 with malformed JSON is unknown', listener: answering(200, '{"success":tr'), expected: unknown('answer_not_understood') },
  { name: '200 with a list is unknown', listener: answering(200, '[]'), expected: unknown('answer_not_understood') },
  { name: '200 with null is unknown', listener: answering(200, 'null'), expected: unknown('answer_not_understood') },
  { name: '200 without a word on success is unknown', listener: answering(200, '{"conversation_id":"conv_1"}'), expected: unknown('answer_not_understood') },
  { name: 'an answer that is far too long is unknown', listener: answering(200, `{"success":true,"message":"${'x'.repeat(200_000)}"}`), expected: unknown('answer_not_understood') },
  { name: 'a connection cut after sending is unknown', listener: (incoming) => incoming.socket.destroy(), expected: unknown('connection_lost') },
  { name: 'a body that is cut in the middle is unknown', listener: (_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"success":true', () => response.socket?.destroy());
  }, expected: unknown('connection_lost') },
  { name: 'no answer in time is unknown', listener: () => undefined, expected: unknown('no_answer_in_time') },
  { name: 'a head without a body in time is unknown', listener: (_, response) => response.writeHead(200).flushHeaders(), expected: unknown('no_answer_in_time') },
];

describe('dialling through ElevenLabs: one POST, and no word of theirs in the reason', () => {
  test.each(cases)('$name', async ({ listener, expected }) => {
    const { url, asked } = await startProvider(listener);
    const provider = elevenLabsProvider({ dialMaxMs: expected.result === 'unknown' && expected.reason === 'no_answer_in_time' ? 200 : 10_000 });
    expect(await provider.dial(workspaceAt(url), request)).toStrictEqual(expected);
    expect(asked).toStrictEqual(['POST /v1/convai/twilio/outbound-call']);
  });

  test('sends the number, the agent and the variables with the key, by the telephony of the workspace', async () => {
    const bodies: unknown[] = [];
    const keys: unknown[] = [];
    const { url, asked } = await startProvider((incoming, response) => {
      const chunks: Buffer[] = [];
      keys.push(incoming.headers['xi-api-key']);
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
        response.end('{"success":true}');
      });
    });
    // A base URL that ends in /v1 means the same.
    await elevenLabsProvider().dial(workspaceAt(`${url}/v1/`, { telephony: 'sip_trunk' }), request);
    expect(asked).toStrictEqual(['POST /v1/convai/sip-trunk/outbound-call']);
    expect(keys).toStrictEqual(['simulated-key']);
    expect(bodies).toStrictEqual([{
      agent_id: 'agent_1',
      agent_phone_number_id: 'phnum_1',
      to_number: '+15550100002',
      conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: 'EL_1' } },
    }]);
  });

  test('a provider that takes no connection certainly dialled nobody', async () => {
    const { url } = await startProvider(() => undefined);
    await closing.pop()?.();
    expect(await elevenLabsProvider().dial(workspaceAt(url), request)).toStrictEqual(refused('provider_unreachable'));
  });

  test.each([
    ['a name that does not resolve', { base_url: 'http://elevenlabs.invalid' }, 'provider_unreachable'],
    ['a base URL that is none', { base_url: 'not a url' }, 'workspace_misconfigured'],
    ['a key that no header can carry', { api_key: 'line\nbreak' }, 'workspace_misconfigured'],
    ['no key', { api_key: null }, 'no_api_key'],
    ['no number to call from', { phone_number_id: null }, 'no_phone_number_id'],
  ])('%s certainly dialled nobody', async (_, changes, reason) => {
    const { url, asked } = await startProvider(() => undefined);
    expect(await elevenLabsProvider().dial(workspaceAt(url, changes), request)).toStrictEqual(refused(reason));
    expect(asked).toStrictEqual([]);
  });
});
