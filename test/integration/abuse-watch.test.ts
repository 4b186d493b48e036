/** The watch over a process's memory sees a leak, and takes nothing else for one. */
import { describe, expect, it } from 'vitest';
import { leakWatch, memoryOf, type LeakWatch } from '../fixtures/abuse.ts';
import { startChild } from '../fixtures/processes.ts';

/** A server each request to which keeps as many bytes as its path says, up to a bound. */
const SERVER = `
  import { createServer } from 'node:http';
  const kept = [];
  createServer((request, response) => {
    const [, bytes, most] = request.url.split('/').map(Number);
    if (kept.length * bytes < most) kept.push(Array.from({ length: bytes / 8 }, (_, i) => i + 0.5));
    response.end();
  }).listen(0, '127.0.0.1', function () { process.stdout.write('at ' + this.address().port + '\\n'); });
`;
const TIMES = 5;
/** What a run once left by chance in its third round. */
const ROUND_BYTES = 650_744;

const watched = async (): Promise<{ readonly watch: LeakWatch; request(path: string): (from: number) => Promise<void>; readonly rounds: () => number }> => {
  const child = await startChild(['--expose-gc', '--import', './test/fixtures/observed.ts', '--input-type=module', '-e', SERVER], {}, /at (\d+)\n/);
  let rounds = 0;
  return {
    watch: leakWatch(async () => (await memoryOf(child)).held),
    request: (path) => async () => {
      rounds += 1;
      for (let time = 0; time < TIMES; time++) await (await fetch(`http://127.0.0.1:${child.ready}${path}`, { signal: AbortSignal.timeout(30_000) })).arrayBuffer();
    },
    rounds: () => rounds,
  };
};
const perRequest = Math.ceil(ROUND_BYTES / TIMES / 8) * 8;

describe('the watch over the memory of a process', () => {
  it('sees a leak of the size that chance once had', async () => {
    const { watch, request } = await watched();
    await watch(request('/0/0'), TIMES);
    await expect(watch(request(`/${perRequest}/${Number.MAX_SAFE_INTEGER}`), TIMES)).rejects.toThrow(/each of \d+ rounds of 5 abuses left more than \d+ bytes behind/);
  });

  it('sees a leak of half that size', async () => {
    const { watch, request } = await watched();
    await watch(request('/0/0'), TIMES);
    await expect(watch(request(`/${Math.ceil(perRequest / 16) * 8}/${Number.MAX_SAFE_INTEGER}`), TIMES)).rejects.toThrow(/left more than/);
  });

  it('takes what fills up within a few rounds for none', async () => {
    const { watch, request, rounds } = await watched();
    await watch(request('/0/0'), TIMES);
    const before = rounds();
    await watch(request(`/${perRequest}/${ROUND_BYTES * 3}`), TIMES);
    expect(rounds() - before).toBeGreaterThan(3);
  });

  it('takes noise that comes and goes for none', async () => {
    const sawtooth = [10e6, 10.5e6, 10.5e6, 11e6, 11e6, 10.1e6];
    const watch = leakWatch(async () => sawtooth.shift() ?? 0);
    await watch(async () => undefined, TIMES);
    await watch(async () => undefined, TIMES);
    expect(sawtooth).toEqual([]);
  });
});
