/** `npm run bench [-- <name> ...] [--rounds n] [--json]`: each figure beside a baseline of the same interleaved rounds. Nothing of it is a test. */
import { parseArgs } from 'node:util';
import { tableOf, type Bench } from './figures.ts';
import { screenBench } from './screen.ts';

const BENCHES: readonly Bench[] = [screenBench];
/** Fewer say little on a noisy machine. */
const ROUNDS = 5;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: String(ROUNDS) }, json: { type: 'boolean', default: false } } });
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error('--rounds has to be a whole number from 1 to 100');

const unknown = positionals.filter((name) => BENCHES.every((bench) => bench.name !== name));
if (unknown.length > 0 || positionals.length === 0) {
  process.stdout.write(`npm run bench -- <name> ... [--rounds ${ROUNDS}] [--json]\n${BENCHES.map(({ name, what }) => `  ${name}  ${what}\n`).join('')}`);
  if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}`);
}
for (const bench of BENCHES.filter(({ name }) => positionals.includes(name))) {
  const result = await bench.run(rounds, (line) => void process.stderr.write(`${line}\n`));
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `\n${tableOf(result).join('\n')}\n`);
}
