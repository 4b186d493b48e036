import { describe, expect, it } from 'vitest';
import { CONNECTIONS_PER_RELAY_MAX_COUNT, HOURLY_STATS_CALLS_MAX_COUNT, HOURLY_STATS_KEPT_MS } from '../../core/protocol/limits.ts';
import {
  atRest,
  comparedPerEvent,
  ESTIMATES,
  eventsOf,
  eventsWhereTellingIsARelay,
  keptForAMonth,
  millionEvents,
  millionEventsPerRelay,
  millionInterims,
  PRICES,
  relaysFor,
  relaysWhereTellingCostsMore,
  TAKEN,
  tenantMonth,
  total,
  usd,
  viewerMonth,
  type Bill,
  type Price,
} from '../fixtures/costs.ts';
import { deployedRelayMonth, variable } from '../fixtures/deployed-relay.ts';
import { expectFile, markdownTable } from '../fixtures/generated-page.ts';
import { textOf } from '../fixtures/tree.ts';

const RELAY = deployedRelayMonth();
/** An hour of a view of figures that counts so many calls. */
const figuresHour = (calls: number): number => usd('firestoreRead', calls * (3_600_000 / HOURLY_STATS_KEPT_MS));
const MONTH_MINUTES = 730 * 60;
const SCHEDULES = [...textOf('infra/scheduler.tf').matchAll(/= "(\*(?:\/(\d+))?) \* \* \* \*"/g)].map(([, , every]) => MONTH_MINUTES / Number(every ?? 1));
const ALERTS = [...textOf('infra/alerts.tf').matchAll(/^ {4}\w+ = \{$/gm)].length - 1;
const SECRETS = 4;
const REST = { relay: RELAY, waiting: 2 * variable('function_instances_min'), secrets: SECRETS, alerts: ALERTS, jobs: SCHEDULES, domain: false };
const BACKUPS = variable('backup_retention_days');
/** A dispatch desk: 50 calls a day, three minutes each. */
const DESK = { callsPerMonth: 1_500, turnsPerCall: 30, interimsPerTurn: 3, agentEventsPerCall: 10, viewers: 5, viewerHours: 176 };

const dollars = (amount: number): string => (amount === 0 ? '$0' : amount < 0.995 ? `$${amount.toPrecision(2)}` : `$${amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`);
const count = (amount: number): string => Math.round(amount).toLocaleString('en-US');
const bill = (lines: Bill, closing: string): string => markdownTable(['what for', 'dollars'], [...lines.map(([what, amount]) => [what, dollars(amount)]), [`**${closing}**`, `**${dollars(total(lines))}**`]]);

const rawShare = (): number => millionEvents().filter(([what]) => what.startsWith('Cloud Storage')).reduce((sum, [, amount]) => sum + amount, 0);

const growth = [1, 2, 10, 100].map((relays) => {
  const perMillion = total(millionEventsPerRelay()) * relays;
  return [String(relays), count(relays * CONNECTIONS_PER_RELAY_MAX_COUNT), dollars(total(RELAY) * relays), dollars(perMillion), dollars(total(millionEvents()) + perMillion)];
});

const page = (): string => `# What it costs

Printed by the test that computes it (\`UPDATE_DOCS=1\` with \`test/unit/costs.test.ts\`). Dollars, Google's list prices for \`us-central1\`, without free allotments and discounts, without what ElevenLabs and the telephone cost. What a delivery takes is counted: the functions run on Google's emulators with a meter on every request (\`test/integration/costs.google.test.ts\`). What cannot be counted from here is called an estimate, below.

## In one look

| what | dollars |
| --- | --- |
| a deployment that nobody uses, a month | ${dollars(total(atRest(REST)))} |
| each relay (${count(CONNECTIONS_PER_RELAY_MAX_COUNT)} viewers), a month | ${dollars(total(RELAY))} |
| a million live turns, logged | ${dollars(total(millionEvents()))} |
| a million interim turns, passed on | ${dollars(total(millionInterims()))} |
| a million events told to one more relay | ${dollars(total(millionEventsPerRelay()))} |
| a million events kept a month, with ${BACKUPS} backups | ${dollars(total(keptForAMonth(BACKUPS)))} |
| a person who watches 176 hours a month, 200 events an hour | ${dollars(total(viewerMonth(176, 200)))} |
| a desk of 50 calls a day, five people | ${dollars(total(tenantMonth(DESK, 1)))} a month |

## A million live turns
Each comes in a request of its own, at an instance that did not write to the call last, and is committed alone, which is the dearest way: what arrives for a call while its commit runs shares the next.

${bill(millionEvents(), 'a million live turns')}
${TAKEN.turn.reads} documents are read for one: which call (the conversation and its call), and before the commit the call, its conversation and the two keys of the turn. Where it comes to the instance that wrote to the call last, its commit reads nothing (decision 0019) and ${TAKEN.turnAgain.reads} are read: ${dollars(usd('firestoreRead', TAKEN.turnAgain.reads * 1e6))} a million instead of ${dollars(usd('firestoreRead', TAKEN.turn.reads * 1e6))}. Who sends (workspace, tenants) is asked once in ten seconds. ${TAKEN.turn.writes} are written: the segment with the event, its two keys, the projection. The raw delivery, kept for seven days, is ${TAKEN.turn.storageA} writes - itself and the index objects by which it is found - and ${TAKEN.turn.storageB} reads: whether it is there already, and twice whether its call or conversation was erased. That is ${Math.round((100 * rawShare()) / total(millionEvents()))} % of the bill: whoever has millions of turns a day saves most there.

## A million interim turns
Nothing of them is kept; they are looked up and published.

${bill(millionInterims(), 'a million interim turns')}
## A relay
A month, with the processors and memory that \`infra/variables.tf\` gives it.

${bill(RELAY, 'a relay')}
Each further relay is also told of every event of the tenants that it serves. A million events:

${bill(millionEventsPerRelay(), 'a million events to one relay')}
A call that talks is in the answer to each comparison, ${comparedPerEvent().toFixed(1)} times for an event; an event in a call that is silent otherwise is in four.

## Growth
| relays | viewers | relays, a month | telling a million events | a million events, logged and told |
| --- | --- | --- | --- | --- |
${growth.map((row) => `| ${row.join(' | ')} |`).join('\n')}

- From **${relaysWhereTellingCostsMore()} relays** on, telling all of them of an event costs more than logging it: about there a topic in shards, of which a relay hears only those that it needs, begins to pay.
- With **${count(eventsWhereTellingIsARelay(RELAY) / 1e6)} million events a month** telling a relay costs as much as the relay itself, however many there are.
- 10,000 viewers need ${relaysFor(10_000)} relays: ${dollars(total(RELAY) * relaysFor(10_000))} a month.

## A tenant
A desk of 50 calls a day: ${count(DESK.callsPerMonth)} calls a month with ${DESK.turnsPerCall} turns, ${DESK.interimsPerTurn} interim turns for each, ${DESK.agentEventsPerCall} agent events; five people who watch everything. ${count(eventsOf(DESK))} events a month, on relays that are there anyway.

${bill(tenantMonth(DESK, 1), 'a month')}
The figures are not among these: while somebody has that view open, they are counted from the calls of its span, each a document, anew every ${HOURLY_STATS_KEPT_MS / 1000} seconds in each instance of the API that is asked. A day of this desk left open for an hour is ${dollars(figuresHour(50))}; the most that is counted, ${count(HOURLY_STATS_CALLS_MAX_COUNT)} calls, is ${dollars(figuresHour(HOURLY_STATS_CALLS_MAX_COUNT))}.

## At rest
Production as \`infra/production.tfvars\` has it, without a domain of its own; nobody calls, nobody watches.

${bill(atRest(REST), 'a month')}
A domain of one's own adds a load balancer: ${dollars(total(atRest({ ...REST, domain: true })) - total(atRest(REST)))}. Staging has no functions that wait: ${dollars(total(atRest({ ...REST, waiting: 0 })))} in all. The relay is ${Math.round((100 * total(RELAY)) / total(atRest(REST)))} % of it, and the collector beside it nearly half of that; the first 150 MiB of metrics a month are free, so that their line may be nothing.

## Estimates
${markdownTable(['what', 'value', 'of'], Object.entries(ESTIMATES).map(([name, { value, why }]) => [`\`${name}\``, count(value) === '0' ? String(value) : count(value), why]))}
## Prices
${markdownTable(['dollars', 'for', 'page', 'known from'], Object.values<Price>(PRICES).map(({ usd, per, unit, page: where, known }) => [`${usd}`, `${per === 1 ? '1' : per === 2 ** 20 ? '1 MiB:' : per === 2 ** 30 ? '1 GiB:' : per === 2 ** 40 ? '1 TiB:' : count(per)} ${unit}`, `https://${where}`, known]))}`;

describe('what a deployment costs', () => {
  it('is printed as it is computed', () => {
    expectFile('docs/costs.md', page());
  });

  it('is a matter of what is written, not of who watches', () => {
    expect(total(millionEvents())).toBeGreaterThan(10);
    expect(total(millionEvents())).toBeLessThan(50);
    expect(total(millionInterims())).toBeLessThan(total(millionEvents()) / 3);
    expect(total(millionEventsPerRelay())).toBeLessThan(total(millionEvents()) / 50);
    expect(total(viewerMonth(176, 200))).toBeLessThan(0.1);
  });

  it('is for each relay what the plan of its growth says: Pub/Sub takes about $0.04 for a million events', () => {
    const [[, pubsub]] = millionEventsPerRelay() as unknown as readonly [readonly [string, number]];
    expect(pubsub).toBeGreaterThan(0.03);
    expect(pubsub).toBeLessThan(0.045);
  });

  it('is at rest mostly the relay, and the relay mostly its processors', () => {
    expect(total(RELAY)).toBeGreaterThan(total(atRest(REST)) / 2);
    expect((RELAY[0]?.[1] ?? 0) + (RELAY[1]?.[1] ?? 0)).toBeGreaterThan(total(RELAY) * 0.95);
    expect(total(atRest(REST))).toBeLessThan(200);
  });

  it('is less than a relay for a desk that calls all day', () => {
    expect(total(tenantMonth(DESK, 1))).toBeLessThan(total(RELAY) / 5);
  });

  it('grows with the relays by what each is told, so that shards begin to pay in the tens', () => {
    expect(relaysWhereTellingCostsMore()).toBeGreaterThan(50);
    expect(relaysWhereTellingCostsMore()).toBeLessThan(500);
    expect(relaysFor(900)).toBe(1);
    expect(relaysFor(901)).toBe(2);
  });

  it('is computed from what infra/ has', () => {
    expect({ ALERTS, jobs: SCHEDULES.length, BACKUPS, waiting: REST.waiting }).toEqual({ ALERTS: 16, jobs: 3, BACKUPS: 14, waiting: 2 });
  });
});
