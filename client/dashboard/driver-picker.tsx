/** Choosing drivers to call, and about which of their violations. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { DriverView } from '../../core/protocol/rest.ts';
import { localTime, notCallable } from './dial.ts';
import { foundDrivers, kindsOf, kindText, readDrivers, type DriversRead } from './drivers.ts';
import { sentenceOf } from './http.ts';
import { feed } from './live.ts';
import { counted } from './numbers.ts';
import { dayText } from './times-of-day.ts';
import { Name } from './words.tsx';

/** More is not looked through, but searched. */
const SHOWN_MAX_DRIVERS = 60;
/** Violations named in a row; the rest are counted. */
const SHOWN_MAX_VIOLATIONS = 3;

export interface Chosen {
  readonly drivers: readonly DriverView[];
  /** Empty: all. */
  readonly kinds: readonly string[];
}

/** These drivers, and of the kinds those that any of them has: no others can be seen, and so be taken back. */
export const chosenOf = (drivers: readonly DriverView[], kinds: readonly string[]): Chosen => {
  const theirs = new Set(kindsOf(drivers));
  return { drivers, kinds: kinds.filter((kind) => theirs.has(kind)) };
};

export interface PickerProps {
  readonly chosen: Chosen;
  readonly onChosen: (chosen: Chosen) => void;
}

export const DriverPicker = ({ chosen, onChosen }: PickerProps) => {
  const read = useSignal<DriversRead>({ drivers: [], state: 'reading' });
  const problem = useSignal<string | null>(null);
  const words = useSignal('');
  useEffect(() => {
    const control = new AbortController();
    readDrivers(control.signal, (now) => (read.value = now)).catch((error: unknown) => {
      if (!control.signal.aborted) problem.value = sentenceOf(error);
    });
    return () => control.abort();
  }, []);

  const found = foundDrivers(read.value.drivers, words.value);
  const isChosen = (driver: DriverView): boolean => chosen.drivers.some(({ driverId }) => driverId === driver.driverId);
  const toggle = (driver: DriverView): void => {
    const drivers = isChosen(driver) ? chosen.drivers.filter(({ driverId }) => driverId !== driver.driverId) : [...chosen.drivers, driver];
    onChosen(chosenOf(drivers, chosen.kinds));
  };
  return (
    <div class="picker">
      <input type="search" autofocus aria-label="Search drivers" placeholder="Search name, id, number, violation" value={words.value} onInput={(event) => (words.value = event.currentTarget.value)} />
      {problem.value === null ? null : <p class="problem">{problem.value}</p>}
      <ul class="drivers" aria-label="Drivers" tabIndex={-1}>
        {found.slice(0, SHOWN_MAX_DRIVERS).map((driver) => (
          <DriverChoice key={driver.driverId} driver={driver} checked={isChosen(driver)} onToggle={() => toggle(driver)} />
        ))}
        {found.length === 0 && problem.value === null ? <li class="hint">{read.value.state === 'reading' ? 'Looking for drivers ...' : read.value.drivers.length === 0 ? 'There are no drivers yet.' : 'No driver fits.'}</li> : null}
      </ul>
      <p class="hint" aria-live="polite">
        {found.length > SHOWN_MAX_DRIVERS ? `${counted(found.length - SHOWN_MAX_DRIVERS, 'more driver')}: type to find them. ` : ''}
        {read.value.state === 'cut' ? `Only the first ${counted(read.value.drivers.length, 'driver')} can be searched here. ` : ''}
        {chosen.drivers.length === 0 ? '' : `Chosen: ${chosen.drivers.map(({ driverName }) => driverName).join(', ')}`}
      </p>
      <Kinds chosen={chosen} onChosen={onChosen} />
    </div>
  );
};

const DriverChoice = ({ driver, checked, onToggle }: { readonly driver: DriverView; readonly checked: boolean; readonly onToggle: () => void }) => {
  const { driverName, phoneNumber, time_zone, triggers } = driver;
  const why = notCallable(driver);
  const time = localTime(time_zone, feed.peek()?.serverNow() ?? Date.now());
  return (
    <li>
      <label class={why === null ? 'driver-choice' : 'driver-choice not'}>
        <input type="checkbox" checked={checked} disabled={why !== null} onChange={onToggle} />
        <span class="who-it-is">
          <strong>
            <Name text={driverName} />
          </strong>{' '}
          <span class="hint">{why ?? phoneNumber}</span>
        </span>
        <span class="there hint">{time === null ? '' : `${time} there`}</span>
        <span class="violations hint">
          {triggers.length === 0 ? 'No violations' : triggers.slice(0, SHOWN_MAX_VIOLATIONS).map((trigger, index) => <Violation key={index} {...trigger} />)}
          {triggers.length > SHOWN_MAX_VIOLATIONS ? <span>and {triggers.length - SHOWN_MAX_VIOLATIONS} more</span> : null}
        </span>
      </label>
    </li>
  );
};

const Violation = ({ type, occurred_at, detail }: DriverView['triggers'][number]) => (
  <span class="violation">
    <b>{kindText(type)}</b>
    {occurred_at === undefined ? '' : ` ${dayText(occurred_at)}`}
    {detail === undefined ? null : (
      <>
        {': '}
        <Name text={detail} />
      </>
    )}
  </span>
);

/** Which violations to speak of, where there is a choice. */
const Kinds = ({ chosen, onChosen }: PickerProps) => {
  const kinds = kindsOf(chosen.drivers);
  if (kinds.length < 2) return null;
  return (
    <fieldset class="kinds">
      <legend>Speak about</legend>
      <label>
        <input type="checkbox" checked={chosen.kinds.length === 0} onChange={() => onChosen({ ...chosen, kinds: [] })} /> everything
      </label>
      {kinds.map((kind) => (
        <label key={kind}>
          <input type="checkbox" checked={chosen.kinds.includes(kind)} onChange={() => onChosen({ ...chosen, kinds: chosen.kinds.includes(kind) ? chosen.kinds.filter((one) => one !== kind) : [...chosen.kinds, kind] })} /> {kindText(kind)}
        </label>
      ))}
    </fieldset>
  );
};
