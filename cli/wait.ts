import { setTimeout } from 'node:timers/promises';

/** Ends after that many milliseconds, or at once when the signal fires. Keeps the process alive. */
export const pause = async (ms: number, stop: AbortSignal): Promise<void> => {
  await setTimeout(ms, undefined, { signal: stop }).catch(() => undefined);
};
