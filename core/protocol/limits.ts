/**
 * Every bound of the product: the unit stands last in the name, the reason beside it.
 * `test/unit/limits.test.ts` asserts that they fit together.
 */

// --- Bodies that come in over HTTP ---

/** A thirty-minute call passes 1 MB; eight times that is still one parse and one transaction. */
export const WEBHOOK_BODY_KEPT_BYTES = 8 * 1024 * 1024;
/** Past what is kept, a verified delivery is hashed in passing and left to the reconciler; past this it is refused (413). */
export const WEBHOOK_BODY_MAX_BYTES = 32 * 1024 * 1024;
/** No REST body of ours comes near it. */
export const REST_BODY_MAX_BYTES = 256 * 1024;
/** Deeper JSON is nobody's data: parsing it costs stack, walking it overflows ours. */
export const JSON_DEPTH_MAX_LEVELS = 200;
/** A whole body has to arrive within this time: a slow sender holds a place that others need. */
export const BODY_ARRIVAL_MAX_MS = 30_000;

// --- Signatures ---

/** The provider's retry schedule reaches 45 minutes and may repeat the first signature: twice that. Replays stop at the keys. */
export const SIGNATURE_PAST_MAX_SECONDS = 90 * 60;
/** Clocks differ; by more than this one of them is wrong. */
export const SIGNATURE_FUTURE_MAX_SECONDS = 5 * 60;
/** A header with more candidates is an attack on our hashing. */
export const SIGNATURE_CANDIDATES_MAX_COUNT = 8;

// --- The log ---

/** One document of the cloud's log holds 1 MiB; half of it leaves room for its own envelope. */
export const SEGMENT_MAX_BYTES = 512 * 1024;
/** One commit of the cloud's log holds 10 MiB; what its documents carry beside their texts needs the rest. What would be larger is refused on every log alike. */
export const COMMIT_MAX_BYTES = 9 * 1024 * 1024;
/** Read, written and compared at every append: it must stay small. */
export const PROJECTION_MAX_BYTES = 32 * 1024;
/** A commit that meets contention is repeated this long, then 503. */
export const APPEND_RETRY_MAX_MS = 8_000;
/** One attempt of a commit or read of the cloud's log is given up after this long: two fit into what an append may take. */
export const STORE_ATTEMPT_MAX_MS = 4_000;
/** What was changed this long before the last comparison is asked for again: the cloud stamps a change when it is asked for, and it is seen when it is committed. */
export const CHANGES_OVERLAP_MS = 15_000;
/** How long an append waits for a busy embedded database, outside the event loop. */
export const SQLITE_BUSY_MAX_MS = 5_000;
/** Events asked for at once by a reader of the log. */
export const READ_PAGE_MAX_EVENTS = 1_000;
/** After a commit the publication is waited for this long; the comparison with the log heals what it loses. */
export const PUBLISH_WAIT_MAX_MS = 2_000;
/** The copy of a delivery that is in the log is waited for this long: whoever sends a turn waits for our answer, and is owed no copy. */
export const RAW_COPY_WAIT_MAX_MS = 2_000;
/** Waiting deliveries are adopted when the dial that might own them has had this long to answer. */
export const UNBOUND_DIAL_WAIT_MS = 2 * 60_000;
/** Deliveries that were used are kept this long, so that a parser's fault can be driven again. */
export const RAW_KEPT_MS = 7 * 24 * 60 * 60_000;

// --- Text ---

/** The text of a turn in a frame; longer is cut at a code point and the whole is kept with the log. */
export const TURN_TEXT_FRAME_MAX_BYTES = 16 * 1024;
/** Whole frames, so that one slow viewer's kernel buffer holds at least a few. */
export const FRAME_MAX_BYTES = 64 * 1024;
/** A turn that somebody posts: more than an hour of speech. */
export const TURN_TEXT_MAX_BYTES = 128 * 1024;
/** Free text beside an event (an agent event's detail, a reason). */
export const DETAIL_MAX_BYTES = 4 * 1024;
/** Ids that others choose (turn ids, tool call ids, conversation ids). */
export const ID_MAX_CHARACTERS = 256;
/** A call_sid is made of somebody else's id, a word before it and a time or number behind it. */
export const CALL_ID_MAX_CHARACTERS = 320;
/** What the board shows of the last words. */
export const LAST_LINE_MAX_CHARACTERS = 160;

// --- Interim turns ---

/** An interim turn older than this is no longer what is being said. */
export const INTERIM_AGE_MAX_MS = 5_000;
/** More a second than the eye follows. */
export const INTERIM_RATE_PER_SECOND = 4;

// --- The WebSocket ---

/** A hundred subscriptions with their positions fit. */
export const WS_PAYLOAD_MAX_BYTES = 16 * 1024;
/** A message in more pieces is an attack on our buffers. */
export const WS_FRAGMENTS_MAX_COUNT = 8;
/** Chunks the socket library holds for one message. */
export const WS_BUFFERED_CHUNKS_MAX_COUNT = 64;
/** Until a token is offered nothing but a token is awaited. */
export const WS_PRE_AUTH_FRAME_MAX_BYTES = 4 * 1024;
/** Frames that arrive while a token is being checked wait, up to here. */
export const WS_WAITING_MAX_BYTES = 16 * 1024;
/** A socket that offers no token is closed. */
export const AUTH_WAIT_MS = 5_000;
/** Checking a token and rights takes milliseconds; a session for which it takes this long is sent away to come back. */
export const AUTH_CHECK_MAX_MS = 15_000;
/** Subscriptions of one session, and entries of one poll. */
export const SUBSCRIPTIONS_MAX_COUNT = 100;
/** A hundred resubscriptions at once and the same again before the bucket is empty. */
export const MESSAGE_BUCKET_SIZE = 240;
/** What refills the bucket. */
export const MESSAGE_RATE_PER_SECOND = 6;
/** Events of one call kept ready as frames: most reconnects find all they missed here. */
export const RING_EVENTS = 256;
/** Above it a session's pump stops until the socket has drained: a slow reader costs one number. */
export const BUFFER_HIGH_WATER_BYTES = 64 * 1024;
/** A reader that drained less than SLOW_CONSUMER_MIN_BYTES in this time is closed with its position. */
export const SLOW_CONSUMER_MS = 90_000;
/** See SLOW_CONSUMER_MS. */
export const SLOW_CONSUMER_MIN_BYTES = 4 * 1024;
/** A silent caller never looks like a broken pipe. */
export const HEARTBEAT_MS = 15_000;
/** A pong that never came alone closes only after this. */
export const PONG_WAIT_MS = 90_000;
/** One user's sockets in one relay; dispatchers keep many tabs. */
export const CONNECTIONS_PER_USER_MAX_COUNT = 20;
/** The front end passes 1,000 requests to an instance: room for probes and polls. */
export const CONNECTIONS_PER_RELAY_MAX_COUNT = 900;
/** On one machine load tests come from one user. */
export const LOCAL_CONNECTIONS_PER_USER_MAX_COUNT = 1_000;
/** And in all. */
export const LOCAL_CONNECTIONS_MAX_COUNT = 2_000;
/** A socket that replaces another (`replaces` in its query) is not counted against its user this long. */
export const REPLACEMENT_GRACE_MS = 60_000;
/** A long poll waits at most this long. */
export const POLL_WAIT_MAX_SECONDS = 25;
/** Text in one poll's answer; what is left follows in the next. */
export const POLL_ANSWER_MAX_BYTES = 1024 * 1024;

// --- The relay ---

/** How often the relay asks the log what changed. */
export const COMPARE_MS = 5_000;
/** The relay waits this long for an answer of the log or the directory; what is never answered may not hold what comes after it. */
export const STORE_ANSWER_MAX_MS = 10_000;
/** An older comparison means that what the relay shows is no longer confirmed. */
export const VERIFIED_AGE_MAX_MS = 15_000;
/** How often a session's rights are confirmed; unconfirmed for as long it is paused. */
export const RIGHTS_RECHECK_MS = 30_000;
/** A right taken away silences a live socket, a session whose rights cannot be confirmed is paused. */
export const RIGHTS_UNCONFIRMED_MAX_MS = 60_000;
/** Before a token's end its session is warned. */
export const TOKEN_WARNING_MS = 60_000;
/** On drain the sockets leave spread over this time. */
export const DRAIN_SPREAD_MS = 4_000;
/** And the process is gone. */
export const DRAIN_MAX_MS = 8_000;
/** The platform cuts a request at 60 minutes: a session is asked to move before. */
export const SESSION_MOVE_AFTER_MS = 55 * 60_000;
/** Outside a drain a session has this long to follow a `move`. */
export const MOVE_WITHIN_MS = 60_000;
/** How often a relay looks which revision serves. */
export const SERVING_CHECK_MS = 15_000;
/** When another revision serves, the sessions of this one are asked to move spread over this time: all at once would be a storm. */
export const SERVING_SPREAD_MS = 10_000;
/** A session that comes while another revision serves has this long before it is asked to move: a name that no revision has must not make it run in circles. */
export const SERVING_GRACE_MS = 60_000;
/** Rows in one part of a board snapshot. */
export const BOARD_PART_MAX_ROWS = 100;
/** Ended calls stay on the board this long. */
export const BOARD_ENDED_MS = 15 * 60_000;
/** Changed rows are read together and sent at most this often. */
export const BOARD_UPDATE_MS = 250;
/** One instance's subscription without a heartbeat this long is an orphan. */
export const ORPHAN_SUBSCRIPTION_MS = 30 * 60_000;

// --- Who ---

/** Access tokens. */
export const TOKEN_LIFE_SECONDS = 60 * 60;
/** A valid token gives a new one this long after the sign-in: one shift. */
export const SIGN_IN_LIFE_SECONDS = 12 * 60 * 60;
/** A ticket stands in a URL: one use, half a minute. */
export const TICKET_LIFE_SECONDS = 30;
/** Relays read the public keys anew. */
export const JWKS_REFRESH_MS = 5 * 60_000;
/** A token longer than this is not one of ours. */
export const TOKEN_MAX_BYTES = 8 * 1024;
/** scrypt costs 32 MiB each: this many at once. */
export const PASSWORD_HASHES_AT_ONCE_COUNT = 2;
/** Sign-ins that wait for their turn: a shift that starts at the same minute; more is an attack on our memory. */
export const PASSWORD_HASHES_WAITING_MAX_COUNT = 500;
/** Longer passwords are refused before they are hashed. */
export const PASSWORD_MAX_BYTES = 256;

// --- Dialling ---

/** Drivers in one request. */
export const DIAL_DRIVERS_MAX_COUNT = 25;
/** Dials under way at once from one request. */
export const DIALS_AT_ONCE_COUNT = 4;
/** A dial request answers at the latest now, with the status as it then is. */
export const DIAL_ANSWER_MAX_MS = 15_000;
/** The one POST to the provider; after that the dial is unknown. */
export const DIAL_POST_MAX_MS = 60_000;
/** An unknown dial that nothing settled needs a person. */
export const DIAL_UNKNOWN_MAX_MS = 10 * 60_000;
/** Dynamic variables a caller may add. */
export const DIAL_VARIABLES_MAX_COUNT = 50;

// --- The reconciler ---

/** How often it runs. */
export const RECONCILE_MS = 60_000;
/** Past these a call is read from the provider. */
export const DIALING_MAX_MS = 3 * 60_000;
export const SILENT_CALL_MAX_MS = 30 * 60_000;
export const PROCESSING_MAX_MS = 10 * 60_000;
/** The webhook tells of an end within seconds as a rule: so long it goes first, then the reconciler tells. */
export const WEBHOOK_GRACE_MS = 2 * 60_000;
/** Conversations read from the provider in one workspace and pass: several times the calls that its largest plan (30) runs at once. */
export const PROVIDER_READS_MAX_COUNT = 200;
/** A pass is one process's alone for this long; it asks for more while it runs, and what a crash left over ends by itself. */
export const RECONCILER_LEASE_MS = 60_000;
/** Conversations on one page of a list: the most that ElevenLabs gives. */
export const LIST_PAGE_ROWS = 100;
/** A list that goes on past this is one that never ends. */
export const LIST_PAGES_MAX_COUNT = 1_000;
/** How far a list reaches back behind what was listed before: clocks differ, and a call may be listed only when it has ended. */
export const LIST_OVERLAP_MS = 60 * 60_000;
/** The first list of a workspace reaches back this far: a day of calls that nobody told us of is worth having, years are not asked for. */
export const FIRST_LISTING_MS = 24 * 60 * 60_000;

// --- REST ---

/** Rows of one page, when not asked otherwise and at most. */
export const PAGE_DEFAULT_ROWS = 50;
export const PAGE_MAX_ROWS = 200;
/** Text of the events in one answer; what is left follows in the next. */
export const EVENTS_ANSWER_MAX_BYTES = 4 * 1024 * 1024;
/** Violations kept with one driver. */
export const DRIVER_TRIGGERS_MAX_COUNT = 200;
/** How far back `GET /stats` looks: a month. */
export const STATS_MAX_HOURS = 31 * 24;
/** How far back `GET /stats/hours` looks: a week, an hour a bar. */
export const HOURLY_STATS_MAX_HOURS = 7 * 24;
/** Calls that `GET /stats/hours` reads, newest first; a busy day. What is older is said to be left out. */
export const HOURLY_STATS_CALLS_MAX_COUNT = 5_000;
/** How long the figures of a tenant are given again instead of being counted anew: they are read from every call. */
export const HOURLY_STATS_KEPT_MS = 60_000;
/** Used deliveries in one answer to a listener. */
export const DELIVERIES_PAGE_MAX_ROWS = 50;
/** Idempotency keys that callers choose. */
export const IDEMPOTENCY_KEY_MAX_CHARACTERS = 255;
