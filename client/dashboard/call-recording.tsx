/** The recording of a call: fetched only when somebody wants to hear it, and forgotten with the panel. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { askFile } from './api.ts';
import { ApiProblem, sentenceOf } from './http.ts';

export const Recording = ({ id }: { readonly id: string }) => {
  const url = useSignal<string | null>(null);
  const said = useSignal<string | null>(null);
  const busy = useSignal(false);
  const control = useMemo(() => new AbortController(), []);
  useEffect(
    () => () => {
      control.abort();
      if (url.peek() !== null) URL.revokeObjectURL(url.peek() ?? '');
    },
    [],
  );
  const load = async (): Promise<void> => {
    const { signal } = control;
    busy.value = true;
    said.value = null;
    try {
      const file = await askFile(`/calls/${encodeURIComponent(id)}/audio`, { signal });
      if (!signal.aborted) url.value = URL.createObjectURL(file);
    } catch (error) {
      said.value = error instanceof ApiProblem && error.code === 'recording_not_found' ? 'There is no recording of this call.' : sentenceOf(error);
    } finally {
      busy.value = false;
    }
  };
  if (url.value !== null) return <audio controls src={url.value} aria-label="Recording of the call" />;
  return (
    <p class="recording">
      {said.value === null || busy.value ? (
        <button onClick={() => void load()} disabled={busy.value}>
          {busy.value ? 'Fetching the recording ...' : 'Listen to the recording'}
        </button>
      ) : (
        <span class="hint" role="status">
          {said.value}
        </span>
      )}
    </p>
  );
};
