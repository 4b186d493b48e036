/**
 * `npm run bench [-- <name> ... | all] [--rounds n] [--json] [--keep]`: each figure beside a baseline of the same interleaved rounds.
 * Nothing of it is a test. `--keep` writes the results to `docs/bench/`.
 */
import { parseArgs } from 'node:util';
import { boardBench } from './board.ts';
import { coldStartBench } from './cold-start.ts';
import { deliverBench } from './deliver.ts';
import { appendBench } from './append.ts';
import { handshakeBench } from './handshake.ts';
import { idleBench } from './idle.ts';
import { ingestBench } from './ingest.ts';
import { growthBench } from './growth.ts';
import { tableOf, type Bench } from './harness/figures.ts';
import { jsonOf, keep, keptOf } from './harness/kept.ts';
import { journeyBench } from './journey.ts';
import { publishBench } from './publish.ts';
import { placeLoad } from './harness/process.ts';
import { screenBench } from './screen.ts';
import { soakBench } from './soak.ts';
import { stormBench } from './storm.ts';
import { webhookBench } from './webhook.ts';

const BENCHES: readonly Bench[] = [appendBench, webhookBench, screenBench, deliverBench, handshakeBench, idleBench, ingestBench, publishBench, journeyBench, boardBench, coldStartBench, growthBench, soakBench, stormBench];
/** Fewer say little on a noisy machine. */
const ROUNDS = 5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: String(ROUNDS) }, json: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error('--rounds has to be a whole number from 1 to 100');

const names = positionals.includes('all') ? BENCHES.map(({ name }) => name) : positionals;
const unknown = names.filter((name) => BENCHES.every((bench) => bench.name !== name));
if (unknown.length > 0 || names.length === 0) {
  const longest = Math.max(...BENCHES.map(({ name }) => name.length));
  process.stdout.write(`npm run bench -- <name> ... | all [--rounds ${ROUNDS}] [--json] [--keep]\n${BENCHES.map(({ name, what }) => `  ${name.padEnd(longest)}  ${what}\n`).join('')}`);
  if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}`);
}
for (const bench of BENCHES.filter(({ name }) => names.includes(name))) {
  placeLoad(bench.together !== true);
  const result = keptOf(await bench.run(rounds, (line) => void process.stderr.write(`${bench.name}: ${line}\n`)), rounds);
  if (values.keep) keep(result);
  process.stdout.write(values.json ? jsonOf(result) : `\n${tableOf(result).join('\n')}\n`);
}
