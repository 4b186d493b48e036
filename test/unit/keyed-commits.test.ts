import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { groupedByKey, oneByOne } from '../../ports/keyed-commits.ts';

const outcomes = (results: readonly PromiseSettledResult<string>[]): string[] => results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as Error).message));
const away = (): never => {
  throw new EarshotError('store_unavailable');
};
const AWAY = new EarshotError('store_unavailable').message;

describe('commits by key', () => {
  it('go together where they have one key, and beside each other where they have not', async () => {
    const groups: string[] = [];
    const commit = groupedByKey<string, string>(async (key, units) => {
      groups.push(`${key}: ${units.join(' ')}`);
      return units.map((unit) => ({ value: unit }));
    });
    expect(await Promise.all([commit('a', '1'), commit('b', '2'), commit('a', '3')])).toEqual(['1', '2', '3']);
    expect(groups).toEqual(['a: 1 3', 'b: 2']);
  });

  it('are made one by one where one of them spoils what goes together', async () => {
    const commit = groupedByKey<string, string>(async (_key, units) => {
      if (units.includes('bad')) throw new Error('spoiled');
      return units.map((unit) => ({ value: unit }));
    });
    expect(outcomes(await Promise.allSettled(['1', 'bad', '2'].map((unit) => commit('a', unit))))).toEqual(['1', 'spoiled', '2']);
  });

  it.each([
    ['together', (commit: (unit: string) => string) => groupedByKey<string, string>(async (_key, units) => units.map((unit) => ({ value: commit(unit) })))],
    ['one by one', (commit: (unit: string) => string) => oneByOne<string, string>(async (unit) => commit(unit))],
  ] as const)('that are made %s wait for a store that does not answer once, however many they are', async (_name, grouped) => {
    let asked = 0;
    const commit = grouped(() => {
      asked += 1;
      return away();
    });
    expect(outcomes(await Promise.allSettled(['1', '2', '3'].map((unit) => commit('a', unit))))).toEqual([AWAY, AWAY, AWAY]);
    expect(asked).toBe(1);
  });

  it('that are made one by one go on after one that is refused', async () => {
    const commit = oneByOne<string, string>(async (unit) => {
      if (unit === 'bad') throw new Error('refused');
      return unit;
    });
    expect(outcomes(await Promise.allSettled(['1', 'bad', '2'].map((unit) => commit('a', unit))))).toEqual(['1', 'refused', '2']);
  });
});
