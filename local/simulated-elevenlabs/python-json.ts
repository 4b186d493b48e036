/**
 * JSON as Python's `json.dumps` writes it with its defaults, which is how ElevenLabs' webhook bodies look on the wire:
 * `", "` and `": "` as separators and everything outside ASCII as `\uXXXX`. Such a body does not survive
 * parse-and-restringify, so a receiver that signs anything but the raw bytes is found out.
 * @param value what JSON.stringify takes; fields that are undefined are left out
 */
export const pythonJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((entry) => pythonJson(entry ?? null)).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${quoted(name)}: ${pythonJson(field)}`).join(', ')}}`;
  }
  if (typeof value === 'string') return quoted(value);
  return JSON.stringify(value ?? null);
};

const quoted = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
