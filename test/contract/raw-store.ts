/** What every way of the raw store promises. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery, RawStore } from '../../ports/raw-store.ts';

const delivery = (id: string, more: Partial<Delivery> = {}): Omit<Delivery, 'count'> => ({
  id,
  workspace: 'w1',
  tenant: 't1',
  reach_tenant: null,
  route: 'post-call',
  type: 'post_call_transcription',
  reason: 'used',
  conversation_id: 'c1',
  agent_id: 'a1',
  call_sid: 'EL_c1',
  received_at: 1000,
  body: '{"words":"é\\ud800"}',
  ...more,
});

/** @param open a fresh, empty store for each test; closed by the suite */
export const rawStoreContract = (name: string, open: () => Promise<RawStore>): void => {
  describe(`the raw store on ${name}`, () => {
    let store: RawStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });
    const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map((kept) => kept.id);

    it('keeps one entry for a body, counts how often it came, and gives back exactly what it was given', async () => {
      await store.put(delivery('d1'));
      expect(await store.put(delivery('d1', { received_at: 2000 }))).toEqual({ ...delivery('d1'), count: 2 });
      expect(await store.get('d1')).toEqual({ ...delivery('d1'), count: 2 });
      expect(await store.get('d2')).toBeNull();
    });

    it('never moves a used delivery back into quarantine', async () => {
      await store.put(delivery('d1', { reason: 'waiting', call_sid: null }));
      await store.put(delivery('d1', { reason: 'used' }));
      await store.put(delivery('d1', { reason: 'unassigned', tenant: null, call_sid: null }));
      expect(await store.get('d1')).toMatchObject({ reason: 'used', tenant: 't1', call_sid: 'EL_c1', count: 3 });
    });

    it('pages the quarantine oldest first, without bodies, by tenant and by nobody', async () => {
      await store.put(delivery('used'));
      for (const [i, tenant] of (['t1', 't2', null, 't1', null] as const).entries()) await store.put(delivery(`q${i}`, { reason: 'unusable', tenant, received_at: 10 - i }));
      expect(ids(await store.quarantine(null, null, 10))).toEqual(['q4', 'q3', 'q2', 'q1', 'q0']);
      expect(ids(await store.quarantine('t1', null, 10))).toEqual(['q3', 'q0']);
      expect(ids(await store.unassigned(null, 10))).toEqual(['q4', 'q2']);
      expect(ids(await store.quarantine(null, 'q3', 2))).toEqual(['q2', 'q1']);
      expect((await store.quarantine(null, null, 10)).every((kept) => kept.body === null)).toBe(true);
      expect(await store.quarantineSize()).toBe(5);
    });

    it('gives what may become usable, by conversation, with bodies', async () => {
      await store.put(delivery('w1', { reason: 'waiting' }));
      await store.put(delivery('w2', { reason: 'waiting', conversation_id: 'c2', received_at: 500 }));
      await store.put(delivery('f1', { reason: 'to_fetch' }));
      expect(ids(await store.pending('waiting', null, 10))).toEqual(['w2', 'w1']);
      expect(await store.pending('waiting', 'c1', 10)).toMatchObject([{ id: 'w1', body: delivery('x').body }]);
      expect(ids(await store.pending('to_fetch', null, 10))).toEqual(['f1']);
    });

    it('gives what may become usable page by page, also when what a page ended with was used or erased meanwhile', async () => {
      for (const [place, id] of ['a', 'b', 'c', 'd'].entries()) await store.put(delivery(id, { reason: 'waiting', received_at: place < 2 ? 500 : 600 }));
      const [, second] = await store.pending('waiting', null, 2);
      expect(second).toMatchObject({ id: 'b' });
      await store.change('b', { reason: 'used' });
      expect(ids(await store.pending('waiting', null, 2, { received_at: 500, id: 'b' }))).toEqual(['c', 'd']);
      expect(ids(await store.pending('waiting', null, 2, { received_at: 600, id: 'c' }))).toEqual(['d']);
      await store.erase(['c1']);
      expect(ids(await store.pending('waiting', null, 2, { received_at: 500, id: 'b' }))).toEqual([]);
    });

    it('changes only what is said', async () => {
      await store.put(delivery('d1', { reason: 'waiting', tenant: null, call_sid: null }));
      await store.change('d1', { reason: 'used', tenant: 't2', call_sid: 'EL_x' });
      expect(await store.get('d1')).toEqual({ ...delivery('d1', { tenant: 't2', call_sid: 'EL_x' }), count: 1 });
      await store.change('nothing', { reason: 'used' });
      expect(await store.get('nothing')).toBeNull();
    });

    it('never takes a used delivery back into quarantine, whoever says so', async () => {
      await store.put(delivery('d1'));
      await store.change('d1', { reason: 'unusable', tenant: 't2' });
      expect(await store.get('d1')).toMatchObject({ reason: 'used', tenant: 't2' });
      expect(ids(await store.quarantine(null, null, 10))).toEqual([]);
      expect(await store.quarantineSize()).toBe(0);
    });

    it('finds a delivery only where it belongs now', async () => {
      await store.put(delivery('d1', { reason: 'waiting', tenant: null, call_sid: null }));
      await store.change('d1', { reason: 'to_fetch', tenant: 't1' });
      expect([ids(await store.unassigned(null, 10)), ids(await store.quarantine('t1', null, 10)), await store.quarantineSize()]).toEqual([[], ['d1'], 1]);
      expect([ids(await store.pending('waiting', 'c1', 10)), ids(await store.pending('to_fetch', 'c1', 10))]).toEqual([[], ['d1']]);
      await store.change('d1', { reason: 'used', call_sid: 'EL_c1' });
      expect([ids(await store.quarantine('t1', null, 10)), ids(await store.pending('to_fetch', null, 10)), await store.quarantineSize()]).toEqual([[], [], 0]);
      expect(ids(await store.since('t1', { received_at: 0, id: '' }, 10))).toEqual(['d1']);
      await store.erase(['EL_c1']);
      expect([await store.get('d1'), ids(await store.since('t1', { received_at: 0, id: '' }, 10))]).toEqual([null, []]);
    });

    it('is one entry when the same body comes many times at once', async () => {
      const put = await Promise.all(Array.from({ length: 50 }, (_, n) => store.put(delivery('d1', { reason: 'unusable', received_at: 1_000 + n }))));
      const kept = await store.get('d1');
      expect(kept).toEqual({ ...delivery('d1', { reason: 'unusable', received_at: kept?.received_at ?? 0 }), count: kept?.count });
      expect(new Set(put.map((each) => each?.received_at)).size).toBe(1);
      expect(kept?.count).toBeGreaterThanOrEqual(1);
      expect(kept?.count).toBeLessThanOrEqual(50);
      expect(ids(await store.quarantine(null, null, 100))).toEqual(['d1']);
      expect(await store.quarantineSize()).toBe(1);
    });

    it('ends as used when the same body is used and put aside at once', async () => {
      await Promise.all([
        ...Array.from({ length: 5 }, () => store.put(delivery('d1', { reason: 'waiting', tenant: null, call_sid: null }))),
        store.put(delivery('d1')).then(() => store.change('d1', { reason: 'unusable' })),
      ]);
      expect(await store.get('d1')).toMatchObject({ reason: 'used', tenant: 't1', call_sid: 'EL_c1' });
      expect([ids(await store.since('t1', { received_at: 0, id: '' }, 10)), ids(await store.quarantine(null, null, 10))]).toEqual([['d1'], []]);
    });

    const words = 'ü漢😀'.repeat(60).slice(0, 240);
    it.each([
      ['paths', '../a/b', '..', 'used/../x', '.'],
      ['marks', 'a b?c=d&e#f%2F', '{{projectId}}', '"\'<>\\`', '*,-_.~!'],
      ['other letters, as long as they may be', words, `${words}1`, `${words}2`, `${words}3`],
    ])('keeps ids made of %s apart and whole', async (_what, id, tenant, conversation, call) => {
      const odd = delivery(id, { tenant, workspace: tenant, reach_tenant: tenant, agent_id: call, type: words.slice(0, 100), conversation_id: conversation, call_sid: call, body: '{{projectId}}' });
      await store.put(odd);
      await store.put(delivery('plain', { body: '' }));
      await store.put(delivery('waits', { reason: 'waiting', tenant, conversation_id: conversation, call_sid: null, body: null }));
      expect(await store.get(id)).toEqual({ ...odd, count: 1 });
      expect(await store.since(tenant, { received_at: 0, id: '' }, 10)).toEqual([{ ...odd, count: 1 }]);
      expect(ids(await store.pending('waiting', conversation, 10))).toEqual(['waits']);
      expect(ids(await store.quarantine(tenant, null, 10))).toEqual(['waits']);
      await store.erase([call]);
      expect([await store.get(id), (await store.get('plain'))?.body, (await store.get('waits'))?.body]).toEqual([null, '', null]);
      await store.erase([conversation]);
      expect([await store.get('waits'), (await store.get('plain'))?.id]).toEqual([null, 'plain']);
    });

    it('gives back a large body of any letters as it was', async () => {
      const body = JSON.stringify({ words: 'Grüße, 漢字 😀 '.repeat(100_000) });
      await store.put(delivery('d1', { body }));
      expect((await store.get('d1'))?.body === body).toBe(true);
    });

    it('tells a tenant its used deliveries after a position, in order', async () => {
      for (const [id, at] of [['b', 1], ['a', 1], ['c', 2]] as const) await store.put(delivery(id, { received_at: at }));
      await store.put(delivery('other', { tenant: 't2', received_at: 1 }));
      await store.put(delivery('quarantined', { reason: 'unusable', received_at: 1 }));
      expect(ids(await store.since('t1', { received_at: 0, id: '' }, 10))).toEqual(['a', 'b', 'c']);
      expect(ids(await store.since('t1', { received_at: 1, id: 'a' }, 1))).toEqual(['b']);
    });

    it('sweeps used deliveries only, and erases all of a call or conversation', async () => {
      await store.put(delivery('old', { received_at: 1 }));
      await store.put(delivery('kept', { received_at: 1, reason: 'unusable', call_sid: null, conversation_id: 'c9' }));
      await store.put(delivery('new', { received_at: 5 }));
      expect(await store.sweep(5)).toBe(1);
      expect([await store.get('old'), (await store.get('kept'))?.id, (await store.get('new'))?.id]).toEqual([null, 'kept', 'new']);
      await store.erase(['EL_c1']);
      expect(await store.get('new')).toBeNull();
      await store.erase(['EL_other', 'c9']);
      expect(await store.get('kept')).toBeNull();
    });

    it('removes one delivery, which may come again', async () => {
      await store.put(delivery('d1'));
      await store.put(delivery('d2'));
      await store.remove('d1');
      await store.remove('nothing');
      expect([await store.get('d1'), (await store.get('d2'))?.id]).toEqual([null, 'd2']);
      expect(await store.put(delivery('d1'))).toEqual({ ...delivery('d1'), count: 1 });
    });

    it.each([
      ['used, by its call', ['EL_c1'], { conversation_id: null }],
      ['used, by its conversation', ['c1'], { call_sid: 'EL_other' }],
      ['in quarantine', ['EL_c1', 'c1'], { reason: 'foreign', call_sid: null }],
      ['named with the id of a call in the place of its conversation', ['EL_c1'], { reason: 'unknown_type', call_sid: null, conversation_id: 'EL_c1' }],
    ] as const)('keeps nothing that comes after its erasure: %s', async (_what, erased, more) => {
      await store.put(delivery('before', more));
      await store.erase(erased);
      expect(await store.put(delivery('after', more))).toBeNull();
      expect(await store.put(delivery('before', more))).toBeNull();
      await store.erase(erased);
      expect([await store.get('before'), await store.get('after')]).toEqual([null, null]);
      expect([await store.quarantine(null, null, 10), await store.since('t1', { received_at: 0, id: '' }, 10)]).toEqual([[], []]);
      expect(await store.put(delivery('other', { call_sid: 'EL_c2', conversation_id: 'c2' }))).toMatchObject({ id: 'other' });
    });

    it('removes a delivery that is told to belong to an erased call, by a change or when it comes again', async () => {
      for (const id of ['d1', 'd2']) await store.put(delivery(id, { reason: 'unusable', conversation_id: null, call_sid: null }));
      await store.erase(['EL_c1']);
      await store.change('d1', { reason: 'used', call_sid: 'EL_c1' });
      expect(await store.put(delivery('d2', { conversation_id: null }))).toBeNull();
      expect([await store.get('d1'), await store.get('d2')]).toEqual([null, null]);
    });

    it('keeps nothing of what is written while it is erased', async () => {
      const writing = [
        ...Array.from({ length: 8 }, (_, n) => store.put(delivery(`new${n}`, n % 2 === 0 ? {} : { reason: 'waiting', call_sid: null }))),
        ...Array.from({ length: 8 }, () => store.put(delivery('same'))),
      ];
      await Promise.all([...writing, store.erase(['EL_c1', 'c1'])]);
      const left = await Promise.all(['same', ...Array.from({ length: 8 }, (_, n) => `new${n}`)].map((id) => store.get(id)));
      expect(left.filter((one) => one !== null)).toEqual([]);
    });

    it('throws store_unavailable after it was closed', async () => {
      await store.close();
      await expect(store.put(delivery('d1'))).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(store.check()).rejects.toMatchObject({ code: 'store_unavailable' });
    });
  });
};
