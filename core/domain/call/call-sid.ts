/** `EL_x_2026-01-01T00:00:00.000Z` a millisecond later; any other form with a number behind. For a call_sid that is taken. */
export const movedOn = (callSid: string): string => {
  const time = /^(.*_)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/.exec(callSid);
  if (time !== null) return `${time[1] ?? ''}${new Date(Date.parse(time[2] ?? '') + 1).toISOString()}`;
  const numbered = /^(.*)\.(\d+)$/.exec(callSid);
  return numbered === null ? `${callSid}.2` : `${numbered[1] ?? ''}.${Number(numbered[2]) + 1}`;
};
