import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { indexFile, QUERIES } from '../../ports/firestore-queries.ts';

const FILE = 'infra/firestore.indexes.json';

describe('the indexes of the cloud', () => {
  it('are those that the table of queries asks for', () => {
    const printed = `${JSON.stringify(indexFile(QUERIES), null, 2)}\n`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, printed);
    expect(readFileSync(FILE, 'utf8'), `${FILE} is not what the table prints: run with UPDATE_DOCS=1`).toBe(printed);
  });

  it('cover every combination of optional fields, equalities first, then what is compared or ordered, and nothing for one field', () => {
    const file = indexFile({
      one: { collection: 'calls', where: [['a', '==']], order: [] },
      many: { collection: 'calls', where: [['tenant', '==']], optional: [['status', '=='], ['at', '>=']], order: [['at', 'desc'], ['id', 'desc']] },
      compared: { collection: 'calls', where: [['b', '>='], ['a', '==']], order: [] },
    });
    expect(file.indexes.map(({ fields }) => fields.map((field) => `${field.fieldPath} ${field.order ?? ''}`))).toEqual([
      ['a ASCENDING', 'b ASCENDING'],
      ['status ASCENDING', 'tenant ASCENDING', 'at DESCENDING', 'id DESCENDING'],
      ['tenant ASCENDING', 'at DESCENDING', 'id DESCENDING'],
    ]);
  });

  it('are fewer than a database may have', () => {
    // https://firebase.google.com/docs/firestore/quotas#indexes: 200 composite indexes without billing, 1,000 with; 200 single-field configurations.
    expect(indexFile(QUERIES).indexes.length).toBeLessThan(100);
    expect(indexFile(QUERIES).fieldOverrides.length).toBeLessThan(100);
  });

  it('leave out no query: nothing of the cloud\'s ways asks but through the table', () => {
    for (const name of ['call-log.firestore', 'call-log.firestore-reader', 'call-log.firestore-decider', 'call-log.firestore-writer']) {
      expect(readFileSync(`ports/${name}.ts`, 'utf8'), name).not.toMatch(/\.(where|orderBy)\(/);
    }
  });
});
