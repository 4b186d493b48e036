// A function as it is written first: the stock clients, the request checked with zod, one transaction, one publication. Plain JavaScript,
// as it would be after compiling: a stripper of types would have to be loaded as well.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Firestore } from '@google-cloud/firestore';
import { http } from '@google-cloud/functions-framework';
import { PubSub } from '@google-cloud/pubsub';
import { z } from 'zod';

const db = new Firestore({ projectId: process.env.GOOGLE_CLOUD_PROJECT, databaseId: 'stock', ...(process.env.FIRESTORE_EMULATOR_HOST ? { host: process.env.FIRESTORE_EMULATOR_HOST, ssl: false } : {}) });
const topic = new PubSub({ projectId: process.env.GOOGLE_CLOUD_PROJECT }).topic(process.env.EVENTS_TOPIC, { batching: { maxMessages: 1 } });
const Turn = z.object({ conversation_id: z.string(), agent_id: z.string(), speaker: z.enum(['agent', 'driver']), text: z.string(), turn_id: z.string() });

const isSigned = (request) => {
  const expected = createHmac('sha256', process.env.STOCK_SECRET).update(request.rawBody).digest();
  const given = Buffer.from(request.headers['x-signature'] ?? '', 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
};

http('webhooks', async (request, response) => {
  if (!isSigned(request)) return response.sendStatus(401);
  const turn = Turn.parse(request.body);
  const call = db.doc(`calls/${turn.conversation_id}`);
  const key = call.collection('keys').doc(turn.turn_id);
  const seq = await db.runTransaction(async (transaction) => {
    const [known, seen] = await transaction.getAll(call, key);
    if (seen.exists) return seen.get('seq');
    const next = (known.get('last_seq') ?? 0) + 1;
    transaction.set(call, { last_seq: next, last_line: turn.text });
    transaction.create(call.collection('events').doc(String(next)), { ...turn, seq: next });
    transaction.create(key, { seq: next });
    return next;
  });
  await topic.publishMessage({ data: Buffer.from(JSON.stringify({ ...turn, seq })) });
  return response.json({ seq });
});
