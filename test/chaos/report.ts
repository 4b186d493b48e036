/** The summary of a run, as a table for a terminal and for the documentation. */
import type { ChaosReport } from './run.ts';

const VIOLATIONS_SHOWN = 20;

export const tableOf = (report: ChaosReport): string => {
  const { deliveries } = report;
  const rows: readonly (readonly [string, string | number])[] = [
    ['seconds of faults', report.seconds],
    ['viewers', report.viewers],
    ['kills (SIGKILL, SIGTERM)', `${report.kills}: ${report.blows.filter(({ signal }) => signal !== 'SIGSTOP').map(({ process, signal, count }) => `${process} ${signal} ${count}`).join(', ')}`],
    ['stops (SIGSTOP, then SIGCONT)', report.blows.filter(({ signal }) => signal === 'SIGSTOP').map(({ process, count }) => `${process} ${count}`).join(', ') || 'none'],
    ['starts that failed, and were tried again', report.failedStarts],
    ['cuts of hops', `${report.cuts}, connections lost: ${[...report.lostConnections].map(([fault, count]) => `${fault} ${count}`).join(', ')}`],
    ['slowdowns of hops', report.slowdowns],
    ['deliveries begun', `${deliveries.begun} (${Math.round(deliveries.perSecond)} a second), ${deliveries.forged} of them forged`],
    ['attempts', `${deliveries.attempts}, ${deliveries.unanswered} without an answer`],
    ['deliveries answered 200', deliveries.answered],
    ['call requests', report.requests],
    ['calls', report.calls],
    ['events logged', report.events],
    ['sockets opened', report.sockets],
    ['event frames over sockets', report.frames],
    ['events shown, by socket or poll', report.shown],
    ['lost', report.lost],
    ['duplicated', report.duplicated],
    ['out of order', report.outOfOrder],
    ['longest from a lost connection to live again', `${seconds(report.longestGapMs)} s`],
    ['after the healing: every delivery answered', `${seconds(report.answeredMs)} s`],
    ['after the healing: everybody live and at the head', `${seconds(report.caughtUpMs)} s`],
    ['peak memory', [...report.peakBytes].map(([name, bytes]) => `${name} ${Math.round(bytes / 1024 / 1024)} MiB`).join(', ')],
    ['records of history', report.records.length],
    ['violations', report.violations.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  const broken = report.violations.slice(0, VIOLATIONS_SHOWN).map(({ invariant, what, at }) => `${invariant} at ${at ?? '-'} ms: ${what}`);
  return [...lines, ...broken, ...report.problems.map((problem) => `Failed: ${problem}`)].join('\n');
};

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
