/** Numbers as the page's English writes them. */

const WHOLE = new Intl.NumberFormat('en-US');
const DOLLARS = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: 4 });

/** `2,014`. */
export const whole = (value: number): string => WHOLE.format(value);

/** `1 call`, `2,014 calls`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${whole(count)} ${count === 1 ? one : many}`;

/** `$0.0342`. */
export const dollars = (value: number): string => DOLLARS.format(value);

/** What was paid, in what it was paid; empty where nothing is known. Credits are never made into dollars. */
export const costText = (cost: number | null, credits: number | null): string => {
  if (cost !== null) return dollars(cost);
  return credits === null ? '' : counted(credits, 'credit');
};

/** `340 ms`, `1.2 s`. */
export const delayText = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
