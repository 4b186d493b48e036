/**
 * The schema changes of the log, by number and name, each with its way back. What a change does to a database of tables stands with
 * that (`ports/call-log.sqlite-schema.ts`); what it does to a log of documents stands here, as a pure step for each call. A step
 * leaves alone what is right already, so that it may be repeated, stopped and begun again. Released ones are never changed.
 */

/** A call as a log of documents stores it. */
export interface StoredCall {
  /** What is searched by and shown in lists, field by field. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The projection. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Names of the long texts that stand beside it; a step can let go of some. */
  readonly texts: readonly string[];
}

/** Answers the very same object where there is nothing to do. */
export interface DocumentStep {
  up(call: StoredCall): StoredCall;
  down(call: StoredCall): StoredCall;
}

export interface Migration {
  readonly number: number;
  readonly name: string;
  /** null: documents need none; it only began the log. */
  readonly documents: DocumentStep | null;
}

/** Those of the six that stand in the projection; the other two are long texts beside it, and are null where there is none. */
const IN_STATE = ['transcript_summary', 'call_duration_seconds', 'cost', 'call_successful'] as const;
const BESIDE = ['analysis_data', 'metadata_json'];
/** What calls with a summary are counted by: it goes with the summary. */
const SUMMARY_FLAG = 'has_summary';

const sixFields: DocumentStep = {
  up: (call) => {
    const missing = IN_STATE.filter((name) => !(name in call.fields) || !(name in call.state));
    const counted = SUMMARY_FLAG in call.fields;
    if (missing.length === 0 && counted) return call;
    // What one place knows the other has as well: null is only what neither does.
    const known = Object.fromEntries(missing.map((name) => [name, call.state[name] ?? call.fields[name] ?? null]));
    const state = { ...call.state, ...known };
    const flag = counted ? {} : { [SUMMARY_FLAG]: (state as Readonly<Record<string, unknown>>)['transcript_summary'] !== null };
    return { ...call, fields: { ...call.fields, ...known, ...flag }, state };
  },
  down: (call) => {
    const fields = without(call.fields, [...IN_STATE, SUMMARY_FLAG]);
    const state = without(call.state, IN_STATE);
    const texts = call.texts.filter((name) => !BESIDE.includes(name));
    return fields === call.fields && state === call.state && texts.length === call.texts.length ? call : { fields, state, texts };
  },
};

const without = (record: Readonly<Record<string, unknown>>, names: readonly string[]): Readonly<Record<string, unknown>> =>
  names.some((name) => name in record) ? Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name))) : record;

/** In their order; the number is the schema that the log is of afterwards. */
export const MIGRATIONS = [
  { number: 1, name: 'calls, their events and their keys', documents: null },
  { number: 2, name: 'the six post-call fields, all nullable: calls written before read as null', documents: sixFields },
] as const satisfies readonly Migration[];
