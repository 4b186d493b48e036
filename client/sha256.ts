/**
 * SHA-256 (FIPS 180-4) in plain code: the browser's own is asynchronous and only there in secure contexts, and a client that
 * proves completeness event by event needs it at once and everywhere.
 */

/** The standard's constants are the first 32 bits of the fractions of the roots of the first primes: shorter to work out than to list. */
const PRIMES = [...Array(312).keys()].filter((number, _, all) => number > 1 && all.slice(2, number).every((smaller) => number % smaller > 0));
const fractions = (primes: readonly number[], root: (of: number) => number): Uint32Array<ArrayBuffer> => Uint32Array.from(primes, (prime) => (root(prime) % 1) * 2 ** 32);

const K = fractions(PRIMES, Math.cbrt);
const START = fractions(PRIMES.slice(0, 8), Math.sqrt);

const at = (words: Uint32Array, place: number): number => words[place] ?? 0;

const right = (word: number, by: number): number => (word >>> by) | (word << (32 - by));
/** Two turns of the word, and what it is shifted or turned to beside them. */
const mixed = (word: number, one: number, two: number, third: number): number => right(word, one) ^ right(word, two) ^ third;

/** The message with its padding: a one bit, zeros, and its length in bits. */
const padded = (bytes: Uint8Array): DataView => {
  const view = new DataView(new ArrayBuffer((bytes.length + 72) & ~63));
  new Uint8Array(view.buffer).set(bytes);
  view.setUint8(bytes.length, 0x80);
  view.setBigUint64(view.byteLength - 8, BigInt(bytes.length) * 8n);
  return view;
};

/** Lower-case hex of SHA-256 over the UTF-8 of the text. */
export const sha256 = (text: string): string => {
  const message = padded(new TextEncoder().encode(text));
  const hash = START.slice();
  const words = new Uint32Array(64);
  for (let block = 0; block < message.byteLength; block += 64) {
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash;
    for (let round = 0; round < 64; round++) {
      const early = at(words, round - 15);
      const late = at(words, round - 2);
      words[round] =
        round < 16 ? message.getUint32(block + round * 4) : at(words, round - 16) + mixed(early, 7, 18, early >>> 3) + at(words, round - 7) + mixed(late, 17, 19, late >>> 10);
      const first = h + mixed(e, 6, 11, right(e, 25)) + ((e & f) ^ (~e & g)) + at(K, round) + at(words, round);
      const second = mixed(a, 2, 13, right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, place) => (hash[place] = at(hash, place) + word));
  }
  return [...hash].map((word) => word.toString(16).padStart(8, '0')).join('');
};
