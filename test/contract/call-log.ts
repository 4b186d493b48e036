/** What every way of the call log promises. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import type { EventFrame } from '../../core/protocol/frames.ts';
import { COMMIT_MAX_BYTES } from '../../core/protocol/limits.ts';
import type { CallLog, CreateResult } from '../../ports/call-log.ts';
import { agentEvent, entry, finalTurn, finished, newCall, sha256, turn } from '../fixtures/facts.ts';

type Created = Extract<CreateResult, { result: 'created' }>;

const parsed = (events: readonly { text: string }[]): EventFrame[] => events.map((event) => JSON.parse(event.text) as EventFrame);
const types = (events: readonly { text: string }[]): string[] => parsed(events).map((event) => event.type);

/**
 * @param open a fresh, empty log for each test; closed by the suite
 * @param largestBytes what is taken in one commit, where an emulator takes less than the store that it stands for
 */
export const callLogContract = (name: string, open: () => Promise<CallLog>, largestBytes = COMMIT_MAX_BYTES - 64 * 1024): void => {
  describe(`the call log on ${name}`, () => {
    let log: CallLog;
    beforeEach(async () => {
      log = await open();
    });
    afterEach(async () => {
      await log.close();
    });

    const create = async (more: Parameters<typeof newCall>[0] = {}): Promise<string> => ((await log.create([newCall(more)], null)) as Created).calls[0]?.call_sid ?? '';
    const events = async (callSid: string): Promise<readonly { seq: number; text: string }[]> => (await log.read(callSid, 0, 1000))?.events ?? [];

    it('starts a call with one requested event that can be read at once', async () => {
      const callSid = await create();
      expect(parsed(await events(callSid))).toEqual([
        expect.objectContaining({ type: 'call_status', call_sid: callSid, conversation_id: null, seq: 1, status: 'requested', previous: null }),
      ]);
    });

    it('moves a call_sid that is taken on by a millisecond', async () => {
      expect([await create(), await create(), await create()]).toEqual([
        'EL_driver1_2026-01-01T00:00:00.000Z',
        'EL_driver1_2026-01-01T00:00:00.001Z',
        'EL_driver1_2026-01-01T00:00:00.002Z',
      ]);
    });

    it('answers the same calls to the same idempotency key, for ever, and refuses another request under it', async () => {
      const key = { key: 'k', request_hash: 'h' };
      const first = (await log.create([newCall()], key)) as Created;
      expect(await log.repeated(key)).toMatchObject({ result: 'repeated' });
      const second = await log.create([newCall()], key);
      expect(second).toMatchObject({ result: 'repeated', calls: [{ call_sid: first.calls[0]?.call_sid }] });
      expect(await log.create([newCall()], { key: 'k', request_hash: 'other' })).toEqual({ result: 'key_reused' });
      expect((await log.list({ tenant: 't1', limit: 10 })).calls).toHaveLength(1);
    });

    it('creates once when the same key comes many times at once', async () => {
      const key = { key: 'k', request_hash: 'h' };
      const results = await Promise.all(Array.from({ length: 20 }, () => log.create([newCall()], key)));
      expect(results.filter((result) => result.result === 'created')).toHaveLength(1);
      expect((await log.list({ tenant: 't1', limit: 50 })).calls).toHaveLength(1);
    });

    it('gives dense seqs and texts that are a fixed point of parse and stringify, whoever appends at once', async () => {
      const callSid = await create();
      await Promise.all(Array.from({ length: 40 }, (_, i) => log.append(callSid, [entry(turn('driver', `line ${i} \ud800 "q" \u2028`), 'conv1')])));
      const all = await events(callSid);
      expect(all.map((event) => event.seq)).toEqual(all.map((_, i) => i + 1));
      for (const { text, seq } of all) {
        expect(JSON.stringify(JSON.parse(text))).toBe(text);
        expect((JSON.parse(text) as { seq: number }).seq).toBe(seq);
      }
      expect(types(all).filter((type) => type === 'transcription')).toHaveLength(40);
    });

    it('lets one fact take effect once, however often it comes at once', async () => {
      const callSid = await create();
      const results = await Promise.all(Array.from({ length: 50 }, () => log.append(callSid, [entry(turn('driver', 'hello', { turn_id: 'x', rev: 1 }), 'conv1')])));
      const words = results.map((result) => result?.results[0]?.result);
      expect(words.filter((word) => word === 'appended')).toHaveLength(1);
      expect(words.filter((word) => word === 'duplicate')).toHaveLength(49);
      expect(types(await events(callSid)).filter((type) => type === 'transcription')).toHaveLength(1);
    });

    it('answers null for a call that does not exist', async () => {
      expect(await log.append('EL_none', [entry({ kind: 'announced' })])).toBeNull();
      expect(await log.find('EL_none')).toBeNull();
      expect(await log.read('EL_none', 0, 10)).toBeNull();
    });

    it('finds a call by either id once it is bound, and says so in an event', async () => {
      const callSid = await create();
      await log.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
      const bound = await log.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'conv1', { provider_call_id: 'CA1' })]);
      expect(parsed(bound?.events ?? [])).toEqual([expect.objectContaining({ type: 'call_status', status: 'dialing', previous: 'dialing', conversation_id: 'conv1' })]);
      expect(await log.find('conv1')).toMatchObject({ call_sid: callSid });
      expect(await log.findByProviderCall('w1', 'CA1')).toMatchObject({ call_sid: callSid });
      expect(await log.findByProviderCall('w2', 'CA1')).toBeNull();
      expect(await log.findMany(['conv1', 'nothing', callSid])).toMatchObject([{ call_sid: callSid }, null, { call_sid: callSid }]);
    });

    it('lists a dial as unbound until it has a conversation', async () => {
      const callSid = await create();
      expect(await log.unboundDials('w1', 'agent1', 0)).toEqual([]);
      await log.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
      expect(await log.unboundDials('w1', 'agent1', 0)).toMatchObject([{ call_sid: callSid }]);
      expect(await log.unboundDials('w1', null, 0)).toMatchObject([{ call_sid: callSid }]);
      expect(await log.unboundDials('w1', 'agent2', 0)).toEqual([]);
      expect(await log.unboundDials('w2', 'agent1', 0)).toEqual([]);
      expect(await log.unboundDials('w1', 'agent1', Number.MAX_SAFE_INTEGER)).toEqual([]);
      await log.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'conv1')]);
      expect(await log.unboundDials('w1', 'agent1', 0)).toEqual([]);
    });

    it('adopts a conversation once, also when it is told of many times at once', async () => {
      const adoption = newCall({ call_sid: 'EL_conv9', driver: null, requested_by: null, direction: null });
      const results = await Promise.all(Array.from({ length: 20 }, (_, i) => log.adopt('conv9', adoption, [entry(turn('driver', `t${i}`), 'conv9')])));
      expect(new Set(results.map((result) => result.call.call_sid))).toEqual(new Set(['EL_conv9']));
      expect(types(await events('EL_conv9')).filter((type) => type === 'transcription')).toHaveLength(20);
      expect(parsed(await events('EL_conv9'))[0]).toMatchObject({ type: 'call_status', status: 'in_progress', previous: null, conversation_id: 'conv9' });
    });

    it('adopts nothing for another tenant than the owner of the conversation', async () => {
      await log.adopt('conv9', newCall({ call_sid: 'EL_conv9' }), [entry(turn('driver', 'mine'), 'conv9')]);
      const before = await events('EL_conv9');
      const foreign = await log.adopt('conv9', newCall({ call_sid: 'EL_conv9', tenant: 't2' }), [entry(turn('driver', 'theirs'), 'conv9')]);
      expect(foreign).toMatchObject({ call: { tenant: 't1' }, results: [{ result: 'ignored', why: 'foreign' }], events: [] });
      expect(await events('EL_conv9')).toEqual(before);
    });

    it('merges a dialled call whose late answer names an adopted conversation, and both ids find the owner', async () => {
      const callSid = await create();
      await log.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
      await log.adopt('conv1', newCall({ call_sid: 'EL_conv1' }), [entry(turn('driver', 'hi'), 'conv1')]);
      const merged = await log.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'conv1')]);
      expect(merged?.results).toEqual([{ result: 'elsewhere', call_sid: 'EL_conv1' }]);
      expect(parsed(merged?.events ?? [])).toMatchObject([{ type: 'call_status', status: 'failed', merged_into: 'EL_conv1', reason: 'merged' }, { type: 'call_completed' }, { type: 'call_sealed' }]);
      expect(await log.find(callSid)).toMatchObject({ call_sid: 'EL_conv1' });
      expect(await log.find('conv1')).toMatchObject({ call_sid: 'EL_conv1' });
      expect(await log.get(callSid)).toMatchObject({ call_sid: callSid, merged_into: 'EL_conv1' });
    });

    it('ends a call with status, completion and seal, whose digest is the chain over all texts before it', async () => {
      const callSid = await create();
      await log.append(callSid, [entry(turn('agent', 'Hello'), 'conv1'), entry(turn('driver', 'Yes'), 'conv1')]);
      const done = await log.append(callSid, [entry(finished({ transcript: [finalTurn('agent', 'Hello'), finalTurn('driver', 'Yes!')] }), 'conv1')]);
      expect(types(done?.events ?? [])).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
      const all = await events(callSid);
      const before = all.slice(0, -1).reduce((digest, event) => chainNext(digest, event.text, sha256), chainStart(done?.call.epoch ?? '', sha256));
      expect(parsed(all).at(-1)).toMatchObject({ type: 'call_sealed', revision: 1, last_seq: all.length, turns: 2, digest: before });
      expect(done?.call).toMatchObject({ status: 'completed', transcript_summary: 'They talked.', turn_count: 2, call_end_time: 17_000 });
      expect(await log.details(callSid)).toEqual({ analysis_data: '{"a":1}', metadata_json: '{"b":2}' });
    });

    it('appends nothing for the same outcome again, and one sealed batch for a different one', async () => {
      const callSid = await create();
      await log.append(callSid, [entry(finished({ cost: null }), 'conv1')]);
      const again = await log.append(callSid, [entry(finished({ cost: null }, 99_000), 'conv1', { source: 'reconciler' })]);
      expect(again).toMatchObject({ results: [{ result: 'duplicate' }], events: [] });
      const more = await log.append(callSid, [entry(finished({ cost: 0.07, transcript_summary: null }, 99_000), 'conv1', { source: 'reconciler' })]);
      expect(parsed(more?.events ?? [])).toMatchObject([
        { type: 'call_amended', changed: { cost: { from: null, to: 0.07 } }, source: 'reconciler' },
        { type: 'call_sealed', revision: 2 },
      ]);
      expect(more?.call).toMatchObject({ cost: 0.07, transcript_summary: 'They talked.', status: 'completed' });
    });

    it('refuses what is more than one commit holds, appends nothing of it, and takes what fits', async () => {
      const callSid = await create();
      const before = await events(callSid);
      const details = (bytes: number): string => JSON.stringify('x'.repeat(bytes - 2));
      const [huge, small] = await Promise.allSettled([
        log.append(callSid, [entry(finished({ metadata_json: details(COMMIT_MAX_BYTES + 1) }), 'conv1')]),
        log.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]),
      ]);
      expect(huge).toMatchObject({ status: 'rejected', reason: { code: 'payload_too_large' } });
      expect(small).toMatchObject({ status: 'fulfilled', value: { results: [{ result: 'appended' }] } });
      await expect(log.adopt('conv9', newCall({ call_sid: 'EL_conv9' }), [entry(finished({ analysis_data: details(COMMIT_MAX_BYTES + 1) }), 'conv9')])).rejects.toMatchObject({ code: 'payload_too_large' });
      expect([(await events(callSid)).length, await log.find('conv1'), await log.find('conv9'), await log.details(callSid)]).toEqual([before.length + 1, null, null, { analysis_data: null, metadata_json: null }]);
      const largest = details(largestBytes);
      expect((await log.append(callSid, [entry(finished({ metadata_json: largest }), 'conv1')]))?.results).toMatchObject([{ result: 'appended' }]);
      expect((await log.details(callSid))?.metadata_json === largest).toBe(true);
      // What is stored already counts no more.
      expect((await log.append(callSid, [entry(finished({ metadata_json: largest, cost: 9 }, 20_000), 'conv1')]))?.results).toMatchObject([{ result: 'appended' }]);
    });

    it('takes text with half a surrogate pair in it, which no store can hold as it is', async () => {
      const half = 'a\ud800b';
      const callSid = await create({ driver: { driverId: half, driverName: half, phoneNumber: '+15550001111' } });
      await log.append(callSid, [entry(turn('driver', half, { turn_id: 'x' }), 'conv1'), entry(agentEvent('tool_executing', { tool_call_id: 'c1', detail: half }))]);
      const done = await log.append(callSid, [entry(finished({ transcript_summary: half, outcome: half, metadata_json: JSON.stringify(half) }), 'conv1')]);
      expect(done?.results).toMatchObject([{ result: 'appended' }]);
      expect(await log.get(callSid)).toMatchObject({ transcript_summary: half, outcome: half, driver: { driverName: half } });
      expect(await log.details(callSid)).toEqual({ analysis_data: '{"a":1}', metadata_json: '"a\\ud800b"' });
      expect(parsed(await events(callSid))).toContainEqual(expect.objectContaining({ type: 'transcription', text: half }));
      expect((await log.list({ tenant: 't1', limit: 5, q: callSid })).calls).toMatchObject([{ call_sid: callSid }]);
    });

    it('keeps the whole text of a turn that a frame cannot hold', async () => {
      const callSid = await create();
      const text = '🙂'.repeat(10_000);
      const added = await log.append(callSid, [entry(turn('driver', text), 'conv1')]);
      const event = parsed(added?.events ?? []).find((candidate) => candidate.type === 'transcription');
      expect(event).toMatchObject({ truncated: true, href: `/calls/${encodeURIComponent(callSid)}/events/${event?.seq ?? 0}/text` });
      expect(Buffer.byteLength(event?.type === 'transcription' ? event.text : '')).toBeLessThanOrEqual(16 * 1024);
      expect(await log.wholeText(callSid, event?.seq ?? 0)).toBe(text);
      expect(await log.wholeText(callSid, 9999)).toBeNull();
    });

    it('knows which turns have a logged revision', async () => {
      const callSid = await create();
      await log.append(callSid, [entry(turn('driver', 'hello', { turn_id: 'x', rev: 3 }), 'conv1')]);
      expect([await log.knowsTurn(callSid, 'x'), await log.knowsTurn(callSid, 'y'), await log.knowsTurn('EL_none', 'x')]).toEqual([true, false, false]);
    });

    it('reads pages after a position, dense and in order', async () => {
      const callSid = await create();
      await log.append(callSid, Array.from({ length: 10 }, (_, i) => entry(agentEvent('tool_executing', { tool_call_id: `c${i}` }), 'conv1')));
      const { last_seq } = (await log.get(callSid)) ?? { last_seq: 0 };
      expect((await log.read(callSid, 3, 4))?.events.map((event) => event.seq)).toEqual([4, 5, 6, 7]);
      expect((await log.read(callSid, last_seq, 4))?.events).toEqual([]);
      expect((await log.read(callSid, last_seq - 1, 4))?.events.map((event) => event.seq)).toEqual([last_seq]);
    });

    it('lists newest first in pages that neither repeat nor skip, by every filter', async () => {
      for (let i = 0; i < 7; i++) await create({ call_sid: `EL_d_2026-01-01T00:00:0${i}.000Z`, created_at: 1000 + (i % 3), agent_id: i % 2 === 0 ? 'even' : 'odd' });
      await create({ tenant: 't2', call_sid: 'EL_other' });
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await log.list({ tenant: 't1', limit: 2, cursor });
        seen.push(...page.calls.map((call) => call.call_sid));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toHaveLength(7);
      expect(new Set(seen).size).toBe(7);
      expect((await log.list({ tenant: 't1', limit: 50, agent_id: 'odd' })).calls).toHaveLength(3);
      expect((await log.list({ tenant: 't1', limit: 50, status: 'completed' })).calls).toHaveLength(0);
      expect((await log.list({ tenant: 't1', limit: 50, q: 'DANA' })).calls).toHaveLength(7);
      expect((await log.list({ tenant: 't1', limit: 50, q: '%' })).calls).toHaveLength(0);
      expect((await log.list({ tenant: 't1', limit: 50, driver_id: 'driver1' })).calls).toHaveLength(7);
      expect((await log.list({ tenant: 't1', limit: 50, since: 1002 })).calls).toHaveLength(2);
      await expect(log.list({ tenant: 't1', limit: 1, cursor: "'; drop" })).rejects.toMatchObject({ code: 'invalid_cursor' });
    });

    it('finds and lists ids of every spelling', async () => {
      const ids = ['a"b', "a'b", 'line\nbreak', 'nul\u0000', '__proto__', '\u202eRTL', '100%', 'a.2', 'é'.repeat(256)];
      for (const id of ids) await log.adopt(id, newCall({ call_sid: `EL_${id}`, driver: null }), [entry(turn('driver', `said in ${id}`, { turn_id: id }), id)]);
      for (const id of ids) {
        expect(await log.find(id)).toMatchObject({ call_sid: `EL_${id}`, conversation_id: id });
        expect(await log.find(`EL_${id}`)).toMatchObject({ conversation_id: id });
        expect(await log.knowsTurn(`EL_${id}`, id)).toBe(true);
        expect(parsed(await events(`EL_${id}`)).filter((event) => event.type === 'transcription')).toMatchObject([{ turn_id: id, conversation_id: id }]);
      }
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await log.list({ tenant: 't1', limit: 1, cursor });
        seen.push(...page.calls.map((call) => call.conversation_id ?? ''));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(new Set(seen)).toEqual(new Set(ids));
      expect(seen).toHaveLength(ids.length);
    });

    it('tells what changed since a mark, of the tenants asked for, and again only after the next change', async () => {
      const { mark: start } = await log.changes(null, null);
      const callSid = await create();
      await create({ tenant: 't2', call_sid: 'EL_other' });
      const first = await log.changes(['t1'], start);
      expect(first.calls.map((call) => [call.call_sid, call.last_seq])).toEqual([[callSid, 1]]);
      expect((await log.changes(null, start)).calls).toHaveLength(2);
      expect((await log.changes(['t1'], first.mark)).calls).toEqual([]);
      await log.append(callSid, [entry(turn('driver', 'x'), 'conv1')]);
      expect((await log.changes(['t1'], first.mark)).calls.map((call) => call.call_sid)).toEqual([callSid]);
    });

    it('counts calls and knows which are active', async () => {
      const callSid = await create();
      await create();
      await log.append(callSid, [entry(finished(), 'conv1')]);
      expect(await log.counts('t1', 0)).toEqual({ by_status: { completed: 1, requested: 1 }, completed: 1, completed_with_summary: 1 });
      expect(await log.counts('t2', 0)).toEqual({ by_status: {}, completed: 0, completed_with_summary: 0 });
      expect(await log.active('t1', Number.MAX_SAFE_INTEGER)).toMatchObject([{ status: 'requested' }]);
      expect(await log.active('t1', 0)).toHaveLength(2);
      expect(await log.active('t2', 0)).toEqual([]);
      expect(await log.createdBefore(Number.MAX_SAFE_INTEGER, 1)).toHaveLength(1);
    });

    it('erases a call whole, and nothing brings it back', async () => {
      const key = { key: 'k', request_hash: 'h' };
      const callSid = ((await log.create([newCall()], key)) as Created).calls[0]?.call_sid ?? '';
      await log.append(callSid, [entry(finished(), 'conv1', { provider_call_id: 'CA1' })]);
      const { mark } = await log.changes(null, null);
      expect(await log.erase(callSid)).toBe(true);
      expect(await log.erase(callSid)).toBe(false);
      const told = await log.changes(['t1'], mark);
      expect(told).toMatchObject({ calls: [], erased: [{ tenant: 't1', call_sid: callSid }] });
      expect((await log.changes(['t2'], mark)).erased).toEqual([]);
      expect((await log.changes(null, told.mark)).erased).toEqual([]);
      expect(await log.find(callSid)).toBe('erased');
      expect(await log.find('conv1')).toBe('erased');
      expect(await log.read(callSid, 0, 10)).toBeNull();
      expect(await log.details(callSid)).toBeNull();
      expect(await log.findByProviderCall('w1', 'CA1')).toBeNull();
      expect(await log.create([newCall()], key)).toEqual({ result: 'erased' });
      await expect(log.append(callSid, [entry({ kind: 'announced' })])).rejects.toMatchObject({ code: 'call_erased' });
      await expect(log.adopt('conv1', newCall({ call_sid: 'EL_conv1' }), [])).rejects.toMatchObject({ code: 'call_erased' });
      const other = await create();
      expect(other).not.toBe(callSid);
      await expect(log.append(other, [entry(turn('driver', 'x'), 'conv1')])).rejects.toMatchObject({ code: 'call_erased' });
    });

    it('stops the conversation of a dial whose answer comes after its call was erased, and no conversation that somebody else names', async () => {
      const callSid = await create();
      await log.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
      await log.adopt('owned', newCall({ call_sid: 'EL_owned' }), [entry(turn('driver', 'hi'), 'owned')]);
      await log.erase(callSid);
      for (const [fact, conversation] of [[{ kind: 'dial_accepted', attempt: 1 }, 'conv1'], [{ kind: 'dial_accepted', attempt: 1 }, 'owned'], [turn('driver', 'x'), 'conv2']] as const) {
        await expect(log.append(callSid, [entry(fact, conversation)])).rejects.toMatchObject({ code: 'call_erased' });
      }
      expect(await log.findMany(['conv1', 'owned', 'conv2'])).toMatchObject(['erased', { call_sid: 'EL_owned' }, null]);
      await expect(log.adopt('conv1', newCall({ call_sid: 'EL_conv1' }), [])).rejects.toMatchObject({ code: 'call_erased' });
    });

    it('tells which calls were merged into one, also once that one was erased', async () => {
      const callSid = await create();
      await log.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
      await log.adopt('conv1', newCall({ call_sid: 'EL_conv1' }), [entry(turn('driver', 'hi'), 'conv1')]);
      expect(await log.mergedInto('EL_conv1')).toEqual([]);
      await log.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'conv1')]);
      expect((await log.mergedInto('EL_conv1')).map((call) => call.call_sid)).toEqual([callSid]);
      expect(await log.mergedInto(callSid)).toEqual([]);
      await log.erase('EL_conv1');
      expect((await log.mergedInto('EL_conv1')).map((call) => call.call_sid)).toEqual([callSid]);
    });

    it('throws store_unavailable for whatever is asked after it was closed', async () => {
      const callSid = await create();
      await log.close();
      await expect(log.append(callSid, [entry({ kind: 'announced' })])).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(log.check()).rejects.toMatchObject({ code: 'store_unavailable' });
    });
  });
};
