import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reconcileTranscript } from '../../core/domain/call/reconcile-transcript.ts';
import { foldTurns, type HistoryEvent, type StandingTurn } from '../../core/domain/call/turns.ts';
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

describe('the turns that stand', () => {
  const said = (turn_id: string, rev: number, index: number, more: object = {}): HistoryEvent => ({
    event: { type: 'transcription', call_sid: 'EL_1', conversation_id: null, seq: 1, timestamp: '', turn_id, rev, index, state: 'final', speaker: 'driver', text: `${turn_id}${rev}`, time_in_call_secs: null, ...more },
    whole_text: null,
  });
  const stands = (history: HistoryEvent[]): string[] => foldTurns(history).standing.map(({ text }) => text);

  it('are the newest revision of each, in order of their places, whatever order their events come in', () => {
    const history = [said('b', 1, 1), said('a', 1, 0), said('b', 3, 0, { state: 'corrected' }), said('b', 2, 1), said('c', 1, 2), said('c', 2, 2, { state: 'retracted' })];
    expect([stands(history), stands(history.toReversed())]).toEqual([['a1', 'b3'], ['a1', 'b3']]);
    expect([...foldTurns(history).revisions].sort()).toEqual([['a', 1], ['b', 3], ['c', 2]]);
  });

  it('are shown with their whole text, and with the event that the monitor heard', () => {
    expect(foldTurns([{ ...said('monitor:driver:5', 1, 0), whole_text: 'whole' }]).standing).toEqual([
      { turn_id: 'monitor:driver:5', rev: 1, index: 0, speaker: 'driver', text: 'whole', time_in_call_secs: null, source_event_id: '5' },
    ]);
    expect(['monitor:agent:a:b', 'xmonitor:agent:5', 'monitor:other:5', 'monitor:agent:'].map((id) => foldTurns([said(id, 1, 0)]).standing[0]?.source_event_id)).toEqual(['a:b', null, null, null]);
  });
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

  it('joins by words where the event of a row was not heard live, or the live turn has none', () => {
    const turns = [live('agent', 'Hello there', 0, { source_event_id: '4' }), live('driver', 'Yes', 1)];
    expect(reconcileTranscript(turns, [finalTurn('agent', 'Hello there', { source_event_id: '5' }), finalTurn('driver', 'Yes', { source_event_id: '6' })])).toEqual([]);
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

  const joins = (heard: string, said: string, heardAt: number | null, saidAt: number | null): boolean =>
    reconcileTranscript([live('driver', heard, 0, { time_in_call_secs: heardAt })], [finalTurn('driver', said, { time_in_call_secs: saidAt })]).every(({ change }) => change === 'corrected');
  it.each<[string, string, string, number | null, number | null, boolean]>([
    ['half of the words', 'a b c d', 'c x d y', null, null, true],
    ['less than half of the words', 'a b c d', 'c x y z', null, null, false],
    ['half of the words, far apart', 'a b c d', 'c x d y', 0, 60, true],
    ['a quarter of the words at the same moment', 'a b c d', 'x d y z', 5, 5, true],
    ['a quarter of the words two seconds apart', 'a b c d', 'x d y z', 5, 7, true],
    ['a quarter of the words three seconds apart', 'a b c d', 'x d y z', 8, 5, false],
    ['less than a quarter of the words at the same moment', 'a b c d e', 'x d y z w', 5, 5, false],
    ['a quarter of the words where one time is not known', 'a b c d', 'x d y z', 5, null, false],
    ['its first two words of many', 'a b c d e f g h', 'a b', null, null, true],
    ['its first word of many', 'a b c d e f g h', 'a', null, null, false],
    ['two words of many from its middle', 'a b c d e f g h', 'b c', null, null, false],
    ['its first words and one that differs', 'a b c d e f g h', 'a b x', null, null, false],
    ['a word said twice where it was heard once', 'a b c', 'a a a a a', null, null, false],
    ['letters and no word', 'no one', 'noone', null, null, false],
    ['no words at all', '...', '!', null, null, true],
    ['equal words nine seconds apart', 'yes', 'Yes!', 1, 10, true],
    ['no words but those of silence', '', 'a', null, null, false],
  ])('two texts that share %s', (_what, heard, said, heardAt, saidAt, joined) => {
    expect(joins(heard, said, heardAt, saidAt)).toBe(joined);
  });

  it('takes equal words ten seconds apart for two utterances where another is nearer, and never crosses turns over', () => {
    const turns = [live('driver', 'Yes', 0, { time_in_call_secs: 10 }), live('driver', 'No', 1, { time_in_call_secs: 12 })];
    const final = [finalTurn('driver', 'Yes', { time_in_call_secs: 0 }), finalTurn('driver', 'No', { time_in_call_secs: 9 }), finalTurn('driver', 'Yes', { time_in_call_secs: 11 }), finalTurn('driver', 'No', { time_in_call_secs: 30 })];
    expect(reconcileTranscript(turns, final).map((change) => [change.change, 'index' in change ? change.index : null, 'turn' in change ? change.turn.turn_id : null])).toEqual([
      ['added', 0, null],
      ['added', 1, null],
      ['corrected', 2, 'live0'],
      ['corrected', 3, 'live1'],
    ]);
  });

  it('keeps the joined turns with the most likeness, of two ways that are alike that with the earlier final rows', () => {
    const pairs = (heard: readonly string[], said: readonly string[]): unknown[] =>
      reconcileTranscript(heard.map((text, index) => live('driver', text, index)), said.map((text) => finalTurn('driver', text))).flatMap((change) => (change.change === 'corrected' ? [[change.turn.index, change.index]] : []));
    expect(pairs(['one two x', 'one two three y'], ['q', 'one two three z'])).toEqual([[1, 1]]);
    expect(pairs(['a b c', 'p', 'a b c'], ['x', 'a b c', 'z'])).toEqual([[2, 1]]);
    expect(pairs(['r', 'a b c', 'p'], ['a b c', 'x', 'a b c'])).toEqual([[1, 0]]);
  });

  it('joins equal texts only, in order, where there are more turns than any call has', () => {
    const count = 4_100;
    const heard = Array.from({ length: count }, (_, i) => `heard ${i}`);
    const said = Array.from({ length: count }, (_, i) => `said ${i}`);
    for (const at of [5, 2_000]) heard[at] = said[at + 1] = said[at + 3] = 'Yes';
    heard[3_000] = said[2_990] = 'No';
    heard[3_001] = said[100] = 'Too early';
    const changes = reconcileTranscript(heard.map((text, index) => live('driver', text, index)), said.map((text) => finalTurn('driver', text)));
    expect(changes.flatMap((change) => (change.change === 'corrected' ? [[change.turn.index, change.index]] : []))).toEqual([[5, 6], [2_000, 8], [3_000, 2_990]]);
    expect([changes.filter(({ change }) => change === 'retracted').length, changes.filter(({ change }) => change === 'added').length]).toEqual([count - 3, count - 3]);
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
