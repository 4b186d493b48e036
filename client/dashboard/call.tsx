/** One call, as it is spoken. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { CallView } from '../view.ts';
import { feed } from './live.ts';
import { linkTo, route } from './route.ts';
import { clockTime } from './times.ts';

export const CallPanel = ({ id }: { readonly id: string }) => {
  const shown = useSignal({ view: new CallView(), version: 0 });
  const source = feed.value;
  useEffect(() => {
    if (source === null) return;
    const view = new CallView();
    const told = (update: Parameters<CallView['apply']>[0]): void => {
      view.apply(update, performance.now());
      shown.value = { view, version: shown.peek().version + 1 };
    };
    const following = source.call(id, {
      onEvent: (event) => told({ kind: 'event', event }),
      onInterim: (turn) => told({ kind: 'interim', turn }),
      onConfirmed: (call) => told({ kind: 'confirmed', ...call }),
      onReset: (reason) => told({ kind: 'reset', reason }),
      onLost: (from, to) => told({ kind: 'lost', from, to }),
      onSealed: (proof) => told({ kind: 'sealed', proof }),
      onError: (code) => told({ kind: 'error', code }),
    });
    return () => following.close();
  }, [source, id]);
  const { view } = shown.value;
  return (
    <section class="call" aria-label="Call">
      <a href={linkTo({ ...route.value, call: null })}>Close</a>
      <h2>{view.callSid ?? id}</h2>
      <p>
        {view.status} {view.trust === 'complete' ? 'Complete, proved' : view.trust}
      </p>
      <ol class="transcript">
        {view.items.map((item) => (
          <li key={item.key} class={item.kind === 'turn' ? `${item.speaker} ${item.state}` : 'tool'}>
            {item.kind === 'turn' ? <>{item.speaker}: <span data-words>{item.text}</span></> : `tool ${item.name ?? ''}`} {item.kind === 'turn' ? <time>{clockTime(item.timestamp)}</time> : null}
          </li>
        ))}
      </ol>
      {view.outcome === null ? null : <p class="summary">{view.outcome.transcript_summary}</p>}
    </section>
  );
};
