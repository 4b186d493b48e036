/** Starting calls: of drivers about their violations, or of a bare number. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { DIAL_DRIVERS_MAX_COUNT } from '../../core/protocol/limits.ts';
import { Dialog } from './dialog.tsx';
import { dial, dialKeys, isRefusal, isWholeNumber, plainNumber, problemWords, type DialKeys, type Dialed, type Wanted } from './dial.ts';
import { chosenOf, DriverPicker, type Chosen } from './driver-picker.tsx';
import { counted } from './numbers.ts';
import { go, linkTo } from './route.ts';
import { may } from './session.ts';
import './start-call.css';
import { Name } from './words.tsx';

/** Not there for whoever may not start calls. */
export const StartCallButton = () => {
  const open = useSignal(false);
  const keys = useMemo(() => dialKeys(), []);
  if (!may('calls.dial')) return null;
  return (
    <>
      <button type="button" class="primary start-call" onClick={() => (open.value = true)}>
        Start a call
      </button>
      {open.value ? <StartCall keys={keys} onClose={() => (open.value = false)} /> : null}
    </>
  );
};

const NOBODY: Chosen = { drivers: [], kinds: [] };

const StartCall = ({ keys, onClose }: { readonly keys: DialKeys; readonly onClose: () => void }) => {
  useMemo(() => keys.begin(), []);
  const byNumber = useSignal(false);
  const chosen = useSignal<Chosen>(NOBODY);
  const number = useSignal('');
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const results = useSignal<readonly Dialed[] | null>(null);

  const start = async (): Promise<void> => {
    const wanted: Wanted = byNumber.value ? { number: plainNumber(number.value) } : { drivers: chosen.value.drivers.map(({ driverId }) => driverId), kinds: chosen.value.kinds };
    if ('number' in wanted && !isWholeNumber(wanted.number)) {
      problem.value = 'The number is not complete: it has to begin with + and the country code, such as +15550100123.';
      return;
    }
    busy.value = true;
    problem.value = null;
    try {
      const dialed = await dial(wanted, keys.of(wanted));
      keys.answered(wanted);
      const [only] = dialed;
      if (dialed.length === 1 && only !== undefined && only.call !== null) {
        onClose();
        go({ view: 'board', call: only.call });
      } else results.value = dialed;
    } catch (error) {
      if (isRefusal(error)) keys.answered(wanted);
      problem.value = problemWords(error);
    } finally {
      busy.value = false;
    }
  };

  const count = chosen.value.drivers.length;
  const tooMany = count > DIAL_DRIVERS_MAX_COUNT;
  const nobody = byNumber.value ? number.value.trim() === '' : count === 0;
  /** Back to those who were not called: the same wish again would be answered as it was. */
  const back = (): void => {
    const called = new Set((results.value ?? []).flatMap(({ driver, call }) => (call === null ? [] : [driver])));
    chosen.value = chosenOf(chosen.value.drivers.filter(({ driverId }) => !called.has(driverId)), chosen.value.kinds);
    results.value = null;
  };
  // What was sent is not taken back by closing, and somebody has to be told what became of it.
  const close = busy.value ? null : onClose;
  if (results.value !== null) return <Results results={results.value} chosen={chosen.value} onClose={onClose} onBack={back} />;
  return (
    <Dialog label="Start a call" onClose={close} wide>
      <form
        class="start"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy.value && !nobody && !tooMany) void start();
        }}
      >
        <div class="start-head">
          <h2>Start a call</h2>
          <div class="choice" role="group" aria-label="Whom to call">
            {[false, true].map((bare) => (
              <button key={String(bare)} type="button" aria-pressed={byNumber.value === bare} onClick={() => (byNumber.value = bare)}>
                {bare ? 'A number' : 'Drivers'}
              </button>
            ))}
          </div>
        </div>
        {byNumber.value ? (
          <label class="field">
            Phone number
            <input type="tel" autocomplete="off" placeholder="+1 555 010 0123" value={number.value} onInput={(event) => (number.value = event.currentTarget.value)} aria-describedby="number-hint" />
            <span id="number-hint" class="hint">
              With + and the country code. The agent knows nothing of whom it reaches.
            </span>
          </label>
        ) : (
          <DriverPicker chosen={chosen.value} onChosen={(now) => (chosen.value = now)} />
        )}
        <p class="problem" role="alert">
          {tooMany ? `At most ${counted(DIAL_DRIVERS_MAX_COUNT, 'driver')} can be called at once. ${counted(count, 'driver is', 'drivers are')} chosen.` : problem.value}
        </p>
        {busy.value ? <p class="hint">The phone service is asked. It may take 15 seconds; the call appears on the board meanwhile.</p> : null}
        <div class="actions">
          <button type="button" class="quiet" disabled={close === null} onClick={onClose}>
            Cancel
          </button>
          <button class="primary" disabled={busy.value || nobody || tooMany}>
            {busy.value ? 'Dialing ...' : byNumber.value || count < 2 ? 'Call' : `Call ${counted(count, 'driver')}`}
          </button>
        </div>
      </form>
    </Dialog>
  );
};

interface ResultsProps {
  readonly results: readonly Dialed[];
  readonly chosen: Chosen;
  readonly onClose: () => void;
  readonly onBack: () => void;
}

const Results = ({ results, chosen, onClose, onBack }: ResultsProps) => {
  const names = new Map(chosen.drivers.map(({ driverId, driverName }) => [driverId, driverName]));
  const begun = results.filter(({ call }) => call !== null).length;
  return (
    <Dialog label="What became of it" onClose={onClose} wide>
      <div class="body">
        <h2>{begun === 0 ? 'Nobody was called' : `${counted(begun, 'call')} started`}</h2>
        <ul class="dialed">
          {results.map(({ driver, call, words }) => (
            <li key={driver ?? call} class={call === null ? 'not' : undefined}>
              <strong>
                <Name text={driver === null ? 'The number' : (names.get(driver) ?? driver)} />
              </strong>
              <span>{words}</span>
              {call === null ? null : (
                <a href={linkTo({ view: 'board', call })} onClick={onClose}>
                  Open
                </a>
              )}
            </li>
          ))}
        </ul>
        <div class="actions">
          {begun < results.length ? (
            <button type="button" class="quiet" onClick={onBack}>
              Back
            </button>
          ) : null}
          <button type="button" class="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </div>
    </Dialog>
  );
};
