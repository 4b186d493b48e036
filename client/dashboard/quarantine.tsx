/** Deliveries that came with a good signature and could not be used: why, and another try. */
import { useSignal } from '@preact/signals';
import type { DeliveryView } from '../../core/protocol/rest.ts';
import { ask } from './api.ts';
import { ApiProblem, sentenceOf } from './http.ts';
import { counted } from './numbers.ts';
import { usePages } from './pages.ts';
import { reasonWords, resultWords, routeWords } from './quarantine-words.ts';
import './quarantine.css';
import { linkTo } from './route.ts';
import { may } from './session.ts';
import { dayAndTimeText, zoneName } from './times-of-day.ts';
import { Name } from './words.tsx';

/** What became of a delivery that was tried again. */
interface Tried {
  readonly words: string;
  readonly used: boolean;
  readonly call: string | null;
}

const tryAgain = async (id: string): Promise<Tried> => {
  try {
    const { result, call_sid } = await ask<{ readonly result: string; readonly call_sid: string | null }>(`/quarantine/${encodeURIComponent(id)}/redrive`, { method: 'POST' });
    return { words: resultWords(result), used: result === 'used', call: call_sid };
  } catch (error) {
    // Somebody else was faster, or it was used by itself.
    if (error instanceof ApiProblem && error.code === 'delivery_not_found') return { words: 'It is not here any more.', used: true, call: null };
    return { words: sentenceOf(error), used: false, call: null };
  }
};

export const Quarantine = () => {
  const list = usePages('quarantine', async (cursor, signal) => {
    const { deliveries, next_cursor } = await ask<{ readonly deliveries: readonly DeliveryView[]; readonly next_cursor: string | null }>('/quarantine', { query: { cursor }, signal });
    return { rows: deliveries, next: next_cursor };
  });
  const tried = useSignal<ReadonlyMap<string, Tried>>(new Map());
  const trying = useSignal<ReadonlySet<string>>(new Set());
  const { rows, next, reading, problem } = list.pages.value;
  const waiting = (rows ?? []).filter(({ id }) => tried.value.get(id)?.used !== true);

  const drive = async (ids: readonly string[]): Promise<void> => {
    trying.value = new Set(ids);
    // One after another: each may read a whole call from ElevenLabs.
    for (const id of ids) {
      const became = await tryAgain(id);
      tried.value = new Map([...tried.peek(), [id, became]]);
      trying.value = new Set([...trying.peek()].filter((other) => other !== id));
    }
  };
  const busy = trying.value.size > 0;
  return (
    <>
      <div class="toolbar">
        <p class="hint">Deliveries from ElevenLabs or your tools that are genuine, and could not be used. Nothing of them is lost.</p>
        <button type="button" class="quiet" disabled={reading || busy} onClick={() => list.again()}>
          Refresh
        </button>
        {may('quarantine.redrive') && waiting.length > 0 ? (
          <button type="button" disabled={busy} onClick={() => void drive(waiting.map(({ id }) => id))}>
            {busy ? `Trying, ${trying.value.size} to go ...` : `Try all ${waiting.length === 1 ? '' : `${waiting.length} `}shown again`}
          </button>
        ) : null}
        <p class="count" role="status">
          {rows === null ? '' : `${counted(waiting.length, 'delivery', 'deliveries')}${next === null ? '' : ', more below'}`}
        </p>
      </div>
      {problem === null ? null : <p class="problem">{problem}</p>}
      <div class="scroll" aria-busy={reading}>
        {rows === null || rows.length === 0 ? (
          <div class="empty">
            <strong>{rows !== null ? 'Nothing is in quarantine.' : problem === null ? 'Looking ...' : 'The deliveries could not be read.'}</strong>
            {rows === null ? null : 'That is good: every delivery that came was used.'}
          </div>
        ) : (
          <ul class="deliveries">
            {rows.map((delivery) => (
              <Delivery key={delivery.id} delivery={delivery} tried={tried.value.get(delivery.id)} busy={trying.value.has(delivery.id)} disabled={busy} onTry={() => void drive([delivery.id])} />
            ))}
          </ul>
        )}
        {next === null ? null : (
          <p class="more">
            <button type="button" disabled={reading} onClick={() => list.more()}>
              {reading ? 'Loading ...' : 'Load more'}
            </button>
          </p>
        )}
      </div>
    </>
  );
};

interface DeliveryProps {
  readonly delivery: DeliveryView;
  readonly tried: Tried | undefined;
  readonly busy: boolean;
  readonly disabled: boolean;
  readonly onTry: () => void;
}

const Delivery = ({ delivery, tried, busy, disabled, onTry }: DeliveryProps) => {
  const { id, workspace, route, type, reason, conversation_id, agent_id, call_sid, received_at, count } = delivery;
  const ids: readonly (readonly [string, string | null])[] = [
    ['Conversation', conversation_id],
    ['Agent', agent_id],
    ['Call', call_sid],
    ['Workspace', workspace],
    // Enough of a hash to find it by.
    ['Delivery', id.slice(0, 16)],
  ];
  return (
    <li class={tried?.used === true ? 'used' : undefined}>
      <h3>
        {routeWords(route)}
        {type === null ? null : (
          <span class="hint">
            {' '}
            <Name text={type.replaceAll('_', ' ')} />
          </span>
        )}
      </h3>
      <p class="when hint">
        <time dateTime={received_at}>
          {dayAndTimeText(received_at)} {zoneName(Date.parse(received_at))}
        </time>
        {count > 1 ? `, came ${count} times` : ''}
      </p>
      <p class="why">{reasonWords(reason)}</p>
      <dl class="facts">
        {ids.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd class="mono">
                <Name text={value} />
              </dd>
            </div>
          ),
        )}
      </dl>
      <div class="try" role="status">
        {tried === undefined ? null : (
          <p class={tried.used ? 'good' : 'bad'}>
            {tried.words} {tried.call === null ? null : <a href={linkTo({ view: 'quarantine', call: tried.call })}>Open the call</a>}
          </p>
        )}
      </div>
      {may('quarantine.redrive') && tried?.used !== true ? (
        <button type="button" class="small again" disabled={disabled} onClick={onTry}>
          {busy ? 'Trying ...' : 'Try again'}
        </button>
      ) : null}
    </li>
  );
};
