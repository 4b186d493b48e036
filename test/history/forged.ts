/**
 * I10: a forged delivery changes nothing: it is never answered 200, and nothing of it is kept.
 * I7: what somebody may well send, but not about this conversation, stands in no log and is shown on no screen.
 */
import type { Report } from './violation.ts';
import type { World } from './world.ts';

export const checkForged = (world: World, report: Report): void => {
  const markers: { readonly delivery: string; readonly marker: string; readonly genuine: boolean }[] = [];
  for (const { delivery, genuine, acked, marker } of world.deliveries.values()) {
    if (!genuine && acked !== null) report('I10', `forged delivery ${delivery} was answered 200`, acked.first);
    if (marker !== null && marker !== '') markers.push({ delivery, marker, genuine });
  }
  if (markers.length === 0) return;
  // One text to search instead of many; no marker holds a line's end.
  const logged = [...world.calls.values()].flatMap((call) => [...call.epochs.values()].flatMap((log) => log.texts)).join('\n');
  const kept = world.of('quarantined').map(({ record }) => record.body ?? '').join('\n');
  const shown = world.of('interim').map(({ record }) => record.text).join('\n');
  for (const { delivery, marker, genuine } of markers) {
    const [rule, what] = genuine ? (['I7', 'foreign'] as const) : (['I10', 'forged'] as const);
    if (logged.includes(marker)) report(rule, `what ${what} delivery ${delivery} said stands in the log`, null);
    if (shown.includes(marker)) report(rule, `what ${what} delivery ${delivery} said was shown as being said`, null);
    if (!genuine && kept.includes(marker)) report('I10', `forged delivery ${delivery} was kept in quarantine`, null);
  }
};
