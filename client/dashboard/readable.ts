/** Text that somebody else wrote, made safe to read: nothing in it can reorder what stands around it or hide itself. It is never markup. */

/** Marks that turn the direction of writing around until they are closed, also beyond the text that has them. */
const TURNING = /[\u202A-\u202E\u2066-\u2069]/g;
/** Controls that a screen shows as nothing; tab and line ends are none of these. */
// The range is meant: control characters are what is looked for.
const CONTROLS = new RegExp('[\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F]', 'g');

const named = (character: string): string => `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;

/** The same text, its invisible controls written out: `[U+202E]`. */
export const readable = (text: string): string => text.replace(TURNING, named).replace(CONTROLS, named);

/** Its beginning, never cut within a character; the text itself where it is short enough. @param most in UTF-16 units */
export const cut = (text: string, most: number): string => {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
};
