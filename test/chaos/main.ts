/** `npm run chaos`: runs it, prints what happened, and fails where the promise was not kept. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { toLines } from '../history/history.ts';
import { tableOf } from './report.ts';
import { runChaos } from './run.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(Date.now()) }, history: { type: 'string' }, viewers: { type: 'string' } } });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const seconds = Number(values.seconds);
if (!Number.isFinite(seconds) || seconds < 5 || seconds > 3_600) {
  process.stderr.write('--seconds takes a number from 5 to 3600.\n');
  process.exit(2);
}
// Its processes end with it (`stage.ts`), also where somebody ends it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
say(`Chaos for ${seconds} s, seed ${values.seed} ...`);
const report = await runChaos({ seconds, seed: values.seed, ...(values.viewers === undefined ? {} : { viewers: Number(values.viewers) }) });
say(tableOf(report));
const failed = report.violations.length > 0 || report.problems.length > 0;
if (failed || values.history !== undefined) {
  const path = values.history ?? join(tmpdir(), `earshot-chaos-${values.seed}.jsonl`);
  await writeFile(path, toLines(report.records));
  say(`The history (${report.records.length} records) is in ${path}.`);
}
process.exit(failed ? 1 : 0);
