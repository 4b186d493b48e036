import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkHistory } from '../history/check.ts';
import { toLines } from '../history/history.ts';
import { tableOf } from '../chaos/report.ts';
import { runChaos } from '../chaos/run.ts';

it('real processes that are killed, stopped and cut off keep the promise to two hundred viewers', { timeout: 360_000 }, async () => {
  const report = await runChaos({ seconds: 20, seed: 'test' });
  const broken = report.violations.length > 0 || report.problems.length > 0;
  const path = join(tmpdir(), 'earshot-chaos-test.jsonl');
  if (broken) await writeFile(path, toLines(report.records));
  expect(broken ? `${tableOf(report)}\nThe history is in ${path}.` : '').toBe('');
  expect({ lost: report.lost, duplicated: report.duplicated, outOfOrder: report.outOfOrder }).toEqual({ lost: 0, duplicated: 0, outOfOrder: 0 });

  // The very same history with one event that nobody was shown would not have passed.
  const left = report.records.findIndex((record) => record.op === 'event' && record.seq === 2);
  expect(checkHistory(report.records.toSpliced(left, 1), { lateMs: 15_000 }).map(({ invariant }) => invariant)).toContain('I1');
});
