/** Who is called, how far it is, and how much of it is on the screen: always in sight. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { CallFacts } from './call-facts.ts';
import type { Followed } from './call-follow.ts';
import { outcomeText, reasonSentence, TRUST_SENTENCES, TRUST_WORDS } from './call-words.ts';
import { boardAt, boardFresh, feed } from './live.ts';
import { costText } from './numbers.ts';
import { STATUS_SENTENCES, STATUS_WORDS } from './status-words.ts';
import { dayAndTime, duration, tick, utc } from './times.ts';
import { Name } from './words.tsx';

export interface CallHeadProps {
  readonly id: string;
  readonly followed: Followed;
  readonly facts: CallFacts | null;
  readonly onClose: () => void;
  readonly onLoadAgain: () => void;
  /** What may be done with the call. */
  readonly children: ComponentChildren;
}

/** The id of the heading: the focus goes there when a call opens. */
export const CALL_HEADING = 'call-heading';

export const CallHead = ({ id, followed, facts, onClose, onLoadAgain, children }: CallHeadProps) => {
  const { view } = followed;
  const number = facts?.driver?.phoneNumber ?? facts?.to_number ?? null;
  const agent = facts?.agent_id ?? null;
  const callSid = view.callSid ?? id;
  const startedAt = view.startedAt ?? facts?.started_at ?? null;
  const askedAt = view.requestedAt ?? facts?.created_at ?? null;
  return (
    <header class="call-head">
      <div class="stays">
        <div class="first">
          <h2 id={CALL_HEADING} tabIndex={-1}>
            <Name text={facts?.driver?.driverName ?? number ?? callSid} />
          </h2>
          {view.status === null ? null : (
            <span class={`badge ${view.status}`} title={STATUS_SENTENCES[view.status]}>
              {STATUS_WORDS[view.status]}
            </span>
          )}
          <Lasted followed={followed} facts={facts} />
          <button class="quiet close" onClick={onClose} title="Close this call (Escape)">
            Close
          </button>
        </div>
        <Seal followed={followed} onLoadAgain={onLoadAgain} />
      </div>
      {children}
      <p class="about">
        {number === null ? null : (
          <span>
            <span class="visually-hidden">Number </span>
            <Name text={number} />
          </span>
        )}
        {agent === null ? null : (
          <span>
            <span class="label">Agent</span> <Name text={agent} />
          </span>
        )}
        {startedAt !== null ? <At label="Started" at={startedAt} /> : askedAt === null ? null : <At label="Asked for" at={askedAt} />}
      </p>
      <p class="about ids">
        <Id label="Call" text={callSid} />
        {view.conversationId === null || view.conversationId === callSid ? null : <Id label="Conversation" text={view.conversationId} />}
      </p>
    </header>
  );
};

const At = ({ label, at }: { readonly label: string; readonly at: string }) => (
  <span>
    <span class="label">{label}</span>{' '}
    <time dateTime={at} title={utc(at)}>
      {dayAndTime(at)}
    </time>
  </span>
);

/** How long it has lasted, by the server's clock: the one on this desk may be wrong. Without a connection it stands still: nobody here knows whether the call goes on. */
const Lasted = ({ followed: { view }, facts }: { readonly followed: Followed; readonly facts: CallFacts | null }) => {
  const startedAt = view.startedAt ?? facts?.started_at ?? null;
  const told = view.outcome?.call_duration_seconds ?? null;
  if (view.over || view.endedAt !== null) {
    const seconds = told ?? (startedAt === null || view.endedAt === null ? null : (Date.parse(view.endedAt) - Date.parse(startedAt)) / 1000);
    return seconds === null ? null : <span class="lasted">{duration(seconds)}</span>;
  }
  if (view.status !== 'in_progress' || startedAt === null || tick.value === 0) return null;
  const now = boardFresh.value ? (feed.value?.serverNow() ?? null) : boardAt.value;
  return now === null ? null : (
    <span class="lasted" aria-hidden="true">
      {duration((now - Date.parse(startedAt)) / 1000)}
    </span>
  );
};

const Id = ({ label, text }: { readonly label: string; readonly text: string }) => {
  const words = useSignal('Copy');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      words.value = 'Copied';
    } catch {
      // A page that is not served by https has no clipboard at all; the id can be selected all the same.
      words.value = 'Cannot copy here';
    }
    setTimeout(() => (words.value = 'Copy'), 2_000);
  };
  return (
    <span class="id">
      <span class="label">{label}</span>{' '}
      <code class="one-line" title={text}>
        <Name text={text} />
      </code>
      <button class="quiet small" aria-label={`Copy ${label.toLowerCase()} id`} onClick={() => void copy()}>
        {words.value}
      </button>
    </span>
  );
};

/** Whether this is all, in words; and of a call that has ended, how it went. */
const Seal = ({ followed: { view }, onLoadAgain }: { readonly followed: Followed; readonly onLoadAgain: () => void }) => {
  const { trust, outcome, lost } = view;
  return (
    <div class="seal-line">
      <span class={`seal ${trust}`} role="status" title={TRUST_SENTENCES[trust]}>
        {trust === 'missing' ? TRUST_WORDS.missing : `Record: ${TRUST_WORDS[trust].toLowerCase()}`}
      </span>
      {trust === 'missing' ? (
        <>
          <span>{lost.length === 0 ? 'What came does not match the seal of the call.' : `${lost.map(({ from, to }) => (from === to ? `Event ${from}` : `Events ${from} to ${to}`)).join(', ')} cannot be had.`}</span>
          <button class="small" onClick={onLoadAgain}>
            Load again from the start
          </button>
        </>
      ) : null}
      {outcome === null || !view.over ? null : <span>{[view.status === 'failed' && view.reason !== null ? reasonSentence(view.reason) : outcomeText(outcome), costText(outcome.cost, outcome.cost_credits)].filter((part) => part !== '').join(', ')}</span>}
    </div>
  );
};
