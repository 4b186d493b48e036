/** I10: a forged delivery changes nothing: it is never answered 200, and nothing of it is kept. */
import type { Report } from './violation.ts';
import type { World } from './world.ts';

export const checkForged = (world: World, report: Report): void => {
  const markers: { readonly delivery: string; readonly marker: string }[] = [];
  for (const { delivery, genuine, acked, marker } of world.deliveries.values()) {
    if (genuine) continue;
    if (acked !== null) report('I10', `forged delivery ${delivery} was answered 200`, acked.first);
    if (marker !== null && marker !== '') markers.push({ delivery, marker });
  }
  if (markers.length === 0) return;
  // One text to search instead of many; no marker holds a line's end.
  const logged = [...world.calls.values()].flatMap((call) => [...call.epochs.values()].flatMap((log) => log.texts)).join('\n');
  const kept = world.of('quarantined').map(({ record }) => record.body ?? '').join('\n');
  for (const { delivery, marker } of markers) {
    if (logged.includes(marker)) report('I10', `what forged delivery ${delivery} said stands in the log`, null);
    if (kept.includes(marker)) report('I10', `forged delivery ${delivery} was kept in quarantine`, null);
  }
};
