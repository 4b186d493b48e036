/** A function whose code could not be read once, as where a process has no file descriptors left. */
import { expect, it, vi } from 'vitest';
import { functionsUnderTest } from '../fixtures/functions-under-test.ts';

const times = vi.hoisted(() => ({ failing: 0, asked: 0 }));
vi.mock('../../functions/webhooks/routes.ts', async (original) => {
  times.asked++;
  if (times.asked <= times.failing) throw new Error('EMFILE: too many open files');
  return original();
});

const finished = { type: 'post_call_transcription', event_timestamp: 1_760_000_000, data: { conversation_id: 'conv_1', agent_id: 'agent1', status: 'done', transcript: [], metadata: {}, analysis: {} } };

it('answers 503 while its code cannot be loaded, so that the delivery comes again, and 200 as soon as it can', async () => {
  times.failing = 2;
  const { webhook, parts, lines } = await functionsUnderTest();
  for (let time = 1; time <= 2; time++) expect(await webhook(finished)).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
  expect(await parts.callLog.find('conv_1')).toBeNull();
  expect(await Promise.all([webhook(finished), webhook(finished)])).toMatchObject([{ status: 200 }, { status: 200 }]);
  expect(await parts.callLog.find('conv_1')).toMatchObject({ conversation_id: 'conv_1' });
  expect(times.asked).toBe(3);
  expect(lines.filter((line) => line.includes('the code of a function could not be loaded'))).toHaveLength(2);
});
