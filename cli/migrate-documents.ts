/** Takes a log of documents from schema to schema: call by call, page by page. Stopped at any moment, it goes on where it was. */
import type { Migration } from '../core/domain/migrations.ts';
import type { CallDocument, CallDocuments, MigrationProgress } from '../ports/call-documents.ts';
import { together } from './together.ts';

const PAGE_CALLS = 100;
/** A call that is written to all the time is tried this often; who writes it by now writes it whole. */
const TRIES_MAX_COUNT = 20;

/** What one step did, or would do. */
export interface StepReport {
  readonly number: number;
  readonly direction: 'up' | 'down';
  /** Calls looked at, in this run and in those that it goes on from. */
  readonly seen: number;
  /** Of these, changed; what a run that was killed had changed of its last page is not among them. */
  readonly changed: number;
}

export interface MigrateOptions {
  readonly migrations: readonly Migration[];
  /** The schema to end at. */
  readonly to: number;
  /** Told after each page. */
  readonly onPage: (report: StepReport) => void;
}

/** A log of documents that was never changed began with the first schema. */
export const FIRST_SCHEMA = 1;

/** How far the log is. */
export const progressOf = async (documents: CallDocuments): Promise<MigrationProgress> => (await documents.progress()) ?? { schema: FIRST_SCHEMA, running: null };

/** Runs every step up to `to`; answers one report for each. */
export const migrateDocuments = async (documents: CallDocuments, options: MigrateOptions): Promise<readonly StepReport[]> => {
  const reports: StepReport[] = [];
  for (let next = nextStep(await progressOf(documents), options.to); next !== null; next = nextStep(await progressOf(documents), options.to)) {
    const progress = await progressOf(documents);
    reports.push(await runStep(documents, progress, next, options));
    await documents.keepProgress({ schema: next.direction === 'up' ? next.step : next.step - 1, running: null });
  }
  return reports;
};

/** What every step would find; nothing is written. A step that is not through yet is counted from its beginning. */
export const countDocuments = async (documents: CallDocuments, options: MigrateOptions): Promise<readonly StepReport[]> => {
  const steps: NextStep[] = [];
  let progress = await progressOf(documents);
  for (let next = nextStep(progress, options.to); next !== null; next = nextStep(progress, options.to)) {
    steps.push(next);
    progress = { schema: next.direction === 'up' ? next.step : next.step - 1, running: null };
  }
  const counts = steps.map(({ step, direction }) => ({ number: step, direction, seen: 0, changed: 0 }));
  if (steps.length === 0) return counts;
  for await (const { call } of everyCall(documents, null)) {
    let at = call;
    for (const [index, next] of steps.entries()) {
      const count = counts[index];
      const after = applied(options.migrations, next, at);
      if (count === undefined) continue;
      count.seen += 1;
      if (after !== at) count.changed += 1;
      at = after;
    }
  }
  return counts;
};

interface NextStep {
  readonly step: number;
  readonly direction: 'up' | 'down';
}

/** A step that was begun is ended, or, where it leads away from the goal, taken back. */
const nextStep = ({ schema, running }: MigrationProgress, to: number): NextStep | null => {
  if (running !== null) return { step: running.step, direction: to >= running.step ? 'up' : 'down' };
  if (schema === to) return null;
  return schema < to ? { step: schema + 1, direction: 'up' } : { step: schema, direction: 'down' };
};

const applied = (migrations: readonly Migration[], { step, direction }: NextStep, call: CallDocument['call']): CallDocument['call'] => {
  const documents = migrations.find(({ number }) => number === step)?.documents;
  if (documents === undefined) throw new Error(`there is no schema ${step}`);
  return documents === null ? call : documents[direction](call);
};

const runStep = async (documents: CallDocuments, { schema, running }: MigrationProgress, next: NextStep, { migrations, onPage }: MigrateOptions): Promise<StepReport> => {
  const goesOn = running?.step === next.step && running.direction === next.direction;
  let { after, seen, changed } = goesOn ? running : { after: null, seen: 0, changed: 0 };
  const report = (): StepReport => ({ number: next.step, direction: next.direction, seen, changed });
  const keep = (): Promise<void> => documents.keepProgress({ schema, running: { ...next, after, seen, changed } });
  await keep();
  for (;;) {
    const page = await documents.page(after, PAGE_CALLS);
    const results = await together(page, (document) => change(documents, document, (call) => applied(migrations, next, call)));
    seen += page.length;
    changed += results.filter(Boolean).length;
    after = page.at(-1)?.id ?? after;
    await keep();
    onPage(report());
    if (page.length < PAGE_CALLS) return report();
  }
};

/** @returns whether it had to be changed */
const change = async (documents: CallDocuments, found: CallDocument, step: (call: CallDocument['call']) => CallDocument['call']): Promise<boolean> => {
  let document: CallDocument | null = found;
  for (let tried = 0; document !== null && tried < TRIES_MAX_COUNT; tried++) {
    const call = step(document.call);
    if (call === document.call) return false;
    if (await documents.put(document, call)) return true;
    document = await documents.one(document.id);
  }
  if (document !== null) throw new Error('a call is written to without end: stop what writes it');
  return false;
};

async function* everyCall(documents: CallDocuments, from: string | null): AsyncGenerator<CallDocument> {
  let after = from;
  for (;;) {
    const page = await documents.page(after, PAGE_CALLS);
    yield* page;
    after = page.at(-1)?.id ?? after;
    if (page.length < PAGE_CALLS) return;
  }
}
