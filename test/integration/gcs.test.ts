/** The raw store on Cloud Storage when requests fail, are cut, never answered, or when the process ends between any two of them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { storageServer, type StorageFault } from '../../local/google/storage-server.ts';
import { gcsRawStore } from '../../ports/raw-store.gcs.ts';
import { sqliteRawStore } from '../../ports/raw-store.sqlite.ts';
import type { Delivery, RawStore } from '../../ports/raw-store.ts';
import { seededRuntime } from '../../ports/runtime.seeded.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { limited } from '../fixtures/relay.ts';
import { rawDelivery, storageRig, type StorageRig } from '../fixtures/storage.ts';

let rig: StorageRig;
beforeEach(async () => {
  rig = await storageRig();
});
afterEach(() => rig.close());

const START = { received_at: -1, id: '' };
const waiting = (id: string, more: Partial<Delivery> = {}): Omit<Delivery, 'count'> => rawDelivery(id, { reason: 'waiting', tenant: null, call_sid: null, ...more });

/** What can be seen of a store, but for how often a body came. */
const seen = async (store: RawStore): Promise<object> => {
  const plain = (deliveries: readonly Delivery[]): unknown => deliveries.map((delivery) => ({ ...delivery, count: 0 }));
  return {
    quarantine: plain(await store.quarantine(null, null, 100)),
    unassigned: plain(await store.unassigned(null, 100)),
    ofTenant: plain(await store.quarantine('t1', null, 100)),
    waiting: plain(await store.pending('waiting', null, 100)),
    waitingOfOne: plain(await store.pending('waiting', 'c1', 100)),
    toFetch: plain(await store.pending('to_fetch', null, 100)),
    used: plain(await store.since('t1', START, 100)),
  };
};

describe('a process that ends between any two requests', () => {
  const before = async (store: RawStore): Promise<void> => {
    await store.put(waiting('w'));
    await store.put(rawDelivery('u'));
  };
  const operations: readonly (readonly [string, (store: RawStore) => Promise<unknown>])[] = [
    ['keeps a used delivery', (store) => store.put(rawDelivery('new', { received_at: 2_000 }))],
    ['keeps a waiting delivery', (store) => store.put(waiting('new', { received_at: 2_000 }))],
    ['takes a repeat', (store) => store.put(rawDelivery('u', { received_at: 2_000 }))],
    ['takes a repeat that was used', (store) => store.put(rawDelivery('w', { received_at: 2_000 }))],
    ['notes that a delivery was used', (store) => store.change('w', { reason: 'used', tenant: 't1', call_sid: 'EL_c1' })],
    ['erases a conversation', (store) => store.erase(['EL_c1', 'c1'])],
    ['removes a delivery', (store) => store.remove('u')],
    ['sweeps', (store) => store.sweep(1_500)],
  ];

  it.each(operations)('leaves what a repeat mends: it %s', async (_what, run) => {
    await before(rig.store());
    const model = sqliteRawStore({ path: ':memory:', runtime: systemRuntime() });
    await before(model);
    await run(model);
    const wanted = await seen(model);
    const size = await model.quarantineSize();
    await model.close();

    let points = 0;
    for (const applied of [false, true]) {
      for (let crash = 1; ; crash++) {
        await rig.close();
        rig = await storageRig();
        await before(rig.store());
        const dying = rig.store();
        let asked = 0;
        rig.server.fault = (): StorageFault | null => {
          if (++asked < crash) return null;
          void dying.close();
          return { answer: 'cut', applied: applied && asked === crash };
        };
        const ended = await limited(
          run(dying).then(
            () => 'done',
            (error: unknown) => (error as { code?: unknown }).code,
          ),
          'the end of the operation',
        );
        rig.server.fault = () => null;
        expect(rig.missing()).toEqual([]);
        if (asked < crash) {
          expect(ended).toBe('done');
          break;
        }
        points++;
        const next = rig.store();
        await seen(next);
        await run(next);
        expect(await seen(next)).toEqual(wanted);
        await next.sweep(0);
        expect([rig.missing(), rig.stale().filter((name) => !name.startsWith('used/')), await next.quarantineSize()]).toEqual([[], [], size]);
      }
    }
    expect(points).toBeGreaterThan(4);
  });
});

/** One random operation, the same on every store for the same numbers. */
const randomOperation = (random: () => number): ((store: RawStore) => Promise<unknown>) => {
  const one = <T>(...of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const id = one('a', 'b', 'c', 'd', 'e');
  const delivery = rawDelivery(id, {
    reason: one('used', 'waiting', 'to_fetch', 'unusable'),
    tenant: one('t1', 't2', null),
    call_sid: one('EL_c1', 'EL_c2', 'EL_c3', 'EL_c4', null),
    conversation_id: one('c1', 'c2', 'c3', 'c4', null),
    received_at: Math.floor(random() * 5),
    body: `{"of":"${id}"}`,
  });
  const roll = random();
  if (roll < 0.6) return (store) => store.put(delivery);
  if (roll < 0.8) return (store) => store.change(id, { reason: delivery.reason, tenant: delivery.tenant });
  if (roll < 0.82) return (store) => store.erase([one('EL_c1', 'EL_c2'), one('c1', 'c2')]);
  if (roll < 0.9) return (store) => store.remove(id);
  return (store) => store.sweep(delivery.received_at);
};

describe('faults', () => {
  it.each([
    ['of none', 0, 150],
    ['of one request in eight', 0.125, 60],
  ])('show in nothing but counts, at a rate %s', async (_what, rate, steps) => {
    const { random } = seededRuntime(7);
    const model = sqliteRawStore({ path: ':memory:', runtime: systemRuntime() });
    const store = rig.store();
    rig.server.fault = (): StorageFault | null => {
      if (random() >= rate) return null;
      return { answer: ([503, 429, 500, 'cut'] as const)[Math.floor(random() * 4)] ?? 503, applied: random() < 0.5 };
    };
    for (let step = 0; step < steps; step++) {
      const seed = Math.floor(random() * 2 ** 32);
      const run = (on: RawStore): Promise<unknown> => randomOperation(seededRuntime(seed).random)(on);
      await run(store);
      await run(model);
      if (step % 10 === 9) expect(await seen(store)).toEqual(await seen(model));
    }
    rig.server.fault = () => null;
    await store.sweep(0);
    expect(await store.quarantineSize()).toBe(await model.quarantineSize());
    expect([rig.missing(), rig.stale().filter((name) => name.startsWith('quarantine/'))]).toEqual([[], []]);
    await model.close();
  });

  it('leave no delivery unfound when many processes work on the same few at once', async () => {
    const { random } = seededRuntime(3);
    rig.server.fault = async () => {
      // Requests overtake one another.
      for (let turns = Math.floor(random() * 8); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return null;
    };
    // Clocks as they are: whatever is written now may still be needed by somebody.
    const stores = Array.from({ length: 6 }, () => rig.store({ aheadMs: 0 }));
    for (let round = 0; round < 12; round++) {
      await Promise.all(stores.flatMap((store) => [randomOperation(random)(store), randomOperation(random)(store)]));
      expect(rig.missing()).toEqual([]);
    }
    const later = rig.store();
    for (const tenant of ['t1', 't2']) {
      await later.quarantine(tenant, null, 100);
      await later.since(tenant, START, 100);
    }
    await later.sweep(0);
    expect([rig.missing(), rig.stale().filter((name) => name.startsWith('quarantine/'))]).toEqual([[], []]);
    await later.erase(['EL_c1', 'c1', 'EL_c2', 'c2']);
    await later.erase(['EL_c3', 'c3', 'EL_c4', 'c4']);
    const left = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => later.get(id)));
    expect(left.filter((one) => one !== null && (one.conversation_id !== null || one.call_sid !== null))).toEqual([]);
  });

  /** Holds the first request that fits until it is let go. */
  const hold = (fits: (kind: string, name: string) => boolean): { readonly held: Promise<void>; letGo(): void } => {
    let tell: () => void = () => undefined;
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (tell = resolve));
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    let taken = false;
    rig.server.fault = async ({ kind, name }) => {
      if (taken || !fits(kind, name)) return null;
      taken = true;
      tell();
      await gate;
      return null;
    };
    return { held, letGo: () => letGo() };
  };

  it('of one that tidies up late do not take away what another has come to need', async () => {
    const [slow, quick] = [rig.store({ aheadMs: 0 }), rig.store({ aheadMs: 0 })];
    await slow.put(waiting('d1'));
    const { held, letGo } = hold((kind, name) => kind === 'remove' && name.startsWith('quarantine/pending/waiting/'));
    const moved = slow.change('d1', { reason: 'to_fetch' });
    await limited(held, 'the removal');
    await quick.change('d1', { reason: 'waiting' });
    letGo();
    await moved;
    expect(rig.missing()).toEqual([]);
    expect((await quick.pending('waiting', null, 10)).map(({ id }) => id)).toEqual(['d1']);
  });

  it.each([
    ['nobody else keeps it', () => Promise.resolve()],
    ['the same was kept meanwhile', (quick: RawStore) => quick.put(rawDelivery('d1'))],
  ])('of one that keeps a delivery late do not bring it past an erasure: %s', async (_what, meanwhile) => {
    const [slow, quick] = [rig.store({ aheadMs: 0 }), rig.store({ aheadMs: 0 })];
    const { held, letGo } = hold((kind, name) => kind === 'write' && name === 'deliveries/d1');
    const put = slow.put(rawDelivery('d1'));
    await limited(held, 'the writing');
    await meanwhile(quick);
    await quick.erase(['EL_c1', 'c1']);
    letGo();
    expect(await put).toBeNull();
    expect([await quick.get('d1'), rig.missing()]).toEqual([null, []]);
  });

  it('of one that gives a delivery to a call late do not bring it past the erasure of that call', async () => {
    const [slow, quick] = [rig.store({ aheadMs: 0 }), rig.store({ aheadMs: 0 })];
    await slow.put(waiting('d1', { conversation_id: null }));
    await slow.put(waiting('d2', { conversation_id: null }));
    const { held, letGo } = hold((kind, name) => kind === 'change' && name === 'deliveries/d1');
    const given = slow.change('d1', { reason: 'used', tenant: 't1', call_sid: 'EL_c1' });
    await limited(held, 'the change');
    await quick.erase(['EL_c1']);
    letGo();
    await given;
    expect([await quick.get('d1'), (await quick.get('d2'))?.reason, rig.missing()]).toEqual([null, 'waiting', []]);
  });

  it('of one that erases and dies leave something that can be erased again, and nothing is kept of it in between', async () => {
    const [dying, next] = [rig.store({ aheadMs: 0 }), rig.store({ aheadMs: 0 })];
    await dying.put(rawDelivery('d1'));
    rig.server.fault = ({ kind, name }) => {
      if (kind !== 'list' && !(kind === 'write' && name.startsWith('deliveries/'))) return null;
      void dying.close();
      return { answer: 'cut', applied: false };
    };
    await expect(limited(dying.erase(['EL_c1', 'c1']), 'the end')).rejects.toMatchObject({ code: 'store_unavailable' });
    rig.server.fault = () => null;
    expect([await next.put(rawDelivery('d2')), (await next.get('d1'))?.id]).toEqual([null, 'd1']);
    await next.erase(['EL_c1', 'c1']);
    expect([await next.get('d1'), await next.get('d2')]).toEqual([null, null]);
  });

  it('never make a repeat fail because its count cannot be written', async () => {
    const store = rig.store();
    await store.put(rawDelivery('d1'));
    rig.server.fault = ({ kind }) => (kind === 'change' ? { answer: 429, applied: false } : null);
    expect(await store.put(rawDelivery('d1', { received_at: 2_000 }))).toEqual({ ...rawDelivery('d1'), count: 1 });
    rig.server.fault = () => null;
    expect(await store.put(rawDelivery('d1'))).toMatchObject({ count: 2 });
  });

  it('count a delivery once whose writing was applied but answered with an error', async () => {
    const store = rig.store();
    for (const kind of ['write', 'change'] as const) {
      let failed = 0;
      rig.server.fault = (request) => (request.kind === kind && request.name === 'deliveries/d1' && failed++ === 0 ? { answer: 503, applied: true } : null);
      await store.put(waiting('d1'));
      expect(failed).toBeGreaterThan(0);
    }
    rig.server.fault = () => null;
    await store.put(rawDelivery('d1'));
    expect((await store.get('d1'))?.count).toBe(3);
  });

  const everything: readonly (readonly [string, (store: RawStore) => Promise<unknown>])[] = [
    ['put', (store) => store.put(rawDelivery('d1'))],
    ['get', (store) => store.get('d1')],
    ['change', (store) => store.change('d1', { reason: 'used' })],
    ['quarantine', (store) => store.quarantine(null, 'd1', 10)],
    ['unassigned', (store) => store.unassigned(null, 10)],
    ['pending', (store) => store.pending('waiting', null, 10)],
    ['since', (store) => store.since('t1', START, 10)],
    ['quarantineSize', (store) => store.quarantineSize()],
    ['sweep', (store) => store.sweep(1)],
    ['erase', (store) => store.erase(['EL_c1', 'c1'])],
    ['remove', (store) => store.remove('d1')],
    ['check', (store) => store.check()],
  ];
  it.each(everything)('end in store_unavailable within its time where no request is answered: %s', async (_name, run) => {
    rig.server.fault = () => ({ answer: 'hang', applied: false });
    const store = rig.store({ operationMaxMs: 120, requestMaxMs: 50 });
    await expect(limited(run(store), 'the failure')).rejects.toMatchObject({ code: 'store_unavailable' });
    // Nothing is left waiting for a server that does not answer.
    await expect.poll(() => rig.server.connections()).toBe(0);
  });

  it.each(everything)('are repeated and then told as store_unavailable, with nothing of a delivery in error or log: %s', async (_name, run) => {
    rig.server.fault = () => ({ answer: 503, applied: false });
    const store = rig.store({ operationMaxMs: 500 });
    const error: unknown = await limited(run(store), 'the failure').catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'store_unavailable' });
    expect(rig.lines.at(-1)?.message).toBe('Cloud Storage does not answer as it should');
    // A machine that is busy may have answered none in time.
    expect([503, null]).toContain(rig.lines.at(-1)?.fields['status']);
    expect(JSON.stringify([String(error), error, rig.lines])).not.toMatch(/what was said|EL_c1|"c1"/);
  });

  it.each([
    [403, 1],
    [401, 1],
    [503, 3],
  ])('of status %i are tried %i times or more', async (status, least) => {
    let asked = 0;
    rig.server.fault = () => {
      asked++;
      return { answer: status, applied: false };
    };
    await expect(rig.store({ operationMaxMs: 3_000 }).get('d1')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(asked).toBeGreaterThanOrEqual(least);
    if (least === 1) expect(asked).toBe(1);
  });

  it('of a bucket that is not there are told, never taken for an empty one', async () => {
    const store = gcsRawStore({ bucket: 'other', projectId: 'p', apiEndpoint: rig.server.url, runtime: systemRuntime() });
    await expect(store.put(rawDelivery('d1'))).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.check()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.quarantineSize()).rejects.toMatchObject({ code: 'store_unavailable' });
    await store.close();
  });
});

describe('what lies in the bucket', () => {
  it('lets a rule by prefix and one by custom time remove what was used, and nothing that was not', async () => {
    const store = rig.store();
    await store.put(waiting('q'));
    await store.put(rawDelivery('u'));
    await store.put(waiting('q2'));
    await store.change('q2', { reason: 'used', tenant: 't1', call_sid: 'EL_c1' });
    const objects = rig.server.objects('raw').map(({ resource }) => resource);
    expect(objects.filter(({ customTime }) => customTime !== undefined).map(({ name }) => name)).toEqual(['deliveries/q2', 'deliveries/u']);
    const places = (id: string): string[] => objects.map(({ name }) => name).filter((name) => new RegExp(`[/_]${id}(?:-|$)`).test(name)).map((name) => name.slice(0, name.indexOf('/')));
    expect([places('q'), places('u'), places('q2')].map((all) => [...new Set(all)])).toEqual([['deliveries', 'quarantine'], ['deliveries', 'used'], ['deliveries', 'used']]);
  });

  it('names no tenant, call or conversation', async () => {
    const store = rig.store();
    await store.put(rawDelivery('d1', { tenant: 'acme', call_sid: 'EL_secret', conversation_id: 'conv_secret' }));
    await store.put(waiting('d2', { tenant: 'acme', conversation_id: 'conv_secret' }));
    await store.erase(['EL_secret']);
    expect(rig.names().join()).not.toMatch(/acme|secret/);
  });

  it('keeps an index object that somebody may still be about to need, and removes it later', async () => {
    const store = rig.store({ aheadMs: 0, operationMaxMs: 2_000 });
    rig.server.fault = ({ kind, name }) => (kind === 'write' && name === 'deliveries/d1' ? { answer: 503, applied: false } : null);
    await expect(store.put(waiting('d1'))).rejects.toMatchObject({ code: 'store_unavailable' });
    const left = rig.stale();
    expect(left).toHaveLength(3);
    expect([await store.pending('waiting', null, 10), await store.unassigned(null, 10)]).toEqual([[], []]);
    expect(rig.stale()).toEqual(left);
    const later = rig.store();
    await later.sweep(0);
    expect(rig.stale()).toEqual([]);
    expect(await later.quarantineSize()).toBe(0);
  });

  it('leaves nothing of what was erased but its marks', async () => {
    const store = rig.store();
    await store.put(rawDelivery('u'));
    await store.put(waiting('q'));
    await store.erase(['EL_c1', 'c1']);
    expect(rig.names().map((name) => name.slice(0, name.indexOf('/')))).toEqual(['erased', 'erased']);
  });

  it('of what is erased before it has settled is an empty fence, which a rule by custom time removes', async () => {
    const store = rig.store({ aheadMs: 0 });
    await store.put(waiting('q'));
    await store.erase(['c1']);
    const fences = rig.server.objects('raw').filter(({ resource }) => resource.name.startsWith('deliveries/'));
    expect(fences.map(({ resource, content }) => [resource.name, resource.customTime !== undefined, resource.metadata ?? {}, content.length])).toEqual([['deliveries/q', true, {}, 0]]);
    const later = rig.store();
    expect([await later.get('q'), await later.quarantine(null, null, 10)]).toEqual([null, []]);
    await later.sweep(0);
    expect([rig.stale(), await later.quarantineSize()]).toEqual([[], 0]);
  });

  it('is paged through in many lists as in one', async () => {
    const store = rig.store();
    await Promise.all(Array.from({ length: 30 }, (_, n) => store.put(waiting(`d${n}`, { received_at: n % 7, tenant: n % 3 === 0 ? null : `t${n % 3}` }))));
    const all = (await store.quarantine(null, null, 100)).map(({ id }) => id);
    const paged: string[] = [];
    for (let page = await store.quarantine(null, null, 4); page.length > 0; page = await store.quarantine(null, page.at(-1)?.id ?? null, 4)) paged.push(...page.map(({ id }) => id));
    expect([all.length, paged]).toEqual([30, all]);
    expect((await store.quarantine('t1', null, 100)).map(({ id }) => id)).toEqual(all.filter((id) => Number(id.slice(1)) % 3 === 1));
  });

  it('stays when the server on this machine is started again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bucket-'));
    const first = await storageServer({ folder, buckets: ['raw'] });
    const writer = gcsRawStore({ bucket: 'raw', projectId: 'p', apiEndpoint: first.url, runtime: systemRuntime() });
    await writer.put(rawDelivery('d1'));
    await writer.close();
    await first.close();
    const second = await storageServer({ folder, buckets: ['raw'] });
    const reader = gcsRawStore({ bucket: 'raw', projectId: 'p', apiEndpoint: second.url, runtime: systemRuntime() });
    expect(await reader.since('t1', START, 10)).toEqual([{ ...rawDelivery('d1'), count: 1 }]);
    await reader.close();
    await second.close();
    await rm(folder, { recursive: true });
  });
});

describe('closing', () => {
  it('ends what is under way at once, and its connections', async () => {
    rig.server.fault = () => ({ answer: 'hang', applied: false });
    const store = rig.store();
    const asked = [store.put(rawDelivery('d1')), store.get('d1'), store.quarantineSize()].map((one) => one.catch((error: unknown) => (error as { code?: unknown }).code));
    await expect.poll(() => rig.server.connections()).toBe(5);
    await store.close();
    expect(await limited(Promise.all(asked), 'the failures')).toEqual(['store_unavailable', 'store_unavailable', 'store_unavailable']);
    await expect.poll(() => rig.server.connections()).toBe(0);
  });
});

describe("a server that stands in for Google's", () => {
  afterEach(() => void vi.unstubAllEnvs());

  it.each(['http://HOST', 'http://HOST/', 'http://HOST/storage/v1', 'HOST'])('is found in its environment as %s', async (form) => {
    const given = form.replace('HOST', new URL(rig.server.url).host);
    vi.stubEnv('STORAGE_EMULATOR_HOST', given);
    const store = gcsRawStore({ bucket: 'raw', projectId: 'p', apiEndpoint: given, runtime: systemRuntime() });
    try {
      expect(await store.put(rawDelivery('one'))).toMatchObject({ id: 'one', count: 1 });
      expect(await store.put(rawDelivery('one'))).toMatchObject({ id: 'one', count: 2 });
      expect(await store.get('one')).toMatchObject({ body: '{"text":"what was said"}', count: 2 });
      expect((await store.since('t1', START, 10)).map(({ id }) => id)).toEqual(['one']);
      await store.remove('one');
      expect(await store.get('one')).toBeNull();
    } finally {
      await store.close();
    }
  });
});
