/** What the events of a call do not tell: whom it was to reach, by what number, and when it was asked for. Read by REST, kept up to date. */
import { signal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { CallView as CallFacts } from '../../core/protocol/rest.ts';
import { ask } from './api.ts';
import { session } from './session.ts';

export type { CallFacts };

const AGAIN_MS = 10_000;

/** @param version another one after something that may have changed them. null: not known yet */
export const useFacts = (id: string, version: string): ReadonlySignal<CallFacts | null> => {
  const facts = useMemo(() => signal<CallFacts | null>(null), [id]);
  const who = session.value;
  useEffect(() => {
    if (who === null) return;
    const control = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    const read = (): void => {
      ask<CallFacts>(`/calls/${encodeURIComponent(id)}`, { signal: control.signal }).then(
        (read) => (facts.value = read),
        () => {
          // A call that is not there is said by its follower; whatever else it was may be over soon.
          if (!control.signal.aborted) again = setTimeout(read, AGAIN_MS);
        },
      );
    };
    read();
    return () => {
      control.abort();
      clearTimeout(again);
    };
  }, [id, version, who]);
  return facts;
};
