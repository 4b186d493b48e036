import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runJobs } from '../../functions/jobs.ts';
import { redriveWaiting } from '../../functions/calls/redrive.ts';
import type { EventFrame } from '../../core/protocol/frames.ts';
import { entry, newCall } from '../fixtures/facts.ts';
import { functionsUnderTest } from '../fixtures/functions-under-test.ts';

type Step = 'begin' | 'answer' | 'turn' | 'other turn' | 'webhook' | 'named webhook' | 'two minutes' | 'jobs';
const STEPS: readonly Step[] = ['begin', 'answer', 'turn', 'other turn', 'webhook', 'named webhook', 'two minutes', 'jobs'];

it('one conversation is one call, and every delivery of it is there once, whatever comes first', async () => {
  const earshot = await functionsUnderTest();
  const { callLog } = earshot.parts;
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 3, maxLength: 10 }), async (steps) => {
      round += 1;
      const conversation = `conv-${round}`;
      const created = await callLog.create([newCall({ call_sid: `EL_r${round}`, driver: null })], null);
      const dialled = created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
      const transcript = [{ role: 'agent', message: 'turn', time_in_call_secs: 0 }];
      const done = (named: boolean): unknown => ({
        type: 'post_call_transcription',
        event_timestamp: 1_760_000_000,
        data: { conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript, metadata: {}, analysis: {}, ...(named ? { conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: dialled } } } : {}) },
      });
      const turn = (text: string): unknown => ({ conversation_id: conversation, agent_id: 'agent1', speaker: 'agent', text, turn_id: text });
      // As in the product: only where `dialing` was committed is there a POST, and so an answer.
      const dial = { begun: false, answered: false };
      const begin = async (): Promise<void> => {
        const { results } = (await callLog.append(dialled, [entry({ kind: 'dialing', attempt: 1 })])) ?? { results: [] };
        dial.begun ||= results[0]?.result === 'appended';
      };
      const act: Record<Step, () => Promise<unknown>> = {
        begin,
        answer: async () => {
          await begin();
          if (!dial.begun) return;
          dial.answered = true;
          await callLog.append(dialled, [entry({ kind: 'dial_accepted', attempt: 1 }, conversation)]);
          await redriveWaiting(earshot.parts, conversation);
        },
        turn: () => earshot.ingest('transcription', turn('turn')),
        'other turn': () => earshot.ingest('transcription', turn('other')),
        webhook: () => earshot.webhook(done(false)),
        'named webhook': () => earshot.webhook(done(true)),
        'two minutes': async () => earshot.move(2 * 60_000 + 1),
        jobs: () => runJobs(earshot.parts),
      };
      for (const step of steps) await act[step]();
      // Time heals: whatever waits is used in the end.
      earshot.move(2 * 60_000 + 1);
      await runJobs(earshot.parts);
      expect(await earshot.parts.rawStore.pending('waiting', conversation, 10)).toEqual([]);
      const owner = await callLog.find(conversation);
      const told = dial.answered || steps.some((step) => step === 'turn' || step === 'other turn' || step === 'webhook' || step === 'named webhook');
      if (!told) {
        expect(owner).toBeNull();
        return;
      }
      if (owner === null || owner === 'erased') throw new Error('the conversation has no call');
      const { calls } = await callLog.list({ tenant: 't1', q: conversation, limit: 10 });
      expect(calls.filter((call) => call.conversation_id === conversation).map((call) => call.call_sid)).toEqual([owner.call_sid]);
      if (dial.answered) expect(await callLog.find(dialled)).toMatchObject({ call_sid: owner.call_sid });
      const frames = ((await callLog.read(owner.call_sid, 0, 1000))?.events ?? []).map((event) => JSON.parse(event.text) as EventFrame);
      expect(frames.map((frame) => frame.seq)).toEqual(frames.map((_, index) => index + 1));
      expect(frames.filter((frame) => frame.type === 'call_completed')).toHaveLength(steps.includes('webhook') || steps.includes('named webhook') ? 1 : 0);
      const said = frames.filter((frame) => frame.type === 'transcription' && frame.state === 'final').map((frame) => (frame.type === 'transcription' ? frame.text : ''));
      expect(new Set(said).size).toBe(said.length);
      if (steps.includes('turn')) expect(said).toContain('turn');
      if (steps.includes('other turn')) expect(said).toContain('other');
    }),
    { numRuns: 150 },
  );
});
