/** One process of a swarm: runs the seeds that it is given, one after the other. */
import { checkHistory } from '../history/check.ts';
import { runSeed, type Run } from './run.ts';
import { sometimesOf } from './sometimes.ts';
import type { Failure, Order, SeedReport } from './swarm.ts';

/** By the real clock: some hundred times what a run takes. */
const RUN_MAX_MS = 60_000;

const failureOf = async (run: Run, order: Order): Promise<Failure | null> => {
  const again = order.replay === true ? await runSeed(order) : null;
  const compared = again === null ? [] : checkHistory([{ at: 0, actor: 'auditor', op: 'replayed', hash: again.hash, expected: run.hash }]);
  const violations = [...run.violations, ...compared];
  return violations.length === 0 ? null : { seed: run.seed, crash: order.crash ?? null, faults: [...run.plan.keys()], violations };
};

const report = async (order: Order): Promise<SeedReport> => {
  const run = await runSeed(order);
  return {
    seed: run.seed,
    virtualMs: run.virtualMs,
    events: run.events,
    deliveries: run.deliveries,
    catchUpMs: run.catchUpMs,
    faults: [...run.faults],
    sometimes: [...sometimesOf(run)],
    failure: await failureOf(run, order),
  };
};

process.on('message', (order: Order) => {
  // A run that waits for something that never comes would wait for ever: nothing but the virtual clock may be waited for.
  const late = setTimeout(() => {
    process.stderr.write(`seed ${order.seed} does not end${order.crash === undefined ? '' : `, crash at ${order.crash.of} ${order.crash.at}`}\n`);
    process.exit(1);
  }, RUN_MAX_MS);
  void report(order).then((done) => {
    clearTimeout(late);
    process.send?.(done);
  });
});
