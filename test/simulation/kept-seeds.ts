/** Seeds that once failed, with what they found: they run first, for ever. */
import type { FaultKind } from './faults.ts';

export interface KeptSeed {
  readonly seed: number;
  /** null: all that the seed draws. */
  readonly faults: readonly FaultKind[] | null;
  readonly found: string;
}

export const KEPT_SEEDS: readonly KeptSeed[] = [
  { seed: 80, faults: null, found: 'a look-up that was answered after its session had ended subscribed the dead session for good' },
  { seed: 102, faults: null, found: 'the same, by a long poll' },
  { seed: 686, faults: null, found: 'a session opened and sent calls though its token had ended while it was checked' },
  { seed: 1000, faults: ['webhook_forged', 'right_removed'], found: "the log's generation came from SQLite's own chance, so that no run could be repeated" },
  { seed: 60, faults: null, found: "words that came by a dialled call's id before its merger stand in that call's own log" },
  { seed: 223, faults: null, found: 'a delivery of an erased call that nobody could use was kept in quarantine' },
  {
    seed: 23427767,
    faults: ['dial_answer_late', 'webhook_foreign', 'nothing_live', 'token_bad', 'right_removed', 'call_erased', 'clock_jump'],
    found: 'what somebody else had sent of a conversation was kept, though the call whose conversation that turned out to be was erased',
  },
  { seed: 23428239, faults: ['log_down_long', 'webhook_other', 'call_erased'], found: 'a delivery of an erased call that nobody could use was kept while the log did not answer' },
  {
    seed: 29124069,
    faults: [
      'function_stall', 'log_unknown_commit', 'log_slow', 'publish_fails', 'publish_hangs', 'bus_drops', 'bus_goes_silent', 'dial_refused',
      'provider_down', 'provider_hangs', 'webhook_doubled', 'webhook_early', 'webhook_other', 'turns_shuffled', 'outcome_amended', 'relay_stall',
      'link_cut', 'link_throttled', 'viewer_sleeps', 'clock_jump',
    ],
    found: 'a board took its first rows from a reading that began before anybody was there to be told of changes, and showed them for good',
  },
  { seed: 46, faults: null, found: 'a board that the log could not answer was never asked for again, and the screen said that it is live' },
  { seed: 81368864, faults: null, found: 'a call that the new link of a move did not find before the old one did was never watched there; one of a new epoch was started over by both' },
];
