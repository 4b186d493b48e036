import { ElevenLabsClient } from '@elevenlabs/elevenlabs-js';
import { expect, test } from 'vitest';
import { API_KEY, dial, POST_CALL, stage, WEBHOOK_SECRET } from '../fixtures/simulated-call.ts';

test("ElevenLabs' own SDK dials, reads and lists, and takes the webhooks for its own", async () => {
  const { simulated, receiver } = await stage();
  const client = new ElevenLabsClient({ apiKey: API_KEY, baseUrl: simulated.url, maxRetries: 0 });
  const dialled = await client.conversationalAi.twilio.outboundCall({
    agentId: 'agent_1',
    agentPhoneNumberId: 'phnum_1',
    toNumber: '+15550100002',
    conversationInitiationClientData: { dynamicVariables: { driver_name: 'John', simulate: 'audio_webhook' } },
  });
  expect(dialled).toMatchObject({ success: true, conversationId: expect.stringMatching(/^conv_/) as string, callSid: expect.stringMatching(/^CA/) as string });
  const id = String(dialled.conversationId);
  await simulated.idle();

  const conversation = await client.conversationalAi.conversations.get(id);
  expect(conversation).toMatchObject({ conversationId: id, status: 'done', hasAudio: true, metadata: { costFiat: expect.any(Number) as number } });
  expect(conversation.transcript.length).toBeGreaterThan(4);
  expect(conversation.transcript.some((row) => (row.toolCalls ?? []).length > 0)).toBe(true);

  const page = await client.conversationalAi.conversations.list({ dynamicVariableParams: ['driver_name:eq:John'], excludeStatuses: ['failed', 'initiated'], pageSize: 10 });
  expect(page).toMatchObject({ hasMore: false, conversations: [{ conversationId: id, callDurationSecs: conversation.metadata.callDurationSecs }] });
  const none = await client.conversationalAi.conversations.list({ dynamicVariableParams: ['driver_name:eq:Jane'] });
  expect(none.conversations).toStrictEqual([]);

  const audio = await new Response(await client.conversationalAi.conversations.audio.get(id)).arrayBuffer();
  expect(audio.byteLength).toBeGreaterThan(1_000);

  const webhooks = receiver.at(POST_CALL);
  expect(webhooks.map((webhook) => webhook.json['type']).sort()).toStrictEqual(['post_call_audio', 'post_call_transcription']);
  for (const webhook of webhooks) {
    expect(await client.webhooks.constructEvent(webhook.raw, String(webhook.headers['elevenlabs-signature']), WEBHOOK_SECRET)).toStrictEqual(webhook.json);
  }
});

test("ElevenLabs' own SDK dials over SIP", async () => {
  const { simulated } = await stage();
  const client = new ElevenLabsClient({ apiKey: API_KEY, baseUrl: simulated.url, maxRetries: 0 });
  const dialled = await client.conversationalAi.sipTrunk.outboundCall({ agentId: 'agent_1', agentPhoneNumberId: 'phnum_1', toNumber: '+15550100002' });
  expect(dialled).toMatchObject({ success: true, sipCallId: expect.stringMatching(/^SCL_/) as string });
});

test("ElevenLabs' own SDK refuses a webhook that was signed wrongly", async () => {
  const { simulated, receiver } = await stage();
  const client = new ElevenLabsClient({ apiKey: API_KEY, baseUrl: simulated.url });
  await dial(simulated, { simulate: 'sign_wrongly' });
  await simulated.idle();
  const [webhook] = receiver.at(POST_CALL);
  await expect(client.webhooks.constructEvent(String(webhook?.raw), String(webhook?.headers['elevenlabs-signature']), WEBHOOK_SECRET)).rejects.toThrow('Signature hash does not match');
});
