import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToCharacters, cutToJsonBytes, jsonBytes, utf8Bytes, words } from '../../core/domain/text.ts';

const anyText = fc.string({ unit: fc.oneof(fc.constantFrom('a', '"', '\\', '\n', '\u0000', '\u007f', '\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '😀', '\ud800', '\udbff', '\udc00', '\udfff'), fc.string({ unit: 'binary', maxLength: 1 })) });
/** A lone surrogate: half a code point. */
const HALF = /\p{Cs}/u;

describe('the length of a text', () => {
  it.each([
    ['', 0],
    ['a', 1],
    ['\u007f', 1],
    ['\u0080', 2],
    ['\u07ff', 2],
    ['\u0800', 3],
    ['\ud7ff', 3],
    ['\ue000', 3],
    ['\uffff', 3],
    ['😀', 4],
    ['\ud800', 3],
    ['\udc00', 3],
    ['\ud800a', 4],
    ['\udc00\ud800', 6],
    ['\ud800\ud800\udc00', 7],
    ['\ud83d\ue000', 6],
  ])('%j takes %i bytes as UTF-8', (text, bytes) => {
    expect(utf8Bytes(text)).toBe(bytes);
  });

  it('is what an encoder makes of it, alone and as a JSON string', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
        expect(jsonBytes(text)).toBe(Buffer.byteLength(JSON.stringify(text)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a text cut to bytes', () => {
  it.each([
    ['abc', 5, 'abc'],
    ['abcd', 5, 'abc'],
    ['abc', 2, ''],
    ['abc', 0, ''],
    ['a"b', 5, 'a"'],
    ['a\u0000b', 8, 'a'],
    ['a\u0000b', 9, 'a\u0000'],
    ['a😀b', 6, 'a'],
    ['a😀b', 7, 'a😀'],
    ['ab😀', 10, 'ab😀'],
    ['😀😀', 6, '😀'],
    ['😀', 5, ''],
    ['\ud800bc', 9, '\ud800b'],
    ['\udc00bc', 9, '\udc00b'],
  ])('%j in %i is %j', (text, bytes, expected) => {
    expect(cutToJsonBytes(text, bytes)).toBe(expected);
  });

  it('is a start of the text, as long as fits, that ends in no half character', () => {
    fc.assert(
      fc.property(anyText, fc.nat({ max: 60 }), (text, bytes) => {
        const cut = cutToJsonBytes(text, bytes);
        expect(text.startsWith(cut)).toBe(true);
        if (cut !== '') expect(jsonBytes(cut)).toBeLessThanOrEqual(bytes);
        if (jsonBytes(text) <= bytes) expect(cut).toBe(text);
        else {
          const next = String.fromCodePoint(text.codePointAt(cut.length) ?? 0);
          expect(jsonBytes(cut + next)).toBeGreaterThan(bytes);
          expect(HALF.test(cut) && !HALF.test(text)).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a text cut to characters', () => {
  it.each([
    ['abcd', 4, 'abcd'],
    ['abcde', 4, 'abc…'],
    ['ab😀d', 5, 'ab😀d'],
    ['ab😀de', 5, 'ab😀…'],
    ['abc😀e', 5, 'abc…'],
    ['ab\udbffcde', 4, 'ab\udbff…'],
    ['ab\udc00cde', 4, 'ab\udc00…'],
    ['ab\ud7ffcde', 4, 'ab\ud7ff…'],
  ])('%j in %i is %j', (text, characters, expected) => {
    expect(cutToCharacters(text, characters)).toBe(expected);
  });
});

describe('the words of a text', () => {
  it.each([
    ['', []],
    [' - ... ', []],
    ['Hello, there!', ['hello', 'there']],
    ["I'm at A-1", ['i', 'm', 'at', 'a', '1']],
    ['ＦＵＬＬ ½', ['full', '1', '2']],
    ['  Über\n\tSão  ', ['über', 'são']],
    ['日本 語', ['日本', '語']],
  ])('of %j are %j', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });
});
