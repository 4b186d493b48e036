/** The drivers that can be called: read page by page, searched on the page. */
import type { DriverView } from '../../core/protocol/rest.ts';
import { ask } from './api.ts';

/** More than any dispatcher's: past it one is found by typing a whole id. */
const PAGES_MAX_COUNT = 25;
const PAGE_ROWS = 200;

export interface DriversRead {
  readonly drivers: readonly DriverView[];
  /** `cut`: there are more than are read. */
  readonly state: 'reading' | 'all' | 'cut';
}

/** Reads all pages and tells of each. Rejects with ApiProblem, or where it was aborted. */
export const readDrivers = async (signal: AbortSignal, told: (read: DriversRead) => void): Promise<void> => {
  const drivers: DriverView[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX_COUNT; page++) {
    const answer: { readonly drivers: readonly DriverView[]; readonly next_cursor: string | null } = await ask('/drivers', { query: { limit: PAGE_ROWS, cursor }, signal });
    drivers.push(...answer.drivers);
    cursor = answer.next_cursor;
    told({ drivers: [...drivers], state: cursor === null ? 'all' : page === PAGES_MAX_COUNT - 1 ? 'cut' : 'reading' });
    if (cursor === null) return;
  }
};

/** Drivers in which all the words are found: name, id, number or kinds of violation. By name. */
export const foundDrivers = (drivers: readonly DriverView[], words: string): DriverView[] => {
  const wanted = words.trim().toLowerCase().split(/\s+/);
  const text = ({ driverName, driverId, phoneNumber, triggers }: DriverView): string => [driverName, driverId, phoneNumber ?? '', ...triggers.map(({ type }) => kindText(type))].join(' ').toLowerCase();
  return drivers.filter((driver) => wanted.every((word) => text(driver).includes(word))).sort((a, b) => a.driverName.localeCompare(b.driverName, 'en') || (a.driverId < b.driverId ? -1 : 1));
};

/** `hours_of_service` as a person would write it. */
export const kindText = (type: string): string => type.replaceAll('_', ' ');

/** The kinds of violation of these drivers, each once whatever its case, as the first wrote it. */
export const kindsOf = (drivers: readonly DriverView[]): readonly string[] => {
  const kinds = new Map<string, string>();
  for (const { triggers } of drivers) for (const { type } of triggers) if (!kinds.has(type.trim().toLowerCase())) kinds.set(type.trim().toLowerCase(), type);
  return [...kinds.values()].sort((a, b) => a.localeCompare(b, 'en'));
};
