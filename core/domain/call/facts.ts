/**
 * What can become known about a call. A fact is not yet an event: `decide` says which events follow from it, if any.
 * Facts come in any order, any number of times, from the webhook, the ingest endpoints, the dial and the reconciler alike.
 */
import type { AgentEventType, CallStatus, Speaker } from '../../protocol/frames.ts';

/** One row of the provider's final transcript that holds words. */
export interface FinalTurn {
  readonly speaker: Speaker;
  readonly text: string;
  readonly time_in_call_secs: number | null;
  /** Joins with the live `event_id` of the same speaker, where the provider sends it. */
  readonly source_event_id: string | null;
}

/** A tool use that the final transcript tells of. */
export interface FinalTool {
  readonly tool_call_id: string;
  readonly tool_name: string;
  readonly is_error: boolean | null;
  readonly duration_ms: number | null;
  /** Whether a result row was there. */
  readonly completed: boolean;
}

/** The normalised outcome of a finished call: equal facts are equal here, whichever way they came. Nullable throughout. */
export interface Outcome {
  readonly status: 'completed' | 'failed';
  readonly reason: string | null;
  readonly started_at: number | null;
  readonly transcript_summary: string | null;
  readonly call_duration_seconds: number | null;
  readonly cost: number | null;
  readonly cost_credits: number | null;
  readonly call_successful: boolean | null;
  readonly outcome: string | null;
  readonly call_summary_title: string | null;
  readonly termination_reason: string | null;
  readonly analysis_data: string | null;
  readonly metadata_json: string | null;
  readonly evaluation_results: unknown;
  readonly collection_results: unknown;
  readonly direction: 'outbound' | 'inbound' | null;
  readonly agent_id: string | null;
  /** null: this source has no transcript to tell of (a failed dial); an empty list: nobody spoke. */
  readonly transcript: readonly FinalTurn[] | null;
  readonly tools: readonly FinalTool[];
}

export type FactSource = 'request' | 'webhook' | 'ingest' | 'monitor' | 'reconciler' | 'fetch' | 'dial' | 'import';

export type Fact =
  | { readonly kind: 'requested' }
  /** Only the conversation becomes known. */
  | { readonly kind: 'announced' }
  | { readonly kind: 'dialing'; readonly attempt: number }
  /** The provider took the dial. */
  | { readonly kind: 'dial_accepted'; readonly attempt: number }
  /** The provider (or we, before the POST) said no: the call fails. */
  | { readonly kind: 'dial_failed'; readonly attempt: number; readonly reason: string }
  /** No answer came: it may be ringing. */
  | { readonly kind: 'dial_unknown'; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'needs_person' }
  /** The provider's word on how far the call is. */
  | { readonly kind: 'progress'; readonly status: CallStatus; readonly reason: string | null }
  | {
      readonly kind: 'turn';
      readonly turn_id: string | null;
      readonly rev: number | null;
      readonly state: 'final' | 'corrected' | 'retracted';
      readonly speaker: Speaker;
      readonly text: string;
      readonly time_in_call_secs: number | null;
      readonly source_event_id: string | null;
    }
  | {
      readonly kind: 'agent_event';
      readonly type: AgentEventType;
      readonly event_id: string | null;
      readonly tool_name: string | null;
      readonly tool_call_id: string | null;
      readonly is_error: boolean | null;
      readonly duration_ms: number | null;
      readonly detail: string | null;
    }
  | { readonly kind: 'finished'; readonly outcome: Outcome; readonly at: number }
  | { readonly kind: 'audio_noted' };

/** A fact together with what else the same delivery says: where it is from and which conversation it belongs to. */
export interface FactEntry {
  readonly fact: Fact;
  readonly source: FactSource;
  /** Binds the call to this conversation if it has none. */
  readonly conversation_id: string | null;
  /** The carrier's own id of the phone call, where the delivery tells it. */
  readonly provider_call_id: string | null;
}

/** What became of a fact: `appended` made events, `noted` changed only the projection, `duplicate` and `ignored` changed nothing. */
export type FactResult =
  | { readonly result: 'appended'; readonly first_seq: number; readonly last_seq: number }
  | { readonly result: 'noted' }
  | { readonly result: 'duplicate' }
  | { readonly result: 'ignored'; readonly why: string }
  /** The conversation belongs to another call: this one was merged into it, or the fact has to go there. */
  | { readonly result: 'elsewhere'; readonly call_sid: string };
