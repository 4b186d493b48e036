import { describe, expect, it } from 'vitest';
import * as table from '../../core/protocol/limits.ts';
import { CLOSE_CODES, ERRORS } from '../../core/protocol/codes.ts';

/** As numbers, not as the literals they happen to be: the comparisons below are questions. */
const limits: { readonly [K in keyof typeof table]: number } = table;

describe('the limits fit together', () => {
  it.each([
    ['what is kept of a webhook is less than what is taken', limits.WEBHOOK_BODY_KEPT_BYTES < limits.WEBHOOK_BODY_MAX_BYTES],
    ['a turn that may be posted fits into a REST-sized body', limits.TURN_TEXT_MAX_BYTES < limits.WEBHOOK_BODY_KEPT_BYTES],
    ['a cut turn and its head fit into a frame', limits.TURN_TEXT_FRAME_MAX_BYTES * 2 < limits.FRAME_MAX_BYTES],
    ['a frame fits into a segment', limits.FRAME_MAX_BYTES < limits.SEGMENT_MAX_BYTES],
    ['a segment leaves half of a document of 1 MiB', limits.SEGMENT_MAX_BYTES * 2 <= 1024 * 1024],
    ['an id of the greatest length makes a call_sid that can be asked for', 'EL_'.length + limits.ID_MAX_CHARACTERS + '_2026-01-01T00:00:00.000Z'.length <= limits.CALL_ID_MAX_CHARACTERS],
    ['one frame does not overfill a drained buffer for long', limits.FRAME_MAX_BYTES <= limits.BUFFER_HIGH_WATER_BYTES],
    ['the bucket lets a full resubscription pass twice', limits.MESSAGE_BUCKET_SIZE >= 2 * limits.SUBSCRIPTIONS_MAX_COUNT],
    ['a hundred subscriptions with positions fit into one message', limits.SUBSCRIPTIONS_MAX_COUNT * 160 <= limits.WS_PAYLOAD_MAX_BYTES],
    ['what waits for a token is at most one message', limits.WS_WAITING_MAX_BYTES <= limits.WS_PAYLOAD_MAX_BYTES],
    ['before a token less is taken than after', limits.WS_PRE_AUTH_FRAME_MAX_BYTES < limits.WS_PAYLOAD_MAX_BYTES],
    ['a token in one of our forms fits into the frame that brings it', limits.TOKEN_MAX_BYTES <= limits.WS_WAITING_MAX_BYTES],
    ['a screen is fresh between two comparisons', limits.VERIFIED_AGE_MAX_MS >= 2 * limits.COMPARE_MS],
    ['a heartbeat comes before its freshness ends', limits.HEARTBEAT_MS <= limits.VERIFIED_AGE_MAX_MS],
    ['rights are asked for twice within the time in which they must take effect', limits.RIGHTS_RECHECK_MS * 2 <= limits.RIGHTS_UNCONFIRMED_MAX_MS],
    ['a question about rights that is never answered is put again before the rights are in doubt', limits.RIGHTS_RECHECK_MS + limits.STORE_ANSWER_MAX_MS <= limits.RIGHTS_UNCONFIRMED_MAX_MS],
    ['a token is given up for longer than one answer may take', limits.STORE_ANSWER_MAX_MS < limits.AUTH_CHECK_MAX_MS],
    ['a missing pong closes after several pings', limits.PONG_WAIT_MS >= 3 * limits.HEARTBEAT_MS],
    ['a session that another revision should have has left this one within two minutes', limits.SERVING_CHECK_MS + limits.SERVING_SPREAD_MS + limits.MOVE_WITHIN_MS <= 120_000],
    ['who comes while another revision serves is asked to move no sooner than those who were here have to be gone', limits.SERVING_GRACE_MS >= limits.MOVE_WITHIN_MS],
    ['the drain is over before the process has to be gone', limits.DRAIN_SPREAD_MS < limits.DRAIN_MAX_MS],
    ['a ticket ends long before its token', limits.TICKET_LIFE_SECONDS < limits.TOKEN_LIFE_SECONDS],
    ['a token ends before its sign-in', limits.TOKEN_LIFE_SECONDS < limits.SIGN_IN_LIFE_SECONDS],
    ['the warning comes within the life of a token', limits.TOKEN_WARNING_MS < limits.TOKEN_LIFE_SECONDS * 1000],
    ['a delivery waits longer for a dial than the dial itself may take', limits.UNBOUND_DIAL_WAIT_MS > limits.DIAL_POST_MAX_MS],
    ['a request answers before the dial behind it gives up', limits.DIAL_ANSWER_MAX_MS < limits.DIAL_POST_MAX_MS],
    ['signatures outlive the retry schedule of 45 minutes', limits.SIGNATURE_PAST_MAX_SECONDS >= 2 * 45 * 60],
    ['raw copies outlive the signatures, so a replay meets them', limits.RAW_KEPT_MS > limits.SIGNATURE_PAST_MAX_SECONDS * 1000],
    ['a dial has had its answer before it is looked for, and is looked for before a person is asked', limits.DIAL_POST_MAX_MS < limits.DIALING_MAX_MS && limits.DIALING_MAX_MS + 2 * limits.RECONCILE_MS < limits.DIAL_UNKNOWN_MAX_MS],
    ['the webhook has its time before any call is past its bounds', limits.WEBHOOK_GRACE_MS < Math.min(limits.DIALING_MAX_MS, limits.SILENT_CALL_MAX_MS, limits.PROCESSING_MAX_MS)],
    ['lists overlap by more than one pass, a silent call and the time of its webhook', limits.LIST_OVERLAP_MS > limits.SILENT_CALL_MAX_MS + limits.WEBHOOK_GRACE_MS + limits.RECONCILE_MS],
    ['the first list reaches further back than any later one overlaps', limits.FIRST_LISTING_MS > limits.LIST_OVERLAP_MS],
    ['a quarter of the reads is enough for all calls of the largest plan', limits.PROVIDER_READS_MAX_COUNT / 4 >= 30],
    ['what a crashed pass held is free again when the next but one begins', limits.RECONCILER_LEASE_MS <= limits.RECONCILE_MS],
    ['a page of the log holds at least one ring', limits.READ_PAGE_MAX_EVENTS >= limits.RING_EVENTS],
    ['one machine takes more connections of a user than a relay in the cloud', limits.LOCAL_CONNECTIONS_PER_USER_MAX_COUNT > limits.CONNECTIONS_PER_USER_MAX_COUNT],
    ['a relay leaves room for probes and polls below 1,000 requests', limits.CONNECTIONS_PER_RELAY_MAX_COUNT <= 950],
    ['an append is given up before its sender gives up', limits.SQLITE_BUSY_MAX_MS < limits.BODY_ARRIVAL_MAX_MS && limits.APPEND_RETRY_MAX_MS < limits.BODY_ARRIVAL_MAX_MS],
  ])('%s', (_sentence, holds) => {
    expect(holds).toBe(true);
  });

  it('every limit is a positive number with its unit last in its name', () => {
    const units = /_(BYTES|MS|SECONDS|COUNT|EVENTS|ROWS|CHARACTERS|LEVELS|SIZE|PER_SECOND|HOURS)$/;
    expect(Object.entries(limits).filter(([name, value]) => !units.test(name) || !(value > 0))).toEqual([]);
  });
});

describe('the codes', () => {
  it('say by their number whether to come back', () => {
    const wrong = Object.entries(CLOSE_CODES).filter(([, { code }]) => !(code === 1000 || code === 1012 || (code >= 4000 && code < 5000)));
    expect(wrong).toEqual([]);
    expect(new Set(Object.values(CLOSE_CODES).map(({ code }) => code)).size).toBe(Object.keys(CLOSE_CODES).length);
  });

  it('that are our own fault ask for another try', () => {
    expect(Object.entries(ERRORS).filter(([, row]) => row.status === 503 && !row.retryable)).toEqual([]);
  });
});
