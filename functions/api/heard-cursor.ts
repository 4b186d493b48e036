/**
 * The position of a listener to deliveries. They are kept when their handling is done, in another order than they came, so a time
 * alone would step over a slow one: a position is a time with room before it, and the ids heard within that room.
 */
import { z } from 'zod';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { Delivery } from '../../ports/raw-store.ts';

/** Longer than an append may take (APPEND_RETRY_MAX_MS), the publication after it and a bit. */
const ROOM_MS = 15_000;
/** Ids as they stand in a cursor: enough of the hash to tell a few hundred apart. */
const ID_CHARACTERS = 12;
/** A cursor stands in a URL. */
const REMEMBERED_MAX_COUNT = 400;

const Position = z.strictObject({ from: z.int().nonnegative(), ids: z.array(z.string().max(ID_CHARACTERS)).max(REMEMBERED_MAX_COUNT) });
export type Heard = z.infer<typeof Position>;

const encode = (position: Heard): string => Buffer.from(JSON.stringify(position)).toString('base64url');

/** The cursor of somebody who begins to listen now. */
export const startHearing = (now: number): string => encode({ from: now, ids: [] });

/** Reads a cursor. Throws EarshotError `invalid_cursor`. */
export const parseHeard = (cursor: string): Heard => {
  try {
    return Position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new EarshotError('invalid_cursor');
  }
};

/**
 * What came after the position, oldest first, at most `most`, and the position after it.
 * @param read deliveries that came after a time (milliseconds), oldest first
 */
export const heardSince = async (
  position: Heard,
  read: (from: number, limit: number) => Promise<readonly Delivery[]>,
  most: number,
): Promise<{ readonly deliveries: readonly Delivery[]; readonly cursor: string }> => {
  const known = new Set(position.ids);
  const mark = (delivery: Delivery): string => delivery.id.slice(0, ID_CHARACTERS);
  const found = await read(position.from, REMEMBERED_MAX_COUNT + most);
  const fresh = found.filter((delivery) => !known.has(mark(delivery)));
  const deliveries = fresh.slice(0, most);
  const next = fresh[most];
  const heard = found.filter((delivery) => delivery !== next && (known.has(mark(delivery)) || deliveries.includes(delivery)));
  const latest = Math.max(position.from, ...heard.map((delivery) => delivery.received_at));
  const roomFrom = Math.max(position.from, Math.min(latest - ROOM_MS, next?.received_at ?? Infinity));
  const within = heard.filter((delivery) => delivery.received_at >= roomFrom);
  // More than can be remembered: the room begins after what is forgotten, so that nothing is heard twice for ever.
  const forgotten = within.at(-REMEMBERED_MAX_COUNT - 1);
  const from = forgotten === undefined ? roomFrom : forgotten.received_at + 1;
  return { deliveries, cursor: encode({ from, ids: within.slice(-REMEMBERED_MAX_COUNT).map(mark) }) };
};
