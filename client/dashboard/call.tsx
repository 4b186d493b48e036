/** One call beside the view it was opened from: as it is spoken, and whatever is known of it afterwards. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { CallView } from '../view.ts';
import { CallActions } from './call-actions.tsx';
import './call.css';
import { useFacts } from './call-facts.ts';
import { useCall, type Followed } from './call-follow.ts';
import { CALL_HEADING, CallHead } from './call-head.tsx';
import { CallOutcome } from './call-outcome.tsx';
import { Transcript } from './call-transcript.tsx';
import { activityText, refusalText } from './call-words.ts';
import { noteErased } from './erased.ts';
import { boardRows, connection, feed, stoppedBy } from './live.ts';
import { go, linkTo, route } from './route.ts';
import { person } from './session.ts';
import { useEnd } from './stay-at-end.ts';
import { tick } from './times.ts';
import { Name } from './words.tsx';

/** Nothing was said for this long: one wonders whether it still works. */
const SILENT_AFTER_MS = 15_000;

/** @param id call_sid or conversation_id */
export const CallPanel = ({ id }: { readonly id: string }) => {
  const { followed, opening, again } = useCall(id);
  const isErased = useSignal(false);
  const shown = followed.value;
  const view = shown?.view ?? null;
  const close = useOpened(id, view === null);
  const facts = useFacts(view?.callSid ?? id, `${view?.status ?? ''} ${view?.amendments.length ?? 0}`).value;
  // A call that goes on is read at its end, one that is over from its beginning.
  const follows = useRef<boolean | null>(null);
  if (follows.current === null && view?.status != null && !opening.value) follows.current = !view.over;
  const { place, below, toEnd, onScroll } = useEnd(view?.items, follows.current === true);
  const isGone = isErased.value || view?.refused === 'call_erased';
  const callSid = view?.callSid ?? id;
  useEffect(() => {
    if (isGone) noteErased(callSid);
  }, [isGone, callSid]);
  const refusal = isGone ? refusalText('call_erased') : view === null || view.refused === null ? null : refusalText(view.refused);

  if (view === null || shown === null || refusal !== null) {
    return (
      <section class="call" aria-labelledby={CALL_HEADING}>
        <header class="call-head">
          <div class="stays">
            <div class="first">
              <h2 id={CALL_HEADING} tabIndex={-1}>
                <Name text={boardRows.value?.find(({ call_sid, conversation_id }) => call_sid === id || conversation_id === id)?.driver_name ?? id} />
              </h2>
              <button class="quiet close" onClick={close}>
                Close
              </button>
            </div>
          </div>
        </header>
        <p class="empty" role="status">
          {refusal ?? waitingText()}
        </p>
      </section>
    );
  }
  return (
    <section class="call" aria-labelledby={CALL_HEADING}>
      <div class="call-body" ref={place} onScroll={onScroll} tabIndex={0} role="group" aria-label="The call and its words">
        <div>
          <CallHead id={id} followed={shown} facts={facts} onClose={close} onLoadAgain={again}>
            <CallActions id={id} followed={shown} facts={facts} onErased={() => (isErased.value = true)} />
          </CallHead>
          <Merged id={id} followed={shown} />
          <CallOutcome followed={shown} facts={facts} />
          <Transcript followed={shown} opening={opening.value} />
          {view.items.length === 0 && !opening.value ? <p class="empty">{nothingYet(view)}</p> : null}
        </div>
      </div>
      {below.value ? (
        <button class="primary small new-below" onClick={toEnd}>
          New words below
        </button>
      ) : null}
      <Now followed={shown} />
    </section>
  );
};

/** Why nothing of the call is there yet. */
const waitingText = (): string => {
  if (person.value?.tenant === null) return 'This account sees no calls.';
  if (stoppedBy.value !== null) return 'The connection was ended and does not come back by itself. Reload the page.';
  return connection.value?.state === 'lost' ? 'There is no connection. The call comes when it is back.' : 'Opening the call ...';
};

const nothingYet = (view: CallView): string => {
  if (view.imported) return 'This call was taken over from an older system. Its words were not.';
  if (view.over) return 'Nothing was said in this call.';
  if (view.status === 'unknown') return 'Earshot looks for this call at the phone service. If it was dialed, its words appear here.';
  return view.status === 'in_progress' ? 'Nobody has said anything yet.' : 'The words appear here as they are spoken.';
};

/** What goes on at this moment: what the agent does, that a silence is a silence, or that nobody here knows. */
const Now = ({ followed: { view } }: { readonly followed: Followed }) => {
  if (view.status !== 'in_progress') return null;
  const state = connection.value?.state ?? null;
  if (state !== 'live' && state !== 'restored' && state !== 'catching_up') return <p class="now">What is being said now may not be here. It comes as soon as the connection is confirmed.</p>;
  const heardAt = view.lastWordsAt ?? view.startedAt;
  const now = tick.value === 0 ? null : (feed.value?.serverNow() ?? null);
  const silentMs = heardAt === null || now === null ? 0 : now - Date.parse(heardAt);
  return (
    <p class="now" aria-live="off">
      {activityText(view)} {silentMs < SILENT_AFTER_MS ? null : <span>No words for {Math.floor(silentMs / 1000)} s. The connection is fine.</span>}
    </p>
  );
};

const Merged = ({ id, followed: { view } }: { readonly id: string; readonly followed: Followed }) => {
  const { view: from } = route.value;
  if (view.mergedInto !== null && view.mergedInto !== view.callSid) {
    return (
      <p class="notice">
        This dial turned out to belong to another call.{' '}
        <a href={linkTo({ ...route.value, view: from, call: view.mergedInto })}>Open that call</a>
      </p>
    );
  }
  if (view.callSid === null || view.callSid === id || view.conversationId === id) return null;
  return (
    <p class="notice">
      You asked for <Name text={id} />. It was joined with this call, which has all there is.
    </p>
  );
};

/**
 * Brings the focus to a call that opens, and back to where it was when it is closed: by the button, or by Escape.
 * @param waits the call has not come yet: its heading is another one then
 * @returns what closes it
 */
const useOpened = (id: string, waits: boolean): (() => void) => {
  const opener = useRef<Element | null>(null);
  const close = (): void => {
    const back = opener.current;
    go({ ...route.peek(), call: null });
    // After the panel is gone and the view is there again.
    setTimeout(() => {
      const place = back instanceof HTMLElement && back.isConnected && back !== document.body ? back : document.getElementById('main');
      place?.focus();
    }, 0);
  };
  useEffect(() => {
    opener.current = document.activeElement;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open]') !== null) return;
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
      close();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [id]);
  useEffect(() => document.getElementById(CALL_HEADING)?.focus({ preventScroll: true }), [id, waits]);
  return close;
};
