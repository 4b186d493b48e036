/** Phone numbers by grammar and prefix only: no numbering plan knows every number that may be called (`+1555...` must work). */

/** E.164: a plus sign and 8 to 15 digits, the first not 0. Nothing before or after, no spaces, no line ends. */
const E164 = /^\+[1-9]\d{7,14}$/;

/** Whether the text is a number in E.164 form. */
export const isPhoneNumber = (text: string): boolean => text.length <= 16 && E164.test(text);

/** Whether a number begins with one of the prefixes (`+1`, `+4930`). */
export const hasAllowedPrefix = (number: string, prefixes: readonly string[]): boolean => prefixes.some((prefix) => number.startsWith(prefix));
