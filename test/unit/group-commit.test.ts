import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { groupCommits } from '../../ports/group-commit.ts';

/** A store in memory: what a transaction wrote is there only once it has committed. */
const store = (commit: (attempt: number) => Promise<void> = () => Promise.resolve()) => {
  const written: string[] = [];
  let draft: string[] = [];
  let attempts = 0;
  const commits = groupCommits(async (work) => {
    attempts += 1;
    draft = [];
    work();
    const made = draft;
    await commit(attempts);
    written.push(...made);
  });
  const write = (word: string): Promise<string> =>
    commits(() => {
      if (word.startsWith('bad')) throw new Error(word);
      draft.push(word);
      return word;
    });
  return { written, write, attempts: () => attempts };
};

const said = (results: readonly PromiseSettledResult<string>[]): string[] => results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as Error).message));

describe('group commit', () => {
  it('commits together what comes together, and what comes during a commit in the next', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const log = store((attempt) => (attempt === 1 ? held : Promise.resolve()));
    const first = [log.write('a'), log.write('b')];
    await expect.poll(() => log.attempts()).toBe(1);
    const second = [log.write('c'), log.write('d')];
    release();
    expect(await Promise.all([...first, ...second])).toEqual(['a', 'b', 'c', 'd']);
    expect(log.written).toEqual(['a', 'b', 'c', 'd']);
    expect(log.attempts()).toBe(2);
  });

  it('answers nobody before the commit', async () => {
    let release: () => void = () => undefined;
    const log = store(() => new Promise<void>((resolve) => (release = resolve)));
    let answered = false;
    const write = log.write('a').then(() => (answered = true));
    await expect.poll(() => log.attempts()).toBe(1);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    release();
    await write;
    expect(log.written).toEqual(['a']);
  });

  it('answers what the run that was committed made, where a transaction had to run the work again', async () => {
    let runs = 0;
    const commits = groupCommits(async (work) => {
      // As a busy database does: nothing of the first run is there.
      work();
      work();
    });
    const results = await Promise.all(['a', 'b'].map((word) => commits(() => `${word}${++runs}`)));
    expect(results).toEqual(['a3', 'b4']);
  });

  it('lets one bad piece of work fail alone', async () => {
    const log = store();
    expect(said(await Promise.allSettled([log.write('a'), log.write('bad one'), log.write('c')]))).toEqual(['a', 'bad one', 'c']);
    expect(log.written).toEqual(['a', 'c']);
  });

  it('asks a store that does not answer once for all of them, not anew for each', async () => {
    const log = store(() => Promise.reject(new EarshotError('store_unavailable')));
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, index) => log.write(`w${index}`)));
    expect(results.map((result) => (result.status === 'rejected' ? (result.reason as EarshotError).code : 'answered'))).toEqual(results.map(() => 'store_unavailable'));
    expect(log.attempts()).toBe(1);
    expect(log.written).toEqual([]);
  });

  it('asks no more once the store stops answering while each is committed alone', async () => {
    const log = store((attempt) => (attempt === 2 ? Promise.reject(new EarshotError('store_unavailable')) : Promise.resolve()));
    const results = await Promise.allSettled([log.write('a'), log.write('bad one'), log.write('c')]);
    expect(results.map((result) => (result.status === 'rejected' && result.reason instanceof EarshotError ? result.reason.code : 'other'))).toEqual(['store_unavailable', 'store_unavailable', 'store_unavailable']);
    expect(log.attempts()).toBe(2);
  });
});
