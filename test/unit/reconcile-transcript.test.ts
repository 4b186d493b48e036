import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reconcileTranscript } from '../../core/domain/call/reconcile-transcript.ts';
import type { StandingTurn } from '../../core/domain/call/turns.ts';
import { finalTurn } from '../fixtures/facts.ts';

const live = (speaker: 'agent' | 'driver', text: string, index: number, more: Partial<StandingTurn> = {}): StandingTurn => ({
  turn_id: `live${index}`,
  rev: 1,
  index,
  speaker,
  text,
  time_in_call_secs: null,
  source_event_id: null,
  ...more,
});

describe('reconciling live turns with the final transcript', () => {
  it('changes nothing where both say the same', () => {
    expect(reconcileTranscript([live('agent', 'Hi', 0), live('driver', 'Yes', 1)], [finalTurn('agent', 'Hi'), finalTurn('driver', 'Yes')])).toEqual([]);
  });

  it('joins by event id and speaker, whatever the texts are, and keeps speakers that share ids apart', () => {
    const turns = [live('agent', 'one', 0, { source_event_id: '5' }), live('driver', 'two', 1, { source_event_id: '5' })];
    const final = [finalTurn('driver', 'completely other', { source_event_id: '5' }), finalTurn('agent', 'one', { source_event_id: '5' })];
    expect(reconcileTranscript(turns, final)).toEqual([
      { change: 'corrected', turn: turns[1], index: 0, final: final[0] },
      { change: 'corrected', turn: turns[0], index: 1, final: final[1] },
    ]);
  });

  it('corrects a misheard turn, adds what was not heard, takes back what was not said', () => {
    const turns = [live('agent', 'Hey John, this is dispatch calling', 0), live('driver', 'I was add the terminal in Reno', 1), live('driver', 'brrr', 2)];
    const final = [finalTurn('agent', 'Hey John, this is dispatch calling'), finalTurn('driver', 'I was at the terminal in Reno'), finalTurn('agent', 'Understood.')];
    expect(reconcileTranscript(turns, final)).toEqual([
      { change: 'retracted', turn: turns[2] },
      { change: 'corrected', turn: turns[1], index: 1, final: final[1] },
      { change: 'added', index: 2, final: final[2] },
    ]);
  });

  it('takes an interrupted answer for a start of what the agent meant to say', () => {
    const turn = live('agent', 'You were going eighty in a sixty-five zone on Tuesday, and I need to know why that happened', 0);
    expect(reconcileTranscript([turn], [finalTurn('agent', 'You were going...')])).toMatchObject([{ change: 'corrected', turn }]);
  });

  it('lets time decide between equal texts', () => {
    const turns = [live('driver', 'Yes', 0, { time_in_call_secs: 30 })];
    const final = [finalTurn('driver', 'Yes', { time_in_call_secs: 2 }), finalTurn('driver', 'Yes', { time_in_call_secs: 30 }), finalTurn('driver', 'No', { time_in_call_secs: 40 })];
    expect(reconcileTranscript([...turns, live('driver', 'No', 1, { time_in_call_secs: 40 })], final)).toMatchObject([
      { change: 'added', index: 0 },
      { change: 'corrected', turn: { turn_id: 'live0' }, index: 1 },
      { change: 'corrected', turn: { turn_id: 'live1' }, index: 2 },
    ]);
  });

  it('handles three thousand turns that all differ a little', () => {
    const turns = Array.from({ length: 3000 }, (_, i) => live(i % 2 === 0 ? 'agent' : 'driver', `this is utterance number ${i} heard wrongly`, i));
    const final = turns.map((turn, i) => finalTurn(turn.speaker, `this is utterance number ${i} heard rightly`));
    const changes = reconcileTranscript(turns, final);
    expect(changes).toHaveLength(3000);
    expect(changes.every((change, i) => change.change === 'corrected' && change.index === i && change.turn === turns[i])).toBe(true);
  });

  it('makes the standing turns equal the final transcript, joining each turn at most once', () => {
    const row = fc.record({ speaker: fc.constantFrom('agent' as const, 'driver' as const), text: fc.oneof(fc.constantFrom('Yes', 'No', 'I am on my way', 'I am on my way now'), fc.string()), time: fc.option(fc.integer({ min: 0, max: 60 })), id: fc.option(fc.constantFrom('1', '2', '3')) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), fc.array(row, { maxLength: 12 }), (heard, said) => {
        const turns = heard.map((turn, i) => live(turn.speaker, turn.text, i, { time_in_call_secs: turn.time, source_event_id: turn.id }));
        const final = said.map((turn) => finalTurn(turn.speaker, turn.text, { time_in_call_secs: turn.time, source_event_id: turn.id }));
        const standing = new Map(turns.map((turn) => [turn.turn_id, { index: turn.index, speaker: turn.speaker, text: turn.text }]));
        const touched = new Set<string>();
        for (const change of reconcileTranscript(turns, final)) {
          const id = change.change === 'added' ? `added${change.index}` : change.turn.turn_id;
          expect(touched.has(id)).toBe(false);
          touched.add(id);
          if (change.change === 'retracted') standing.delete(id);
          else {
            if (change.change === 'corrected') expect(change.turn.speaker).toBe(change.final.speaker);
            standing.set(id, { index: change.index, speaker: change.final.speaker, text: change.final.text });
          }
        }
        const after = [...standing.values()].sort((a, b) => a.index - b.index);
        expect(after).toEqual(final.map((turn, index) => ({ index, speaker: turn.speaker, text: turn.text })));
      }),
      { numRuns: 500 },
    );
  });
});
