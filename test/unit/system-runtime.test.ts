import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemRuntime } from '../../ports/runtime.system.ts';

afterEach(() => void vi.restoreAllMocks());

describe('chance of this process', () => {
  it('is never given out twice, whatever is asked for, and is as long as it was asked for', () => {
    const { randomHex } = systemRuntime();
    const sizes = Array.from({ length: 6_000 }, (_, nth) => [6, 8, 12, 16, 32, 24, 1_000][nth % 7] ?? 8);
    const given = sizes.map((size) => randomHex(size));
    expect(given.map((hex) => hex.length)).toEqual(sizes.map((size) => 2 * size));
    expect(given.filter((hex) => !/^[0-9a-f]+$/.test(hex))).toEqual([]);
    // Six bytes are the same by chance once in some millions of such runs.
    const parts = given.flatMap((hex) => (hex.length > 12 ? [hex.slice(0, 12), hex.slice(-12)] : [hex]));
    expect(new Set(parts).size).toBe(parts.length);
    // Where two would share a byte, it was wiped: of 6,000 some 23 begin with zero by chance, and as many end with it.
    expect(given.filter((hex) => hex.startsWith('00')).length).toBeLessThan(120);
    expect(given.filter((hex) => hex.endsWith('00')).length).toBeLessThan(120);
  });

  it('is wiped as it is given out, so that nothing of a secret stays behind', () => {
    const fill = vi.spyOn(Buffer.prototype, 'fill');
    const { randomHex } = systemRuntime();
    const given = [8, 16, 1_000, 3].map((size) => randomHex(size));
    const pools = [...new Set(fill.mock.contexts as Buffer[])];
    expect(pools).toHaveLength(2);
    for (const hex of given) for (const pool of pools) expect(pool.toString('hex').includes(hex)).toBe(false);
  });

  it('comes in one piece where more is asked for than is kept ready', () => {
    const { randomHex } = systemRuntime();
    const before = randomHex(8);
    const much = randomHex(5_000);
    expect(much).toHaveLength(10_000);
    expect(new Set(much.match(/.{16}/g)).size).toBe(625);
    expect([randomHex(0), randomHex(8) === before]).toEqual(['', false]);
  });

  it('is not that of another runtime of the same process', () => {
    const [one, other] = [systemRuntime(), systemRuntime()];
    expect(new Set([one.randomHex(8), other.randomHex(8), one.randomHex(8), other.randomHex(8)]).size).toBe(4);
  });
});
