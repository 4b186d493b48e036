import type { Outcome } from './facts.ts';

/** The outcome of a call that failed with nothing else known of it. */
export const failedOutcome = (reason: string): Outcome => ({
  status: 'failed',
  reason,
  started_at: null,
  transcript_summary: null,
  call_duration_seconds: null,
  cost: null,
  cost_credits: null,
  call_successful: null,
  outcome: null,
  call_summary_title: null,
  termination_reason: null,
  analysis_data: null,
  metadata_json: null,
  evaluation_results: null,
  collection_results: null,
  direction: null,
  agent_id: null,
  transcript: null,
  tools: [],
});
