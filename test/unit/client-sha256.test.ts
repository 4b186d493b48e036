import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../client/sha256.ts';

const reference = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the client\'s SHA-256', () => {
  it.each(['', 'abc', 'Grüße 👋', 'x'.repeat(55), 'x'.repeat(56), 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(119), 'x'.repeat(100_000)])('agrees with Node on %j', (text) => {
    expect(sha256(text)).toBe(reference(text));
  });

  it('agrees with Node on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => sha256(text) === reference(text)));
  });
});
