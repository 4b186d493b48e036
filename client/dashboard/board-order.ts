/** Which rows of the board are shown, and in what order: newest call first, by a time that never changes, so that no row jumps because somebody spoke. */
import type { BoardRow } from '../../core/protocol/frames.ts';

export const GROUPS = ['active', 'attention', 'ended'] as const;
/** `attention`: somebody should look, since nobody knows what became of the dial, or it failed. */
export type Group = (typeof GROUPS)[number];

export interface BoardFilter {
  /** null: all. */
  readonly group: Group | null;
  readonly agent: string | null;
  /** Found in driver, last words and ids; case does not matter. Empty: everything. */
  readonly words: string;
}

type Status = BoardRow['status'];

export const isEnded = (status: Status): boolean => status === 'completed' || status === 'failed';
export const needsAttention = (status: Status): boolean => status === 'unknown' || status === 'failed';

const IN_GROUP: Readonly<Record<Group, (status: Status) => boolean>> = { active: (status) => !isEnded(status), attention: needsAttention, ended: isEnded };

/** The place of a call on the board. */
export type Place = Pick<BoardRow, 'created_at' | 'call_sid'>;

/** Orders the newest first. Calls of the same millisecond are told apart by their id. */
export const newestFirst = (a: Place, b: Place): number => {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at ? 1 : -1;
  return a.call_sid === b.call_sid ? 0 : a.call_sid < b.call_sid ? 1 : -1;
};

/** The rows that the filter lets through, newest first. */
export const shownRows = (rows: readonly BoardRow[], { group, agent, words }: BoardFilter): BoardRow[] => {
  const wanted = words.trim().toLowerCase();
  const inGroup = group === null ? null : IN_GROUP[group];
  return rows.filter((row) => (inGroup === null || inGroup(row.status)) && (agent === null || row.agent_id === agent) && (wanted === '' || textOf(row).includes(wanted))).sort(newestFirst);
};

/** What is searched of a row; made once, since a changed row is another object. */
const texts = new WeakMap<BoardRow, string>();
const textOf = (row: BoardRow): string => {
  let text = texts.get(row);
  if (text === undefined) {
    text = [row.driver_name, row.last_line, row.call_sid, row.conversation_id, row.agent_id].join('\n').toLowerCase();
    texts.set(row, text);
  }
  return text;
};

/** How many calls each choice would show, before agent and words narrow it. */
export const countsOf = (rows: readonly BoardRow[]): Readonly<Record<Group, number>> => {
  const counts = { active: 0, attention: 0, ended: 0 };
  for (const { status } of rows) for (const group of GROUPS) if (IN_GROUP[group](status)) counts[group]++;
  return counts;
};

/** The agents of these rows, by name. */
export const agentsOf = (rows: readonly BoardRow[]): readonly string[] => [...new Set(rows.map(({ agent_id }) => agent_id))].filter((agent) => agent !== null).sort();

/** How many of the ordered rows are newer than the one that stood first when somebody last saw the top. */
export const newerThan = (rows: readonly Place[], top: Place): number => {
  const index = rows.findIndex((row) => newestFirst(row, top) >= 0);
  return index < 0 ? rows.length : index;
};
