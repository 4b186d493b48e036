/** One process of a swarm: runs the seeds that it is given, one after the other. */
import { checkHistory } from '../history/check.ts';
import { runSeed, type Run } from './run.ts';
import { sometimesOf } from './sometimes.ts';
import type { Failure, Order, SeedReport } from './swarm.ts';

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
  void report(order).then((done) => process.send?.(done));
});
