/** What may be done with a call, by right: end it, take it along, ask for its outcome again, erase it. */
import { useSignal } from '@preact/signals';
import type { CallView } from '../view.ts';
import { ask } from './api.ts';
import { eventsJson, fileName, transcriptText } from './call-export.ts';
import type { CallFacts } from './call-facts.ts';
import type { Followed } from './call-follow.ts';
import { Dialog } from './dialog.tsx';
import { ApiProblem, sentenceOf } from './http.ts';
import { saveFile } from './save-file.ts';
import { may } from './session.ts';
import { Name } from './words.tsx';

export interface CallActionsProps {
  readonly id: string;
  readonly followed: Followed;
  readonly facts: CallFacts | null;
  readonly onErased: () => void;
}

/** What was asked for, and what came of it: said beside the buttons. */
interface Said {
  readonly text: string;
  readonly isProblem: boolean;
  /** It is about a call that goes on: once that is over, nothing is left to say. */
  readonly untilOver?: boolean;
}

export const CallActions = ({ id, followed: { view, events }, facts, onErased }: CallActionsProps) => {
  const asking = useSignal<'end' | 'erase' | null>(null);
  const said = useSignal<Said | null>(null);
  const busy = useSignal(false);
  const path = `/calls/${encodeURIComponent(view.callSid ?? id)}`;
  const run = async (work: () => Promise<string>, untilOver = false): Promise<void> => {
    busy.value = true;
    said.value = null;
    try {
      said.value = { text: await work(), isProblem: false, untilOver };
    } catch (error) {
      said.value = { text: problemText(error), isProblem: true };
    } finally {
      busy.value = false;
      asking.value = null;
    }
  };
  const end = (): Promise<void> =>
    run(async () => {
      await ask(`${path}/end`, { method: 'POST' });
      return 'The phone service was asked to end the call. You will see it end here.';
    }, true);
  const fetchAgain = (): Promise<void> =>
    run(async () => {
      await ask(`/conversations/${encodeURIComponent(view.conversationId ?? '')}/fetch`);
      return 'Asked ElevenLabs again. Whatever it knows now is shown.';
    });
  const erase = (): Promise<void> =>
    run(async () => {
      await ask(path, { method: 'DELETE' });
      onErased();
      return '';
    });
  const callSid = view.callSid ?? id;
  return (
    <div class="call-actions">
      {may('calls.end') && isGoingOn(view) ? (
        <button class="danger small" disabled={busy.value} onClick={() => (asking.value = 'end')}>
          End the call
        </button>
      ) : null}
      {may('calls.fetch') && lacksOutcome(view) ? (
        <button class="small" disabled={busy.value} onClick={() => void fetchAgain()}>
          Ask ElevenLabs again
        </button>
      ) : null}
      {may('calls.export') && events.length > 0 ? (
        <>
          <button class="quiet small" onClick={() => saveFile(new Blob([transcriptText(view, facts)], { type: 'text/plain;charset=utf-8' }), fileName(callSid, 'txt'))}>
            Save transcript
          </button>
          <button class="quiet small" title="Everything that is known of the call, as JSON: for developers" onClick={() => saveFile(new Blob([eventsJson(view, events)], { type: 'application/json' }), fileName(callSid, 'json'))}>
            Save events
          </button>
        </>
      ) : null}
      {may('calls.erase') && view.over ? (
        <button class="quiet small" disabled={busy.value} onClick={() => (asking.value = 'erase')}>
          Erase ...
        </button>
      ) : null}
      <p role="status" class={said.value?.isProblem === true ? 'problem' : 'hint'}>
        {said.value?.untilOver === true && view.over ? null : said.value?.text}
      </p>
      {asking.value === 'end' ? <EndDialog name={facts?.driver?.driverName ?? null} busy={busy.value} onEnd={() => void end()} onClose={() => (asking.value = null)} /> : null}
      {asking.value === 'erase' ? <EraseDialog callSid={callSid} busy={busy.value} onErase={() => void erase()} onClose={() => (asking.value = null)} /> : null}
    </div>
  );
};

const isGoingOn = ({ status }: CallView): boolean => status === 'dialing' || status === 'in_progress' || status === 'unknown';

/** Why a call failed of which there is no more to know. */
const NOBODY_TALKED: ReadonlySet<string> = new Set(['busy', 'no-answer', 'no_answer', 'voicemail']);

/** Something was said or dialed, and nobody told how it ended. */
const lacksOutcome = ({ status, reason, outcome, conversationId, imported }: CallView): boolean => {
  if (conversationId === null || imported) return false;
  if (status === 'failed' && reason !== null && NOBODY_TALKED.has(reason)) return false;
  if (status === 'processing' || status === 'unknown') return true;
  return (status === 'completed' || status === 'failed') && (outcome === null || (outcome.transcript_summary === null && outcome.call_duration_seconds === null));
};

const problemText = (error: unknown): string => {
  if (!(error instanceof ApiProblem)) return sentenceOf(error);
  if (error.code === 'end_not_supported') return 'This call cannot be ended from here: the phone service offers no way to do it.';
  if (error.code === 'call_already_ended') return 'The call has ended already.';
  if (error.code === 'conversation_not_found') return 'ElevenLabs does not know this conversation.';
  return error.message;
};

interface EndDialogProps {
  readonly name: string | null;
  readonly busy: boolean;
  readonly onEnd: () => void;
  readonly onClose: () => void;
}

const EndDialog = ({ name, busy, onEnd, onClose }: EndDialogProps) => (
  <Dialog label="End the call" onClose={onClose}>
    <div class="body">
      <h2>End the call?</h2>
      <p>{name === null ? 'The line' : <>The line to <Name text={name} /></>} will be cut in the middle of the conversation.</p>
      <div class="actions">
        <button autofocus onClick={onClose}>
          Let it go on
        </button>
        <button class="danger" disabled={busy} onClick={onEnd}>
          {busy ? 'Ending ...' : 'End the call'}
        </button>
      </div>
    </div>
  </Dialog>
);

/** To be typed by whoever means it. */
const ERASE_WORD = 'erase';

interface EraseDialogProps {
  readonly callSid: string;
  readonly busy: boolean;
  readonly onErase: () => void;
  readonly onClose: () => void;
}

const EraseDialog = ({ callSid, busy, onErase, onClose }: EraseDialogProps) => {
  const typed = useSignal('');
  const isMeant = typed.value.trim().toLowerCase() === ERASE_WORD;
  return (
    <Dialog label="Erase the call" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isMeant) onErase();
        }}
      >
        <h2>Erase this call?</h2>
        <p>
          Its words, its outcome and everything that was delivered for it are removed for ever, for everybody. Nobody can bring them back, and later deliveries for it are refused. What ElevenLabs itself keeps, the recording too, is not touched.
        </p>
        <p class="hint">
          <Name text={callSid} />
        </p>
        <label class="field">
          <span>
            Type <strong>{ERASE_WORD}</strong> to go on
          </span>
          <input autofocus autocomplete="off" autocapitalize="none" spellcheck={false} onInput={(event) => (typed.value = event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={onClose}>
            Keep it
          </button>
          <button class="danger" disabled={!isMeant || busy}>
            {busy ? 'Erasing ...' : 'Erase for ever'}
          </button>
        </div>
      </form>
    </Dialog>
  );
};
