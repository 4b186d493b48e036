import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import { sha256 } from '../fixtures/facts.ts';

const hash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
const chain = (epoch: string, texts: readonly string[]): string => texts.reduce((digest, text) => chainNext(digest, text, sha256), chainStart(epoch, sha256));

it('is what its definition says, as anybody can compute it', () => {
  expect(chain('1.ab', ['{"a":1}', '{"b":"é"}'])).toBe(hash(`${hash(`${hash('1.ab')}{"a":1}`)}{"b":"é"}`));
});

it('differs for any text changed, left out, added, doubled or moved, and for another epoch', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 2, maxLength: 8 }), fc.nat(), fc.string({ minLength: 1 }), (texts, place, other) => {
      const at = place % texts.length;
      const whole = chain('1.a', texts);
      const others = [
        texts.toSpliced(at, 1),
        texts.toSpliced(at, 0, other),
        texts.with(at, `${texts[at] ?? ''}${other}`),
        texts.toSpliced(at, 0, texts[at] ?? ''),
        ...(texts[0] === texts[1] ? [] : [[texts[1] ?? '', texts[0] ?? '', ...texts.slice(2)]]),
      ];
      for (const changed of others) expect(chain('1.a', changed)).not.toBe(whole);
      expect(chain('1.b', texts)).not.toBe(whole);
    }),
  );
});
