/** Lengths and cuts of text, by code points and by the bytes it takes on the wire. */

const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** Bytes of the UTF-8 form; a lone surrogate counts as the three bytes of its replacement. */
export const utf8Bytes = (text: string): number => {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isHigh(unit) && isLow(text.charCodeAt(i + 1))) {
      bytes += 4;
      i += 1;
    } else bytes += 3;
  }
  return bytes;
};

/** Bytes as a JSON string: control characters and lone surrogates take six, so a short text can make a long frame. */
export const jsonBytes = (text: string): number => utf8Bytes(JSON.stringify(text));

/** The start of the text of this many UTF-16 units; one less where that would halve a code point. */
const startOf = (text: string, units: number): string => text.slice(0, isHigh(text.charCodeAt(units - 1)) && isLow(text.charCodeAt(units)) ? units - 1 : units);

/** The longest start of the text, ending at a code point, that takes at most `bytes` as a JSON string. */
export const cutToJsonBytes = (text: string, bytes: number): string => {
  if (jsonBytes(text) <= bytes) return text;
  let low = 0;
  let high = Math.min(text.length, bytes);
  // Half a code point is escaped and takes more than the whole: only whole ones grow with every step.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (jsonBytes(startOf(text, middle)) <= bytes) low = middle;
    else high = middle - 1;
  }
  return startOf(text, low);
};

/** The first `characters` UTF-16 units, never half a code point; with an ellipsis where something was cut. */
export const cutToCharacters = (text: string, characters: number): string => (text.length <= characters ? text : `${startOf(text, characters - 1)}…`);

/** Lower case, letters and digits only, words in order: what two transcriptions of one utterance share. */
export const words = (text: string): string[] =>
  text
    .toLowerCase()
    .normalize('NFKC')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
