/** Everything the simulated ElevenLabs can do wrong, or differently from an ordinary call. `docs/simulated-elevenlabs.md` lists this table. */

interface MisbehaviourRow {
  readonly what: string;
  /** What the optional value means, and what it is when none is given; null: it takes none. */
  readonly value: { readonly means: string; readonly standard: number | string } | null;
}

export const MISBEHAVIOURS = {
  // The dial's answer
  answer_late: { what: 'The dial is answered late; the phone rings meanwhile.', value: { means: 'milliseconds', standard: 20_000 } },
  never_answer: { what: 'The dial is never answered, though the phone rings and the call takes place.', value: null },
  webhook_before_answer: { what: 'The dial is answered after the post-call webhook was sent.', value: null },
  no_conversation_id: { what: "The dial's answer names no conversation.", value: null },
  dial_429: { what: 'The dial is refused: too many calls at once.', value: null },
  dial_500: { what: 'The dial is answered 500, and no phone rings.', value: null },
  dial_html: { what: "The dial is answered by a gateway's HTML page (502), and no phone rings.", value: null },
  dial_success_false: { what: 'The dial is answered 200 with success: false.', value: null },
  // The call
  voicemail: { what: 'A voicemail takes the call.', value: null },
  initiation_failure: { what: 'Nobody takes the call: a call_initiation_failure webhook follows.', value: { means: 'busy, no-answer or unknown', standard: 'busy' } },
  hang: { what: 'The call stays in-progress for ever.', value: null },
  no_live_turns: { what: 'Nothing is posted while the call runs.', value: null },
  shuffle_turns: { what: 'Live turns are posted out of order: every second before the first of its pair.', value: null },
  no_monitoring: { what: 'The monitoring WebSocket is refused.', value: null },
  // The webhook
  duplicate_webhook: { what: 'Each webhook is sent several times.', value: { means: 'how many times', standard: 2 } },
  delay_webhook: { what: 'The post-call webhook comes late.', value: { means: 'milliseconds', standard: 30_000 } },
  webhook_before_turns: { what: 'The post-call webhook comes before all live turns of the call.', value: null },
  lose_webhook: { what: 'No webhook is sent.', value: null },
  sign_wrongly: { what: 'The webhook is signed with another secret.', value: null },
  otel_webhook: { what: 'post_call_transcription_otel is sent instead of post_call_transcription.', value: null },
  audio_webhook: { what: 'post_call_audio is sent as well.', value: null },
} as const satisfies Record<string, MisbehaviourRow>;

export type MisbehaviourKind = keyof typeof MISBEHAVIOURS;

/** One misbehaviour of one call. */
export interface Misbehaviour {
  readonly kind: MisbehaviourKind;
  /** See the table; null: the standard. */
  readonly value: number | string | null;
}

/** An order to misbehave in the next calls. */
export interface MisbehaviourRule extends Misbehaviour {
  /** How many calls are still to come; null: all until it is taken back. */
  readonly calls: number | null;
}

const isKind = (kind: string): kind is MisbehaviourKind => Object.hasOwn(MISBEHAVIOURS, kind);

/**
 * Reads one misbehaviour, from a kind and an optional value.
 * @returns null where there is no such kind, or the value is none of those it takes
 */
export const misbehaviour = (kind: unknown, value: unknown): Misbehaviour | null => {
  if (typeof kind !== 'string' || !isKind(kind)) return null;
  const row: MisbehaviourRow = MISBEHAVIOURS[kind];
  if (value === undefined || value === null || value === '') return { kind, value: null };
  if (row.value === null) return null;
  if (kind === 'initiation_failure') return value === 'busy' || value === 'no-answer' || value === 'unknown' ? { kind, value } : null;
  const number = Number(value);
  return Number.isInteger(number) && number >= 0 && number <= 3_600_000 ? { kind, value: number } : null;
};

/**
 * Reads the dynamic variable `simulate`: kinds with an optional value each, such as `duplicate_webhook:3, answer_late`.
 * @returns the misbehaviours asked for; whatever is none of them is passed over, as ElevenLabs takes any variable
 */
export const misbehavioursIn = (simulate: unknown): readonly Misbehaviour[] =>
  typeof simulate !== 'string'
    ? []
    : simulate.split(',').flatMap((entry) => {
        const [kind = '', value] = entry.trim().split(':');
        const found = misbehaviour(kind, value);
        return found === null ? [] : [found];
      });

/**
 * Which of the rules strike the next call, and what is left of them afterwards.
 */
export const strike = (rules: readonly MisbehaviourRule[]): { readonly struck: readonly Misbehaviour[]; readonly left: readonly MisbehaviourRule[] } => ({
  struck: rules.map(({ kind, value }) => ({ kind, value })),
  left: rules.flatMap((rule) => {
    if (rule.calls === null) return [rule];
    return rule.calls > 1 ? [{ ...rule, calls: rule.calls - 1 }] : [];
  }),
});
