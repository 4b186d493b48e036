/** The calls that this page knows to be erased: nothing of them stays on the screen, also in lists that were read before. */
import { signal } from '@preact/signals';

/** By call_sid, and by the id that somebody opened. */
export const erasedCalls = signal<ReadonlySet<string>>(new Set());

export const noteErased = (id: string): void => {
  if (!erasedCalls.peek().has(id)) erasedCalls.value = new Set([...erasedCalls.peek(), id]);
};
