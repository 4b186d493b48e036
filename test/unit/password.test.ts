import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { scryptPasswords } from '../../ports/password.scrypt.ts';

const kept = (password: string, N = 1024, r = 8, p = 1): string => {
  const salt = Buffer.from('0123456789abcdef');
  return ['scrypt', N, r, p, salt.toString('base64url'), scryptSync(password, salt, 32, { N, r, p }).toString('base64url')].join('$');
};
const passwords = scryptPasswords();

describe('passwords', () => {
  it('are kept with their parameters and their own salt, and verify', async () => {
    const [one, two] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')]);
    expect(one).toMatch(/^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/);
    expect(two).not.toBe(one);
    expect(await passwords.verify('correct horse', async () => one)).toBe(true);
    expect(await passwords.verify('correct Horse', async () => one)).toBe(false);
  });

  it('verify with the parameters that they were kept with', async () => {
    expect(await passwords.verify('old', async () => kept('old'))).toBe(true);
    expect(await passwords.verify('old', async () => kept('other'))).toBe(false);
  });

  it('are the same in every form of Unicode', async () => {
    expect(await passwords.verify('cafe\u0301', async () => kept('caf\u00e9'))).toBe(true);
  });

  it.each([
    ['nobody', null],
    ['nothing', ''],
    ['another way of keeping', 'bcrypt$1$1$1$aaaa$bbbb'],
    ['parameters that cost too much', `scrypt$9999999$99$3$AAAA$${Buffer.alloc(32).toString('base64url')}`],
    ['parameters that make no sense', `scrypt$0$0$0$AAAA$AAAA`],
    ['a short hash', 'scrypt$1024$8$1$AAAA$AAAA'],
  ])('of %s never verify', async (_name, stored) => {
    expect(await passwords.verify('x', async () => stored)).toBe(false);
  });

  it('that are empty or too long are refused before they cost anything', async () => {
    await expect(passwords.hash('')).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(passwords.hash('x'.repeat(257))).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await passwords.verify('x'.repeat(257), async () => kept('x'.repeat(257)))).toBe(false);
    expect(await passwords.verify('', async () => kept('x'))).toBe(false);
  });

  it('are hashed in the order they came', async () => {
    const order: number[] = [];
    await Promise.all(Array.from({ length: 6 }, (_, index) => passwords.verify('x', async () => (order.push(index), kept('y')))));
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('are hashed two at a time, go on after one that was refused, and refuse when too many wait', async () => {
    const crowded = scryptPasswords();
    const started: (() => void)[] = [];
    const held = Array.from({ length: 502 }, () =>
      crowded.verify('x', () => new Promise((_, reject) => started.push(() => reject(new EarshotError('too_many_attempts'))))).catch((error: unknown) => (error as EarshotError).code),
    );
    expect(started).toHaveLength(2);
    await expect(crowded.verify('x', async () => null)).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 10 });
    while (started.length > 0) {
      started.shift()?.();
      await new Promise(setImmediate);
    }
    expect(new Set(await Promise.all(held))).toEqual(new Set(['too_many_attempts']));
    expect(await crowded.verify('old', async () => kept('old'))).toBe(true);
  });
});
