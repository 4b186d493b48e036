/** Days and times of lists and charts, in the zone of whoever looks. */

const DAY = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric' });
const DAY_AND_TIME = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' });
const HOUR = new Intl.DateTimeFormat('en-US', { weekday: 'short', hour: 'numeric', minute: '2-digit' });
const ZONE = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' });

/** `Nov 21`. @param at RFC 3339 */
export const dayText = (at: string): string => DAY.format(new Date(at));

/** `Nov 21, 2:03 PM`. @param at RFC 3339 */
export const dayAndTimeText = (at: string): string => DAY_AND_TIME.format(new Date(at));

/** `Sat 2:00 PM`: an hour of a chart. @param at RFC 3339 */
export const hourText = (at: string): string => HOUR.format(new Date(at));

/** The zone that these are in, such as `CST`. @param at milliseconds */
export const zoneName = (at: number): string => ZONE.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? 'local time';
