/** When somebody may be called: hours of the tenant, read on the clock where the person called is. */

/** Local time `HH:MM`, end exclusive. An end before the start means over midnight; both the same, at no time. */
export interface CallingHours {
  readonly start: string;
  readonly end: string;
}

const TIME_OF_DAY = /^([01]\d|2[0-3]):[0-5]\d$/;

/** Whether the text is a time of day, `00:00` to `23:59`; as an end also `24:00`. */
export const isTimeOfDay = (text: string, as: 'start' | 'end'): boolean => TIME_OF_DAY.test(text) || (as === 'end' && text === '24:00');

/** Whether the name is an IANA time zone that this machine knows. */
export const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: name });
    return true;
  } catch {
    return false;
  }
};

/**
 * Whether a person may be called now.
 * @param hours null: at any hour
 * @param timeZone IANA name; null, or one that nobody knows, is read as UTC
 * @param now milliseconds since 1970
 */
export const isWithinCallingHours = (hours: CallingHours | null, timeZone: string | null, now: number): boolean => {
  if (hours === null) return true;
  const zone = timeZone !== null && isTimeZone(timeZone) ? timeZone : 'UTC';
  const time = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(now));
  if (hours.start <= hours.end) return hours.start <= time && time < hours.end;
  return time >= hours.start || time < hours.end;
};
