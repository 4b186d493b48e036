/** What every way of the call log promises of a new generation: no position from before can be taken for one of now, and nothing else changes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generationOf } from '../../core/domain/call/epoch.ts';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import type { CallLog } from '../../ports/call-log.ts';
import { entry, finished, newCall, sha256, turn } from '../fixtures/facts.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';

/** @param open a fresh, empty log for each test; closed by the suite */
export const generationContract = (name: string, open: () => Promise<CallLog>): void => {
  describe(`a new generation of the call log on ${name}`, () => {
    let log: CallLog;
    beforeEach(async () => {
      log = await open();
    });
    afterEach(async () => {
      await log.close();
    });
    const create = async (callSid: string, ...words: string[]): Promise<void> => {
      await log.create([newCall({ call_sid: callSid })], null);
      for (const word of words) await log.append(callSid, [entry(turn('agent', word), `conv_${callSid}`)]);
    };
    const end = (callSid: string): Promise<unknown> => log.append(callSid, [entry(finished({ transcript: null }), `conv_${callSid}`)]);
    const epochOf = async (callSid: string): Promise<string> => (await log.get(callSid))?.epoch ?? '';
    /** The chain that a viewer has who has all events. */
    const chainOf = async (callSid: string): Promise<string> => {
      const { epoch, texts } = await wholeCall(log, callSid);
      return texts.reduce((chain, text) => chainNext(chain, text, sha256), chainStart(epoch, sha256));
    };

    it('gives every call that is not sealed another epoch, whose chain proves the events that it has; sealed calls stay as they are', async () => {
      await create('EL_open', 'one', 'two');
      await create('EL_begun');
      await create('EL_sealed', 'one');
      await end('EL_sealed');
      const before = { open: await log.get('EL_open'), sealed: await log.get('EL_sealed'), texts: (await wholeCall(log, 'EL_open')).texts };
      const { generation, calls } = await log.newGeneration();
      expect(calls).toBe(2);
      const after = await log.get('EL_open');
      expect(generation).not.toBe(generationOf(before.open?.epoch ?? ''));
      expect(generationOf(after?.epoch ?? '')).toBe(generation);
      expect(generationOf(await epochOf('EL_begun'))).toBe(generation);
      expect(after).toEqual({ ...before.open, epoch: after?.epoch, digest: await chainOf('EL_open') });
      expect((await wholeCall(log, 'EL_open')).texts).toEqual(before.texts);
      expect(await log.get('EL_sealed')).toEqual(before.sealed);
      // What comes later goes on with that chain, up to a seal that proves it.
      await log.append('EL_open', [entry(turn('driver', 'three'), 'conv_EL_open')]);
      await end('EL_open');
      const whole = await wholeCall(log, 'EL_open');
      expect([whole.epoch, whole.events.at(-1)?.type, faultsOf(whole)]).toEqual([after?.epoch, 'call_sealed', []]);
      expect(await log.details('EL_sealed')).toEqual({ analysis_data: '{"a":1}', metadata_json: '{"b":2}' });
    });

    it('is the generation of every call that is new from then on', async () => {
      const { generation, calls } = await log.newGeneration();
      expect(calls).toBe(0);
      await create('EL_1');
      expect(generationOf(await epochOf('EL_1'))).toBe(generation);
      await log.adopt('conv_2', newCall({ call_sid: 'EL_2' }), [entry(turn('agent', 'hi'), 'conv_2')]);
      expect(generationOf(await epochOf('EL_2'))).toBe(generation);
    });

    it('is told of to whoever asks what changed, for each call that has another epoch', async () => {
      await create('EL_open', 'one');
      await create('EL_sealed', 'one');
      await end('EL_sealed');
      const { mark } = await log.changes(null, null);
      // What is told may reach back a little.
      const { mark: later } = await log.changes(null, mark);
      await log.newGeneration();
      const { calls } = await log.changes(null, later);
      expect(calls.map(({ call_sid, epoch }) => ({ call_sid, epoch }))).toEqual([{ call_sid: 'EL_open', epoch: await epochOf('EL_open') }]);
    });

    it('is another one each time, and says how far it is', async () => {
      for (const sid of ['EL_1', 'EL_2', 'EL_3']) await create(sid, 'one');
      const said: number[] = [];
      const first = await log.newGeneration({ onMoved: (calls) => void said.push(calls) });
      expect([first.calls, said.at(-1)]).toEqual([3, 3]);
      const epochs = await Promise.all(['EL_1', 'EL_2', 'EL_3'].map(epochOf));
      // Nothing was cut off: there is nothing to go on with.
      const second = await log.newGeneration({ resume: true });
      expect(second.calls).toBe(3);
      expect(second.generation).not.toBe(first.generation);
      expect(new Set([...epochs, ...(await Promise.all(['EL_1', 'EL_2', 'EL_3'].map(epochOf)))]).size).toBe(6);
    });

    it('is safe beside whoever appends: each event stays, and each seal proves its chain', async () => {
      const sids = ['EL_1', 'EL_2', 'EL_3', 'EL_4'];
      for (const sid of sids) await create(sid, 'one');
      const writing = sids.map(async (sid) => {
        for (let n = 2; n <= 8; n++) await log.append(sid, [entry(turn(n % 2 === 0 ? 'driver' : 'agent', `line ${n}`), `conv_${sid}`)]);
      });
      const { generation } = await log.newGeneration();
      await Promise.all(writing);
      for (const sid of sids) {
        await end(sid);
        const whole = await wholeCall(log, sid);
        expect(faultsOf(whole)).toEqual([]);
        expect(generationOf(whole.epoch)).toBe(generation);
        expect(whole.events.flatMap((event) => (event.type === 'transcription' ? [event.text] : []))).toEqual(['one', ...Array.from({ length: 7 }, (_, n) => `line ${n + 2}`)]);
      }
    });

    it('moves more calls than are read at once', async () => {
      const all = Array.from({ length: 230 }, (_, n) => newCall({ call_sid: `EL_${n}`, created_at: 1_000 + (n >> 2) }));
      for (let from = 0; from < all.length; from += 115) await log.create(all.slice(from, from + 115), null);
      const { generation, calls } = await log.newGeneration();
      expect(calls).toBe(230);
      expect(new Set((await log.active(null, Number.MAX_SAFE_INTEGER)).map(({ epoch }) => generationOf(epoch)))).toEqual(new Set([generation]));
    });
  });
};
