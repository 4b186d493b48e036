import type { Misbehaviour, MisbehaviourKind } from './misbehaviour.ts';
import { MISBEHAVIOURS, misbehavioursIn } from './misbehaviour.ts';
import { cutAt, play, playFailure } from './player.ts';
import type { FailureReason, Timeline } from './player.ts';
import { oneOf, seededRandom } from './random.ts';
import { scriptNamed, SCRIPTS, scriptsFor } from './scripts.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** Everything that has to be kept of a simulated call: what is said in it follows from this. Times are milliseconds since 1970. */
export interface CallRecord {
  /** Counts calls from 1. */
  readonly number: number;
  readonly conversation_id: string;
  /** The carrier's id. */
  readonly carrier_call_id: string;
  readonly telephony: 'twilio' | 'sip_trunk';
  readonly direction: 'outbound' | 'inbound';
  readonly agent_id: string;
  readonly phone_number_id: string;
  readonly to_number: string;
  readonly user_id: string | null;
  readonly dynamic_variables: Variables;
  readonly script: string;
  readonly misbehaviours: readonly Misbehaviour[];
  readonly dialed_at: number;
  readonly answered_at: number | null;
  readonly status: 'initiated' | 'in-progress' | 'processing' | 'done' | 'failed';
  /** Index of the first step that has not been taken. */
  readonly next_step: number;
  /** Where the call was ended from outside, milliseconds from the dial. */
  readonly cut_at_ms: number | null;
}

/** Whether the call occupies a line. */
export const isUnderWay = (record: CallRecord): boolean => record.status === 'initiated' || record.status === 'in-progress';

/** The misbehaviour of that kind in this call; null: it behaves in this respect. */
export const misbehaving = (record: CallRecord, kind: MisbehaviourKind): Misbehaviour | null =>
  record.misbehaviours.find((entry) => entry.kind === kind) ?? null;

/** What happens in the call, at which millisecond. */
export const timelineOf = (record: CallRecord): Timeline => {
  const failure = misbehaving(record, 'initiation_failure');
  if (failure !== null) return playFailure(failureReason(failure));
  const name = record.dynamic_variables['driver_name'];
  const timeline = play(scriptNamed(record.script), typeof name === 'string' && name !== '' ? name : 'there', record.conversation_id.slice(-8));
  return record.cut_at_ms === null ? timeline : cutAt(timeline, record.cut_at_ms);
};

const failureReason = ({ value }: Misbehaviour): FailureReason => (value === 'no-answer' || value === 'unknown' ? value : 'busy');

/**
 * Which script a call follows and how it misbehaves: what was asked for, else by chance.
 * @param seed with `number` decides every chance, so that the nth call of a seed is always the same
 * @param struck misbehaviours that rules ask of this call
 * @param unruly share of calls, 0 to 1, that misbehave by chance
 */
export const choose = (
  seed: number,
  number: number,
  variables: Variables,
  struck: readonly Misbehaviour[],
  unruly: number,
): { readonly script: string; readonly misbehaviours: readonly Misbehaviour[] } => {
  const random = seededRandom(`${seed}:${number}`);
  const asked = [...misbehavioursIn(variables['simulate']), ...struck];
  const drawn = oneOf(BY_CHANCE, random);
  const misbehaviours = asked.length === 0 && random() < unruly ? [{ kind: drawn, value: null }] : asked;
  const named = variables['simulate_script'];
  if (SCRIPTS.some((script) => script.name === named)) return { script: String(named), misbehaviours };
  if (misbehaviours.some((entry) => entry.kind === 'voicemail')) return { script: 'voicemail', misbehaviours };
  const types = variables['violation_types'];
  return { script: oneOf(scriptsFor(typeof types === 'string' ? types : ''), random).name, misbehaviours };
};

const BY_CHANCE = Object.keys(MISBEHAVIOURS) as MisbehaviourKind[];
