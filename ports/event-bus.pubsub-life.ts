/** Time as a way over the network needs it: answers that are waited for only so long, waits that end when everything does. */
import { EarshotError } from '../core/protocol/codes.ts';
import type { Runtime } from './runtime.ts';

/** Rejects with `store_unavailable` when the answer has not come in time; what comes later is nobody's. */
export const within = <T>(runtime: Runtime, ms: number, answer: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const late = runtime.after(ms, () => reject(new EarshotError('store_unavailable')));
    answer.then(resolve, reject).finally(() => late.cancel());
  });

/** Something that is over once, for all who wait. */
export interface Ending {
  isOver(): boolean;
  readonly ended: Promise<void>;
  end(): void;
}

export const ending = (): Ending => {
  let over = false;
  let tell: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (tell = resolve));
  return {
    isOver: () => over,
    ended,
    end: () => {
      over = true;
      tell();
    },
  };
};

/** Waits so long, or until it is over. */
export const pause = async (runtime: Runtime, ms: number, { ended }: Ending): Promise<void> => {
  let cancel = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    const timer = runtime.after(ms, resolve);
    cancel = () => timer.cancel();
  });
  await Promise.race([passed, ended]);
  cancel();
};

/** Doubles from `firstMs` to `mostMs`, by chance between the half and the whole: many who lost the same do not come back at once. */
export const backOff = (runtime: Runtime, firstMs: number, mostMs: number): { next(): number; reset(): void } => {
  let waitMs = firstMs;
  return {
    next: () => {
      const ms = waitMs * (0.5 + runtime.random() / 2);
      waitMs = Math.min(waitMs * 2, mostMs);
      return ms;
    },
    reset: () => {
      waitMs = firstMs;
    },
  };
};
