/**
 * SHA-256 (FIPS 180-4) in plain code: the browser's own is asynchronous and only there in secure contexts, and a client that
 * proves completeness event by event needs it at once and everywhere.
 */

/** The standard's constants are the first 32 bits of the fractions of the roots of the first primes: shorter to work out than to list. */
const PRIMES = [...Array(312).keys()].filter((number, _, all) => number > 1 && all.slice(2, number).every((smaller) => number % smaller));
const fractions = (root: (of: number) => number): number[] => PRIMES.map((prime) => ((root(prime) % 1) * 2 ** 32) | 0);

const K = fractions(Math.cbrt);
const START = fractions(Math.sqrt).slice(0, 8);

/** The exclusive or of a word turned right by two distances and of what it is turned or shifted to beside them. */
const mixed = (word: number, one: number, two: number, third: number): number => right(word, one) ^ right(word, two) ^ third;
const right = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** Lower-case hex of SHA-256 over the UTF-8 of the text. */
export const sha256 = (text: string): string => {
  const bytes = new TextEncoder().encode(text);
  // The message with its padding: a one bit, zeros, and its length in bits.
  const message = new DataView(new ArrayBuffer((bytes.length + 72) & ~63));
  bytes.forEach((byte, place) => message.setUint8(place, byte));
  message.setUint8(bytes.length, 0x80);
  message.setUint32(message.byteLength - 4, bytes.length * 8);
  let hash = START;
  for (let block = 0; block < message.byteLength; block += 64) {
    const words: number[] = [];
    let state = hash;
    K.forEach((constant, round) => {
      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
      const back = (by: number): number => words[round - by] ?? 0;
      const word = round < 16 ? message.getUint32(block + round * 4) : (back(16) + mixed(back(15), 7, 18, back(15) >>> 3) + back(7) + mixed(back(2), 17, 19, back(2) >>> 10)) | 0;
      words.push(word);
      const first = h + mixed(e, 6, 11, right(e, 25)) + ((e & f) ^ (~e & g)) + constant + word;
      const second = mixed(a, 2, 13, right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      state = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
    });
    hash = hash.map((word, place) => (word + (state[place] ?? 0)) | 0);
  }
  return hash.map((word) => (word + 2 ** 33).toString(16).slice(-8)).join('');
};
