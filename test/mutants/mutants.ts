/**
 * The mutants: each breaks one rule of the product in the way that somebody might break it one day. The simulation has to find
 * every one, by the invariant that it breaks, on a seed that the product as it is passes.
 */
import type { Invariant } from '../history/check.ts';
import type { FaultKind } from '../simulation/faults.ts';
import type { Edit } from './edit.ts';

export interface Mutant {
  readonly name: string;
  /** Any of these names it; the first is the one that it is meant for. */
  readonly invariants: readonly Invariant[];
  readonly edits: readonly Edit[];
  /** Faults under which it shows, each with its strength. */
  readonly plan: Readonly<Partial<Record<FaultKind, number>>>;
  /** Calls in the run, where it takes many for the mutant to show. */
  readonly calls?: number;
  /** Whether the run is repeated and compared. */
  readonly replay?: true;
}

const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace });

const CLIENT = 'core/domain/client/machine.ts';
const CLIENT_CALL = 'core/domain/client/call.ts';
const FOLLOWING = 'core/domain/client/following.ts';
const PUMP = 'core/domain/relay/pump.ts';
const FEED = 'core/domain/relay/feed.ts';
const SESSION = 'core/domain/relay/session.ts';
const STANDING = 'core/domain/relay/standing.ts';
const COMPARISON = 'ws-relay/comparison.ts';
const FEEDS = 'ws-relay/feeds.ts';
const PUBLISH = 'functions/calls/publish.ts';
const RECEIVE = 'functions/webhooks/receive.ts';
const ORIGIN = 'functions/webhooks/origin.ts';
const ROUTE_FACTS = 'functions/calls/route-facts.ts';
const REDRIVE = 'functions/calls/redrive.ts';
const START_CALLS = 'functions/calls/start-calls.ts';
const LOG = 'ports/call-log.sqlite.ts';
const LOG_READER = 'ports/call-log.sqlite-reader.ts';
const FINISHED = 'core/domain/call/decide-finished.ts';
const SIGNATURE = 'core/domain/elevenlabs/signature.ts';

/** A write that takes the place of what stands there, as a store without a transaction would. */
const OVERWRITE = edit(LOG, "'INSERT INTO events (call_sid, seq, text, whole_text) VALUES (?, ?, ?, ?)'", "'INSERT OR REPLACE INTO events (call_sid, seq, text, whole_text) VALUES (?, ?, ?, ?)'");

export const MUTANTS: readonly Mutant[] = [
  // I1
  {
    name: 'the client drops no duplicate',
    invariants: ['I1'],
    edits: [edit(FOLLOWING, 'if (seq !== call.cursor + 1) return;', 'if (seq > call.cursor + 1) return;')],
    plan: { frame_doubled: 1 },
  },
  {
    name: 'the pump drops what there is no room for',
    invariants: ['I1'],
    edits: [edit(PUMP, "if (left <= 0) return stop('full');", 'if (left <= 0) {\n      at++;\n      continue;\n    }')],
    plan: { link_narrow: 1, link_slow: 1 },
  },
  {
    name: 'the cursor is moved before the send',
    invariants: ['I1'],
    edits: [edit(FEEDS, 'subscription.cursor = cursor;', 'subscription.cursor = Math.max(cursor, feed.head);')],
    plan: { link_narrow: 1, link_slow: 1, link_cut: 0.4 },
  },
  {
    name: 'the pump stops one event before the head (`>` for `>=`)',
    invariants: ['I1', 'I2', 'I3'],
    edits: [edit(PUMP, 'while (at < feed.head) {', 'while (at + 1 < feed.head) {')],
    plan: {},
  },
  {
    name: 'a gap is not filled',
    invariants: ['I1', 'I2', 'I3'],
    edits: [edit(FEED, 'this.#doubted || this.known > this.head ? this.head :', 'this.#doubted ? this.head :')],
    plan: { bus_drops: 1 },
  },
  // I2
  {
    name: 'a delivery is answered before its commit',
    invariants: ['I2'],
    edits: [
      edit(
        RECEIVE,
        'const routed = await routeFacts(parts, origin, reading.address, reading.entries);\n  return settle(',
        "const routed = await Promise.race([routeFacts(parts, origin, reading.address, reading.entries).catch(() => null), Promise.resolve(null)]);\n  if (routed === null) return { result: 'stored', call_sid: null, conversation_id: null, type: reading.type, tenant: origin.tenant };\n  return settle(",
      ),
    ],
    plan: { log_unavailable: 1, function_crash: 1 },
  },
  {
    name: "a commit's error is swallowed",
    invariants: ['I2'],
    edits: [edit(PUBLISH, "parts.metrics.count('earshot_log_append_failures_total', {});\n    throw error;", "parts.metrics.count('earshot_log_append_failures_total', {});\n    if (error instanceof Error) return null as R;\n    throw error;")],
    plan: { log_unavailable: 1 },
  },
  {
    name: 'a failed publication is ignored, and nobody compares with the log',
    invariants: ['I2', 'I3'],
    edits: [edit(COMPARISON, 'if (!stopped) void compareOrWarn().then(next);', 'if (!stopped) next();')],
    plan: { publish_fails: 1 },
  },
  // I3
  {
    name: 'the relay never compares with the log again',
    invariants: ['I3', 'I2'],
    edits: [edit(COMPARISON, '    runtime.after(COMPARE_MS, () => {\n      if (!stopped) void compareOrWarn().then(next);\n    });', '')],
    plan: { bus_goes_silent: 1, bus_unsubscribes: 1 },
  },
  {
    name: 'the comparison skips a page',
    invariants: ['I3', 'I2'],
    edits: [edit(LOG_READER, 'const CHANGES_PAGE_ROWS = 500;', 'const CHANGES_PAGE_ROWS = 1;'), edit(LOG_READER, 'const last = more ? (rows.at(-1)?.mark ?? head) : head;', 'const last = head;')],
    plan: { bus_drops: 1, bus_unsubscribes: 1 },
  },
  {
    name: 'the reconciler reads the first page of a list only',
    invariants: ['I3'],
    edits: [edit('functions/reconciler/list-conversations.ts', 'cursor = page.next_cursor;', 'cursor = null;')],
    plan: { webhook_lost: 1, nothing_live: 1 },
    calls: 8,
  },
  {
    name: 'nothing that waits is driven again',
    invariants: ['I3'],
    edits: [edit(REDRIVE, 'for (const delivery of page) used +=', "for (const delivery of page) if (delivery.reason !== 'waiting') used +=")],
    plan: { dial_answer_late: 1, dial_answer_lost: 0.4 },
  },
  // I4
  {
    name: 'the seq is taken from a call that was read before the transaction',
    invariants: ['I4', 'I1'],
    edits: [
      OVERWRITE,
      edit(LOG, 'const NO_DETAILS: CallDetails', 'const readBefore = new Map<string, { readonly at: number; readonly call: CallState | null }>();\nconst NO_DETAILS: CallDetails'),
      edit(
        LOG,
        'append: (callSid, entries) => {\n      const call = reader.get(callSid);',
        'append: (callSid, entries) => {\n      const known = readBefore.get(callSid);\n      const call = known !== undefined && runtime.monotonic() - known.at < 20 ? known.call : reader.get(callSid);\n      if (call !== known?.call) readBefore.set(callSid, { at: runtime.monotonic(), call });',
      ),
    ],
    plan: { webhook_doubled: 1, turns_shuffled: 1 },
  },
  {
    name: 'an append is repeated without a look at its keys',
    invariants: ['I4', 'I5'],
    edits: [edit(LOG, 'if (row !== undefined) seen.set(key, row.value);', '')],
    plan: { log_unknown_commit: 1, webhook_doubled: 1 },
  },
  {
    name: 'the conversation is filled in when an event is read',
    invariants: ['I4', 'I1'],
    edits: [edit(LOG_READER, 'events: rows.map(({ seq, text }) => ({ seq, text }))', 'events: rows.map(({ seq, text }) => ({ seq, text: JSON.stringify({ ...JSON.parse(text), conversation_id: call.conversation_id }) }))')],
    plan: { link_cut: 1, dial_answer_late: 1, dial_without_id: 1 },
  },
  // I5
  {
    name: "an event's key is made when it is received",
    invariants: ['I5'],
    edits: [edit('functions/webhooks/read-ingest.ts', 'event_id: String(event.event_id ?? onceId())', 'event_id: onceId()'), edit('core/domain/call/keys.ts', "if (fact.tool_call_id !== null && (fact.type === 'tool_executing' || fact.type === 'tool_completed')) return toolKey(fact.tool_call_id, fact.type);", '')],
    plan: { webhook_doubled: 1, log_unknown_commit: 1 },
  },
  {
    name: 'keys are written outside the transaction',
    invariants: ['I5', 'I4'],
    edits: [edit(LOG, 'for (const [key, value] of decision.keys) putKey.run(call.call_sid, key, value);', 'runtime.after(1_500, () => {\n      for (const [key, value] of decision.keys) putKey.run(call.call_sid, key, value);\n    });')],
    plan: { webhook_doubled: 1 },
  },
  {
    name: "a turn's key is a hash over the raw body",
    invariants: ['I5'],
    edits: [
      edit(
        RECEIVE,
        "if (reading.read === 'interim') return",
        "if (reading.read === 'facts' && route === 'transcription') for (const { fact } of reading.entries) if (fact.kind === 'turn' && fact.turn_id === null) Object.assign(fact, { turn_id: parts.runtime.sha256(text) });\n  if (reading.read === 'interim') return",
      ),
    ],
    plan: { turns_without_id: 1, webhook_doubled: 1 },
  },
  {
    name: 'webhook and reconciler finish a call under a key of their own each',
    invariants: ['I5', 'I6'],
    edits: [edit(FINISHED, 'const key = outcomeKey(fact.outcome, draft.sha256);', 'const key = `${source}:${outcomeKey(fact.outcome, draft.sha256)}`;'), edit(FINISHED, 'if (!isTerminal(draft.call.status)) {\n    takeTranscript', "if (!isTerminal(draft.call.status) || source === 'webhook') {\n    takeTranscript")],
    plan: { webhook_late: 1 },
    calls: 8,
  },
  // I6
  {
    name: 'the last outcome to arrive wins',
    invariants: ['I6', 'I5'],
    edits: [edit(FINISHED, 'const older = draft.call.outcome_at !== null && secondOf(fact.at) < secondOf(draft.call.outcome_at);', 'const older = false;'), edit(FINISHED, "if (draft.key(key) !== undefined) return { result: 'duplicate' };", '')],
    plan: { outcome_amended: 1, webhook_doubled: 1, log_unavailable: 1 },
  },
  {
    name: 'what comes after a seal ends in no new one',
    invariants: ['I6'],
    edits: [edit('core/domain/call/decide.ts', 'if (sealed > 0 && draft.call.last_seq >= first && draft.call.seal_revision === sealed) draft.seal();', '')],
    plan: { outcome_amended: 1 },
  },
  {
    name: 'live turns are never retracted',
    invariants: ['I6'],
    edits: [edit('core/domain/call/reconcile-transcript.ts', "live.filter((turn) => !kept.has(turn)).map((turn) => ({ change: 'retracted', turn }))", '[]')],
    plan: {},
  },
  // I7
  {
    name: 'rights are checked at the connection only',
    invariants: ['I7'],
    edits: [edit(SESSION, "if (verdict === 'revoked') this.#fail('access_revoked');\n      else if (verdict === 'held') this.#confirmed(at);", "if (verdict !== 'unknown') this.#confirmed(at);")],
    plan: { right_removed: 1, webhook_late: 1 },
    calls: 8,
  },
  {
    name: "whose a call is comes from the client's own claims",
    invariants: ['I7'],
    edits: [edit('core/domain/relay/subscriptions.ts', "!mayDo(asker, 'calls.watch', found.call.tenant)", "!mayDo(asker, 'calls.watch', asker.tenant)")],
    plan: {},
  },
  {
    name: 'rights once held are remembered for ever',
    invariants: ['I7'],
    edits: [edit('ws-relay/rights.ts', '      toCome.delete(key);\n', '')],
    plan: { right_removed: 1, webhook_late: 1 },
    calls: 8,
  },
  {
    name: "any workspace's secret is good for any agent",
    invariants: ['I7', 'I6', 'I5'],
    edits: [
      edit(ROUTE_FACTS, '  if (call.workspace !== reach.workspace) return false;\n  if (reach.tenant !== null) return call.tenant === reach.tenant;', '  if (reach.tenant !== null) return call.tenant === reach.tenant;'),
      edit(ROUTE_FACTS, 'if (agent !== null && (agent.workspace !== reach.workspace || (reach.tenant !== null && agent.tenant !== reach.tenant)))', 'if (agent !== null && reach.tenant !== null && agent.tenant !== reach.tenant)'),
      edit(ROUTE_FACTS, "if (result.call.workspace !== reach.workspace || result.call.tenant !== tenant) return { routed: 'foreign' };", ''),
    ],
    plan: { webhook_foreign: 1 },
  },
  {
    name: 'a conversation is adopted without a look at who has it',
    invariants: ['I7', 'I2', 'I5'],
    edits: [
      edit(LOG, 'const owner = reader.ownerOf(conversationId);\n      const owned', 'const owner = null as string | null;\n      const owned'),
      edit(LOG, "'INSERT INTO conversations (conversation_id, call_sid) VALUES (?, ?)'", "'INSERT OR REPLACE INTO conversations (conversation_id, call_sid) VALUES (?, ?)'"),
      edit(LOG, 'const owner = reader.ownerOf(id);\n      if (owner !== null) owners.set(id, owner);', ''),
    ],
    plan: { webhook_doubled: 1 },
  },
  // I8
  {
    name: "a token's end is looked at when it is offered only",
    invariants: ['I8'],
    edits: [edit(STANDING, "if (this.isOver(user, at)) return ['token_expired'];", '')],
    plan: { token_short: 1, token_refused: 1 },
  },
  // I9
  {
    name: 'the client of the provider dials again where no answer came',
    invariants: ['I9'],
    edits: [edit('ports/voice-provider.elevenlabs.ts', 'return answerOfFailure(error);', 'if (error === undefined) return answerOfFailure(error);\n        return answerOfDial((await ask(url, post)).status, { success: true });')],
    plan: { dial_answer_lost: 1 },
  },
  {
    name: 'an Idempotency-Key belongs to everybody',
    invariants: ['I9', 'I7'],
    edits: [edit('functions/api/idempotency.ts', '[asker.tenant, asker.user, route, header]', '[route, header]')],
    plan: {},
    calls: 8,
  },
  {
    name: 'the key is saved after the dial',
    invariants: ['I9'],
    edits: [
      edit(START_CALLS, 'newCall(parts, asker, workspace, tenant.tenant, agent.agent_id, target)), key);', 'newCall(parts, asker, workspace, tenant.tenant, agent.agent_id, target)), null);'),
      edit(START_CALLS, 'const calls = await Promise.all(created.calls.map(', 'if (key !== null) await parts.callLog.create([], key);\n  const calls = await Promise.all(created.calls.map('),
    ],
    plan: { function_crash: 1, dial_answer_late: 1 },
  },
  // I10
  {
    name: 'a delivery is used before it is verified',
    invariants: ['I10'],
    edits: [
      edit(
        RECEIVE,
        "const origin = await originOf(parts, delivery, route !== 'post-call');",
        "const early = read(route, parse(delivery.body.toString('utf8')), 'once:early', parts.runtime.now());\n  if (early.read === 'facts') for (const workspace of await parts.directory.workspaces()) await routeFacts(parts, { workspace: workspace.workspace, tenant: null }, early.address, early.entries);\n  const origin = await originOf(parts, delivery, route !== 'post-call');",
      ),
    ],
    plan: { webhook_forged: 1 },
  },
  {
    name: 'a delivery is taken when the secrets cannot be read',
    invariants: ['I10'],
    edits: [edit(ORIGIN, 'const workspaces = await parts.directory.workspaces();', "const workspaces = await parts.directory.workspaces().catch(() => null);\n  if (workspaces === null) return { workspace: 'shared', tenant: null, unsigned: false };")],
    plan: { webhook_forged: 1, directory_outage: 1, directory_unavailable: 1 },
  },
  {
    name: 'the beginning of a signature is enough',
    invariants: ['I10'],
    edits: [
      edit(SIGNATURE, '/^[0-9a-f]{64}$/', '/^[0-9a-f]{8,64}$/'),
      edit(SIGNATURE, 'if (a.length !== b.length) return false;\n  let difference = 0;\n  for (let i = 0; i < a.length; i++)', 'let difference = 0;\n  for (let i = 0; i < b.length; i++)'),
    ],
    plan: { webhook_forged: 1 },
  },
  // I11
  {
    name: 'a slow viewer is fed without end',
    invariants: ['I11'],
    edits: [edit(PUMP, "if (left <= 0) return stop('full');", '')],
    plan: { long_texts: 1, link_throttled: 1 },
    calls: 16,
  },
  {
    name: 'a call that nobody follows is kept',
    invariants: ['I11', 'I13'],
    edits: [edit(FEEDS, 'if (call.viewers.size === 0) watched.delete(subscription.callSid);', '')],
    plan: { link_cut: 1 },
  },
  {
    name: 'a session that has ended may still subscribe',
    invariants: ['I11', 'I13'],
    edits: [edit(SESSION, "    // An answer that comes now is nobody's: it must not subscribe a session that is gone.\n    this.#busy = null;\n", '')],
    plan: { link_cut: 1, link_slow: 1, log_slow: 1 },
  },
  // I12: the same invariants after a crash
  {
    name: 'the projection is written outside the transaction',
    invariants: ['I12', 'I4', 'I1', 'I2', 'I5', 'I6'],
    edits: [OVERWRITE, edit(LOG, 'if (after !== call || call.last_seq === 0) putState(after, decision.details);', 'if (call.last_seq === 0) putState(after, decision.details);\n    else if (after !== call) runtime.after(30, () => putState(after, decision.details));')],
    plan: { function_crash: 1, webhook_doubled: 1 },
  },
  {
    name: '`dialing` is committed after the dial',
    invariants: ['I12', 'I9', 'I6', 'I2', 'I3', 'I5'],
    edits: [
      edit(
        'functions/calls/dial-once.ts',
        "const begun = await append(parts, call, { kind: 'dialing', attempt: ATTEMPT }, null, null);\n    // Somebody else dialled it already: a phone must not ring twice.\n    if (begun?.results[0]?.result !== 'appended') return;\n    const answer",
        'const answer',
      ),
      edit('functions/calls/dial-once.ts', 'await saveAnswer(parts, call, answer);', "await append(parts, call, { kind: 'dialing', attempt: ATTEMPT }, null, null);\n    await saveAnswer(parts, call, answer);"),
      edit(START_CALLS, "  if (!('drivers' in request)) return { repeated: true, calls, failed: [] };", "  const [undialled] = calls.filter((call) => call.status === 'requested');\n  const repeats = undialled === undefined ? null : await parts.directory.workspace(undialled.workspace);\n  if (undialled !== undefined && repeats !== null) await dialOnce(parts, repeats, undialled, { earshot_call_sid: undialled.call_sid });\n  if (!('drivers' in request)) return { repeated: true, calls, failed: [] };"),
    ],
    plan: { function_crash: 1, dial_answer_late: 1 },
  },
  // I13
  {
    name: 'no janitor',
    invariants: ['I13'],
    edits: [edit('functions/jobs.ts', 'run(parts, \'sweep the bus\', 0, () => parts.bus.sweep())', 'Promise.resolve(0)')],
    plan: { relay_crash: 1 },
  },
  // I14
  {
    name: 'a chance that is not of the runtime',
    invariants: ['I14'],
    edits: [edit(LOG, '.${runtime.randomHex(6)}`', '.${Math.random().toString(16).slice(2, 14)}`')],
    plan: {},
    replay: true,
  },
  {
    name: 'a clock that is not of the runtime',
    invariants: ['I14'],
    edits: [edit('core/domain/call/draft.ts', 'timestamp: new Date(this.now).toISOString(),', 'timestamp: new Date(Date.now()).toISOString(),')],
    plan: {},
    replay: true,
  },
  // I15
  {
    name: 'the body of a delivery is logged',
    invariants: ['I15'],
    edits: [edit('functions/webhooks/routes.ts', "parts.log.info(`POST ${path}`, { status, type, result, call_sid: callSid, duration_ms: Math.round(elapsed * 10) / 10 }, { method: 'POST', path, status, duration_ms: elapsed });", "parts.log.info(`POST ${path}`, { status, type, result, call_sid: callSid, body: incoming.rawBody?.toString() ?? '' });"), edit('functions/webhooks/routes.ts', '      const started = parts.runtime.monotonic();', '      const { incoming } = context.env;\n      const started = parts.runtime.monotonic();'), edit('functions/webhooks/routes.ts', "      const { incoming } = context.env;\n      const signature", '      const signature')],
    plan: {},
  },
  {
    name: 'a token is logged',
    invariants: ['I15'],
    edits: [edit('ws-relay/hub.ts', "case 'verify':\n        void", "case 'verify':\n        log.info('Token offered', { offer: JSON.stringify(effect.offer) });\n        void")],
    plan: {},
  },
  // What a screen says of itself, what is not an event, what an erasure promises
  {
    name: 'a screen says that it is complete though something is lost',
    invariants: ['I1'],
    edits: [edit(CLIENT_CALL, "chain && chain === digest ? 'complete' : 'incomplete'", "digest === undefined ? 'incomplete' : 'complete'")],
    plan: { history_removed: 1 },
  },
  {
    name: 'a screen is live however long ago its relay looked at the log',
    invariants: ['I1'],
    edits: [edit(CLIENT, 'if (serverTime - verified <= VERIFIED_LAG_MAX_MS)', 'if (verified)')],
    plan: { log_outage: 1 },
  },
  {
    name: 'a relay says that it looked at the log though that did not answer',
    invariants: ['I1'],
    edits: [edit(COMPARISON, "log.warn('The comparison with the log failed'", "verifiedAt = runtime.monotonic();\n      log.warn('The comparison with the log failed'")],
    plan: { log_outage: 1, bus_drops: 1 },
  },
  {
    name: 'a screen is live before everything is confirmed to it',
    invariants: ['I1'],
    edits: [edit('core/domain/client/states.ts', "if (behind) return 'catching_up';", 'void behind;')],
    plan: { link_cut: 1, log_slow: 1, log_unavailable: 1 },
  },
  {
    name: 'the board is not compared with the log',
    invariants: ['I3'],
    edits: [edit('ws-relay/boards.ts', 'if (of.ready) of.board.put(call, runtime.now());\n      else of.dirty.add(call.call_sid);\n      schedule(of);', 'void of;')],
    plan: { bus_drops: 1, publish_fails: 1 },
  },
  {
    name: 'who leaves the board is not told',
    invariants: ['I3', 'I2'],
    edits: [edit('core/domain/relay/board.ts', 'this.#gone.set(callSid, this.#version);', '')],
    plan: { call_erased: 1, dial_answer_lost: 1 },
  },
  {
    name: 'the client does not ask for a board again',
    invariants: ['I3'],
    edits: [edit(FOLLOWING, 'if (!hasBoard(link)) askBoard(link);', '')],
    plan: { log_unavailable: 1, log_outage: 1, link_cut: 1 },
  },
  {
    name: 'a call that was never dialled stays as it is',
    invariants: ['I3'],
    edits: [edit('functions/calls/settle-dials.ts', "if (call.status === 'requested' &&", "if (call.status === 'processing' &&")],
    plan: { function_crash: 1, log_unavailable: 1 },
  },
  {
    name: 'an interim turn is shown after its words were logged',
    invariants: ['I6'],
    edits: [
      edit('core/domain/relay/interim.ts', 'if (this.#ended || this.#logged.has(interim.turnId) || interim.at < this.#openedAt) return;', 'if (this.#ended) return;'),
      edit(CLIENT_CALL, "!ended && typeof turn === 'string' && !logged.has(turn)", "!ended && typeof turn === 'string'"),
      edit(RECEIVE, 'isTerminal(call.status) || (await parts.callLog.knowsTurn(call.call_sid, frame.turn_id))', 'isTerminal(call.status)'),
    ],
    plan: { turns_shuffled: 1, bus_delays: 1 },
  },
  {
    name: 'nothing follows from words',
    invariants: ['I6', 'I2'],
    edits: [edit('core/domain/call/decide-live.ts', 'if (known === null && !late) followAgent(draft, fact.speaker);', '')],
    plan: {},
  },
  {
    name: 'an amendment forgets the cost',
    invariants: ['I6'],
    edits: [edit(FINISHED, "  'cost',\n  'cost_credits',\n  'call_successful',\n  'outcome',\n  'call_summary_title',\n  'termination_reason',\n] as const;", "  'cost_credits',\n  'call_successful',\n  'outcome',\n  'call_summary_title',\n  'termination_reason',\n] as const;")],
    plan: { outcome_amended: 1 },
  },
  {
    name: "what is being said may be told by anybody's key",
    invariants: ['I7'],
    edits: [edit(RECEIVE, 'if (call.workspace !== origin.workspace || (origin.tenant !== null && call.tenant !== origin.tenant)) return none;', '')],
    plan: { webhook_foreign: 1 },
  },
  {
    name: 'a key is good for every tenant of its workspace',
    invariants: ['I7'],
    edits: [edit(ROUTE_FACTS, '  if (reach.tenant !== null) return call.tenant === reach.tenant;\n', ''), edit(ROUTE_FACTS, 'return agent === null || agent.tenant === call.tenant;', 'return true;')],
    plan: { webhook_foreign: 1 },
  },
  {
    name: 'a long poll asks about no rights',
    invariants: ['I7'],
    edits: [edit(SESSION, "else this.#askRights(at);\n    } else if (this.#busy === 'auth')", "else this.#effects.push({ do: 'admit' });\n    } else if (this.#busy === 'auth')")],
    plan: { no_sockets: 1, right_removed: 1 },
  },
  {
    name: 'a ticket is good again and again',
    invariants: ['I8'],
    edits: [edit('ports/directory.sqlite.ts', "'DELETE FROM tickets WHERE hash = ? RETURNING hash, principal, expires_at'", "'SELECT hash, principal, expires_at FROM tickets WHERE hash = ?'")],
    plan: { by_ticket: 1, ticket_again: 1 },
  },
  {
    name: 'a ticket outlives the token that bought it',
    invariants: ['I8'],
    edits: [edit('ws-relay/offer.ts', "principal.expires_at * 1000 <= runtime.now() ? { code: 'token_expired' } : { user: principal }", '{ user: { ...principal, expires_at: 4e9 } }')],
    plan: { by_ticket: 1, token_short: 1, token_refused: 1 },
  },
  {
    name: 'raw deliveries outlive the erasure of their call',
    invariants: ['I2'],
    edits: [edit('functions/calls/end-and-erase.ts', '  await parts.rawStore.erase([call.call_sid, call.conversation_id].filter((id) => id !== null));\n', '')],
    plan: { call_erased: 1 },
  },
  {
    name: 'the raw store keeps what comes after its call was erased',
    invariants: ['I2'],
    edits: [edit('ports/raw-store.sqlite.ts', 'if (erased.get(delivery.call_sid, delivery.conversation_id) !== undefined) {', 'if (void erased) {')],
    plan: { call_erased: 1, webhook_other: 1, webhook_lost: 1, retries_off: 1, log_unavailable: 1, log_outage: 1 },
    calls: 10,
  },
  {
    name: 'what was kept of a conversation outlives the news that its call was erased',
    invariants: ['I2'],
    edits: [edit(ROUTE_FACTS, "if (routed.routed === 'erased') await forgetErased(parts, [address.call_sid, address.conversation_id]);", 'void forgetErased;')],
    plan: { call_erased: 1, webhook_foreign: 1, dial_without_id: 1, nothing_live: 1 },
    calls: 10,
  },
  {
    name: 'sessions that are gone are kept',
    invariants: ['I13'],
    edits: [edit('ws-relay/members.ts', 'if (!this.#here[member.kind].delete(id)) return false;', 'if (!this.#here[member.kind].has(id)) return false;')],
    plan: { link_cut: 1 },
  },
];
