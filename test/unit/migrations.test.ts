import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIGRATIONS, type Migration, type StoredCall } from '../../core/domain/migrations.ts';
import { countDocuments, migrateDocuments, type StepReport } from '../../cli/migrate-documents.ts';
import { LOG_MIGRATIONS } from '../../ports/call-log.sqlite-schema.ts';
import { Killed, memoryDocuments, type MemoryDocuments } from '../fixtures/call-documents.ts';

const OLD: StoredCall = { fields: { call_sid: 'EL_1', tenant: 't1', status: 'completed' }, state: { call_sid: 'EL_1', turn_count: 3 }, texts: ['turn.7'] };
const NULLS = { transcript_summary: null, call_duration_seconds: null, cost: null, call_successful: null };
const KNOWN = { transcript_summary: 'They talked.', call_duration_seconds: 12, cost: 0, call_successful: false };
const FULL: StoredCall = { fields: { ...OLD.fields, ...KNOWN, has_summary: true }, state: { ...OLD.state, ...KNOWN }, texts: ['turn.7', 'analysis_data', 'metadata_json'] };
const six = MIGRATIONS[1].documents;

describe('the table of migrations', () => {
  it('is numbered from one, and a database of tables has the same by the same names', () => {
    expect(MIGRATIONS.map(({ number }) => number)).toEqual(MIGRATIONS.map((_, index) => index + 1));
    expect(LOG_MIGRATIONS.map(({ name }) => name)).toEqual(MIGRATIONS.map(({ name }) => name));
  });
});

describe('the six post-call fields', () => {
  it('come as null to a call that lacks them, and nothing else changes', () => {
    expect(six.up(OLD)).toEqual({ fields: { ...OLD.fields, ...NULLS, has_summary: false }, state: { ...OLD.state, ...NULLS }, texts: ['turn.7'] });
  });

  it('are taken over from where they are known, also where they say no or nothing', () => {
    expect(six.up({ ...OLD, state: { ...OLD.state, ...KNOWN } })).toEqual({ ...FULL, texts: OLD.texts });
    expect(six.up({ ...OLD, fields: { ...OLD.fields, ...KNOWN } })).toEqual({ ...FULL, texts: OLD.texts });
  });

  it('are removed by the way back, all six and only they', () => {
    expect(six.down(FULL)).toEqual(OLD);
    expect(six.down(six.up(OLD))).toEqual(OLD);
  });

  it('leave a call that is right already as the very same object', () => {
    for (const call of [FULL, six.up(OLD)]) expect(six.up(call)).toBe(call);
    expect(six.down(OLD)).toBe(OLD);
  });

  it('are, of any call at all, the same however often a step is repeated', () => {
    const some = fc.subarray(Object.entries(FULL.fields)).map((entries) => Object.fromEntries(entries));
    const state = fc.subarray(Object.entries(FULL.state)).map((entries) => Object.fromEntries(entries));
    const calls = fc.record({ fields: some, state, texts: fc.subarray([...FULL.texts]) });
    fc.assert(
      fc.property(calls, (call) => {
        for (const direction of ['up', 'down'] as const) {
          const once = six[direction](call);
          expect(six[direction](once)).toBe(once);
        }
        expect(Object.keys(six.down(six.up(call)).fields)).toEqual(Object.keys(six.down(call).fields));
      }),
    );
  });
});

/** A step that can be told from others: puts a mark on, takes it off. */
const mark = (number: number): Migration => ({
  number,
  name: `mark ${number}`,
  documents: {
    up: (call) => (`m${number}` in call.state ? call : { ...call, state: { ...call.state, [`m${number}`]: 1 } }),
    down: (call) => (`m${number}` in call.state ? { ...call, state: Object.fromEntries(Object.entries(call.state).filter(([name]) => name !== `m${number}`)) } : call),
  },
});
const TABLE: readonly Migration[] = [{ number: 1, name: 'first', documents: null }, mark(2), mark(3)];
const CALLS = 250;
const id = (place: number): string => `EL_${String(place).padStart(3, '0')}`;
const log = (count = CALLS): MemoryDocuments => memoryDocuments(Object.fromEntries(Array.from({ length: count }, (_, place) => [id(place), { fields: {}, state: { of: place }, texts: [] }])));
const marksOf = (documents: MemoryDocuments): string[] => [...new Set([...documents.calls.values()].map(({ call }) => Object.keys(call.state).slice(1).sort().join('+')))];
const run = (documents: MemoryDocuments, to: number, pages: StepReport[] = []): ReturnType<typeof migrateDocuments> => migrateDocuments(documents, { migrations: TABLE, to, onPage: (page) => pages.push(page) });

describe('a log of documents', () => {
  it('is taken from schema to schema, page by page, and back', async () => {
    const documents = log();
    const pages: StepReport[] = [];
    expect(await run(documents, 3, pages)).toEqual([{ number: 2, direction: 'up', seen: CALLS, changed: CALLS }, { number: 3, direction: 'up', seen: CALLS, changed: CALLS }]);
    expect(pages.filter(({ number }) => number === 2).map(({ seen }) => seen)).toEqual([100, 200, 250]);
    expect([marksOf(documents), documents.kept]).toEqual([['m2+m3'], { schema: 3, running: null }]);
    expect(await run(documents, 3)).toEqual([]);
    expect(await run(documents, 1)).toMatchObject([{ number: 3, direction: 'down' }, { number: 2, direction: 'down' }]);
    expect([marksOf(documents), documents.kept]).toEqual([[''], { schema: 1, running: null }]);
  });

  it('is whole after a page that is exactly full, and where there is no call at all', async () => {
    for (const count of [0, 100, 200]) {
      const documents = log(count);
      expect(await run(documents, 2)).toEqual([{ number: 2, direction: 'up', seen: count, changed: count }]);
    }
  });

  it('goes on where it was killed, wherever that was: each call is changed once for each step', async () => {
    for (let writes = 0; writes <= 2 * (120 + 5); writes++) {
      const documents = log(120);
      documents.writesLeft = writes;
      const died = await run(documents, 3).then(() => false, (error: unknown) => error instanceof Killed);
      documents.writesLeft = Infinity;
      await run(documents, 3);
      expect([writes, marksOf(documents), documents.kept, new Set(documents.written.values())]).toEqual([writes, ['m2+m3'], { schema: 3, running: null }, new Set([2])]);
      if (!died) return;
    }
    throw new Error('it was killed every time');
  });

  it('begins behind the page that was done last, and counts on', async () => {
    const documents = log();
    documents.writesLeft = 1 + 100 + 1 + 30;
    await expect(run(documents, 2)).rejects.toThrow(Killed);
    expect(documents.kept).toEqual({ schema: 1, running: { step: 2, direction: 'up', after: id(99), seen: 100, changed: 100 } });
    documents.writesLeft = Infinity;
    const asked: (string | null)[] = [];
    const { page } = documents;
    documents.page = (after, limit) => {
      asked.push(after);
      return page(after, limit);
    };
    // Thirty of the second page were written already.
    expect(await run(documents, 2)).toEqual([{ number: 2, direction: 'up', seen: CALLS, changed: CALLS - 30 }]);
    expect(asked).toEqual([id(99), id(199)]);
  });

  it('is taken back from the middle of a step to where it was', async () => {
    const documents = log();
    documents.writesLeft = 150;
    await expect(run(documents, 2)).rejects.toThrow(Killed);
    expect(marksOf(documents)).toEqual(['m2', '']);
    documents.writesLeft = Infinity;
    expect(await run(documents, 1)).toMatchObject([{ number: 2, direction: 'down', seen: CALLS, changed: 148 }]);
    expect([marksOf(documents), documents.kept]).toEqual([[''], { schema: 1, running: null }]);
  });

  it('changes a call as it is then, where somebody writes it meanwhile, and passes over one that was removed', async () => {
    const documents = log(3);
    const came = new Set<string>();
    documents.beforePut = (which) => {
      if (came.has(which)) return;
      came.add(which);
      if (which === id(0)) documents.calls.set(which, { call: { fields: {}, state: { of: 0, newer: true }, texts: [] }, version: 7 });
      if (which === id(1)) documents.calls.delete(which);
    };
    expect(await run(documents, 2)).toEqual([{ number: 2, direction: 'up', seen: 3, changed: 2 }]);
    expect(documents.calls.get(id(0))?.call.state).toEqual({ of: 0, newer: true, m2: 1 });
    expect(documents.calls.has(id(1))).toBe(false);
  });

  it('says so where a call is written to without end, instead of going on for ever', async () => {
    const documents = log(1);
    documents.beforePut = (which) => {
      const { call, version } = documents.calls.get(which) ?? { call: { fields: {}, state: {}, texts: [] }, version: 0 };
      documents.calls.set(which, { call, version: version + 1 });
    };
    await expect(run(documents, 2)).rejects.toThrow('written to without end');
    expect(documents.kept?.schema).toBe(1);
  });

  it('is counted without a write: what every step of the way would change', async () => {
    const documents = log();
    documents.calls.set(id(0), { call: { fields: {}, state: { of: 0, m3: 1 }, texts: [] }, version: 0 });
    documents.writesLeft = 0;
    const count = (to: number): ReturnType<typeof countDocuments> => countDocuments(documents, { migrations: TABLE, to, onPage: () => undefined });
    expect(await count(3)).toEqual([{ number: 2, direction: 'up', seen: CALLS, changed: CALLS }, { number: 3, direction: 'up', seen: CALLS, changed: CALLS - 1 }]);
    expect(await count(1)).toEqual([]);
    expect(documents.kept).toBe(null);
  });

  it('that knows of a schema which this program does not is left alone', async () => {
    const documents = log(1);
    documents.kept = { schema: 4, running: null };
    await expect(run(documents, 3)).rejects.toThrow('there is no schema 4');
    expect(marksOf(documents)).toEqual(['']);
  });
});
