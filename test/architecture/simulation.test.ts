import { describe, expect, it } from 'vitest';
import { projectFiles, textOf } from '../fixtures/tree.ts';

/** The shipped modules that a simulated world has to run. */
const SHIPPED = [
  'functions/webhooks/routes.ts',
  'functions/calls/start-calls.ts',
  'functions/calls/end-and-erase.ts',
  'functions/jobs.ts',
  'functions/api/idempotency.ts',
  'ws-relay/instance.ts',
  'ws-relay/poll.ts',
  'core/domain/client/machine.ts',
  'ports/call-log.sqlite.ts',
  'ports/directory.sqlite.ts',
  'ports/raw-store.sqlite.ts',
  'ports/voice-provider.elevenlabs.ts',
  'ports/runtime.seeded.ts',
];

/** Pure machines: the world may not call them, only what is shipped around them does - but for the client's machine and its table of rows, which the page's own shell calls. */
const MACHINES = /\bfrom '(?:\.\.\/)+core\/domain\/(?!client\/(?:machine|effects|rows)\.ts|call\/state\.ts|rights\.ts)/;

/**
 * What rules are made of. What carries - links, bus, stores, clocks, hosts - may not know any of it; a viewer notes what it is
 * shown, the provider and the audit tell the truth of their own side.
 */
const OF_RULES = ['seq', 'last_seq', 'epoch', 'digest', 'revision', 'rev', 'seal_revision', 'turn_id', 'status', 'merged_into', 'conversation_id', 'changed_at', 'cursor'];
const CARRIERS = ['world.ts', 'stores.ts', 'bus.ts', 'link.ts', 'identities.ts', 'functions-host.ts', 'relay-host.ts', 'faults.ts', 'swarm.ts', 'swarm-process.ts', 'shrink.ts'];
/** Each with its reason: what a carrier has to name all the same. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  // The fault that removes an event from what the log answers has to know which.
  'stores.ts': ['seq'],
  // A ticket is known by its hash.
  'identities.ts': ['digest'],
  // The answer of HTTP, and how far a relay was told of a call: counted, never acted on.
  'functions-host.ts': ['status'],
  // The revision is that of the relay's own deployment.
  'relay-host.ts': ['status', 'last_seq', 'revision'],
};

const world = projectFiles().filter((path) => /^test\/simulation\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'));
const code = (path: string): string => textOf(path).replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '').replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
const importsOf = (path: string): string[] => [...textOf(path).matchAll(/from '((?:\.\.?\/)[^']+)'/g)].map(([, specifier = '']) => specifier.replace(/^(?:\.\.\/)+/, ''));

const rulesIn = (file: string, text: string): string[] => {
  const allowed = NAMED[file] ?? [];
  return OF_RULES.filter((word) => !allowed.includes(word) && new RegExp(`\\b${word}\\b`).test(text));
};

describe('the simulated world', () => {
  it('runs the shipped modules', () => {
    const imported = new Set(world.flatMap(importsOf));
    expect(SHIPPED.filter((path) => !imported.has(path))).toEqual([]);
  });

  it('calls no machine by itself: what decides is called by what is shipped', () => {
    expect(world.flatMap((path) => textOf(path).split('\n').filter((line) => MACHINES.test(line) && !line.startsWith('import type')).map((line) => `${path}: ${line}`))).toEqual([]);
  });

  it.each(CARRIERS)('knows of no rule where it only carries: %s', (file) => {
    expect(rulesIn(file, code(`test/simulation/${file}`))).toEqual([]);
  });

  it('is judged by a checker that calls nothing of the product but the chain that it recomputes', () => {
    const checker = projectFiles().filter((path) => /^test\/history\/.*\.ts$/.test(path));
    expect(checker.length).toBeGreaterThan(5);
    const shipped = checker.flatMap((path) => textOf(path).split('\n').filter((line) => line.startsWith('import ') && !line.startsWith('import type') && /from '(?:\.\.\/)+(?:core|ports|functions|ws-relay|client)\//.test(line)).map((line) => `${path}: ${line.replace(/.*from /, '')}`));
    expect(shipped.filter((line) => !/core\/(?:protocol\/limits|domain\/digest)\.ts'/.test(line))).toEqual([]);
  });

  it('would be found out: a carrier that looks at an event, a world that decides', () => {
    expect(rulesIn('link.ts', "if (JSON.parse(text).seq <= known) return;")).toEqual(['seq']);
    expect(MACHINES.test("import { decide } from '../../core/domain/call/decide.ts';")).toBe(true);
    expect(MACHINES.test("import { newClientMachine } from '../../core/domain/client/machine.ts';")).toBe(false);
  });
});
