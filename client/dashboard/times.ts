/** Times as a person reads them, in the zone of whoever looks; and the one tick that all running times share. */
import { signal } from '@preact/signals';

const TICK_MS = 1_000;

let ticking: ReturnType<typeof setInterval> | undefined;

/** `performance.now()`, anew each second while something looks at it. */
export const tick = signal(0, {
  watched() {
    this.value = performance.now();
    ticking = setInterval(() => {
      this.value = performance.now();
    }, TICK_MS);
  },
  unwatched() {
    clearInterval(ticking);
  },
});

/** The words of the page are English, so its times are, in the way of whoever looks where that is known. Some browsers name a language that is none (`en-US@posix`). */
const language = ((): string => {
  const named = globalThis.navigator.language;
  return /^en(?:-[A-Za-z]{2})?$/.test(named) ? named : 'en-US';
})();

const CLOCK = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
const DAY_AND_CLOCK = new Intl.DateTimeFormat(language, { year: 'numeric', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short' });

/** `2:03:22 PM`; nothing of what is no time. @param at RFC 3339, or milliseconds since 1970 */
export const clockTime = (at: string | number): string => format(CLOCK, at);

/** `Nov 21, 2026, 2:03:22 PM CST`: with its zone, for that is the reader's and not everybody's. @param at RFC 3339, or milliseconds since 1970 */
export const dayAndTime = (at: string | number): string => format(DAY_AND_CLOCK, at);

/** `2026-11-21 20:03:22 UTC`. @param at RFC 3339 */
export const utc = (at: string): string => `${at.slice(0, 19).replace('T', ' ')} UTC`;

const format = (way: Intl.DateTimeFormat, at: string | number): string => {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : way.format(date);
};

/** `0:07`, `12:40`, `1:02:03`. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
};

/** `now`, `12 s`, `3 min`, `2 h`, `4 d`: how long ago. */
export const age = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
};
