/**
 * The simulated ElevenLabs: dials, talks, posts live turns through a tool of ours, sends signed webhooks by its own schedule,
 * answers its API over `fetch`. What it holds of a conversation is the truth that everything else is judged by.
 */
import { oneOf } from '../../local/simulated-elevenlabs/random.ts';
import { attemptDelayMs, isTriedAgain } from '../../local/simulated-elevenlabs/retry-schedule.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import type { Content, SpokenTurn, ToldOutcome } from '../history/history.ts';
import type { World } from './world.ts';

export interface AgentOfWorld {
  readonly agent_id: string;
  readonly workspace: string;
  readonly tenant: string;
}

export interface Conversation {
  readonly conversation_id: string;
  readonly agent: AgentOfWorld;
  /** Ours, where we asked for it. */
  readonly call_sid: string | null;
  readonly number: string;
  readonly carrier_call_id: string;
  readonly began: number;
  readonly variables: Readonly<Record<string, unknown>>;
  state: 'ringing' | 'talking' | 'processing' | 'done' | 'failed';
  talkedFrom: number;
  seconds: number;
  version: number;
  live: SpokenTurn[];
  transcript: SpokenTurn[];
  readonly tools: string[];
  /** Nothing is posted while it lasts. */
  readonly silent: boolean;
}

export type Route = keyof typeof WEBHOOK_PATHS;

/** One delivery: the same body and content on every attempt. */
export interface Outgoing {
  readonly delivery: string;
  readonly route: Route;
  readonly type: string;
  readonly conversation: Conversation;
  readonly workspace: string;
  readonly body: string;
  readonly content: Content;
  readonly headers: () => Readonly<Record<string, string>>;
  /** Whether its sender is who it says. */
  readonly genuine: boolean;
  /** Stands in its body, where nobody may ever see it. */
  readonly marker: string | null;
}

/** How a delivery went: HTTP status; null: no answer. */
export type Deliver = (outgoing: Outgoing) => Promise<number | null>;

const SENDER_ATTEMPTS = 6;
const WORDS = ['brake', 'hours', 'log', 'route', 'weigh', 'fuel', 'rest', 'lane', 'speed', 'dock'];

export class Provider {
  readonly conversations = new Map<string, Conversation>();
  readonly #world: World;
  readonly #deliver: Deliver;
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #ingestKey: (workspace: string, tenant: string) => string;
  readonly #agents: ReadonlyMap<string, AgentOfWorld>;
  #count = 0;

  constructor(world: World, agents: readonly AgentOfWorld[], secrets: ReadonlyMap<string, string>, ingestKey: (workspace: string, tenant: string) => string, deliver: Deliver) {
    this.#world = world;
    this.#agents = new Map(agents.map((agent) => [agent.agent_id, agent]));
    this.#secrets = secrets;
    this.#ingestKey = ingestKey;
    this.#deliver = deliver;
  }

  /** Whether nothing more will happen by itself. */
  get quiet(): boolean {
    return [...this.conversations.values()].every(({ state }) => state === 'done' || state === 'failed');
  }

  /** A phone rings. `variables` come back in everything that tells of it. */
  ring(agent: AgentOfWorld, number: string, variables: Readonly<Record<string, unknown>>): Conversation {
    const place = ++this.#count;
    const own = variables['earshot_call_sid'];
    const conversation: Conversation = {
      conversation_id: `conv_${place}_${this.#world.clock.randomHex(3)}`,
      agent,
      call_sid: typeof own === 'string' ? own : null,
      number,
      carrier_call_id: `CA${place}${this.#world.clock.randomHex(6)}`,
      began: this.#world.clock.now(),
      variables,
      state: 'ringing',
      talkedFrom: 0,
      seconds: 0,
      version: 0,
      live: [],
      transcript: [],
      tools: [],
      silent: this.#world.faults.strikes('nothing_live'),
    };
    this.conversations.set(conversation.conversation_id, conversation);
    if (conversation.call_sid !== null) this.#world.note('provider', { op: 'rang', call_sid: conversation.call_sid, conversation_id: conversation.conversation_id, number });
    this.#tell(conversation);
    void this.#live(conversation);
    return conversation;
  }

  /** A delivery of somebody else's making, about a real conversation. */
  forge(conversation: Conversation, how: 'secret' | 'prefix' | 'none' | 'key'): void {
    const marker = `forged ${this.#world.clock.randomHex(6)}`;
    const text = how === 'key' ? JSON.stringify({ conversation_id: conversation.conversation_id, turn_id: marker, speaker: 'driver', text: marker }) : JSON.stringify(this.#envelope('post_call_transcription', { ...this.#told(conversation), status: 'done', transcript: [{ role: 'user', message: marker, time_in_call_secs: 1 }] }));
    const seconds = this.#seconds();
    const secret = this.#secrets.get(conversation.agent.workspace) ?? '';
    const headers: Record<typeof how, Record<string, string>> = {
      secret: { 'elevenlabs-signature': signatureHeader('wsec_guessed', seconds, text) },
      // The first characters of the right one, as somebody would guess them one by one.
      prefix: { 'elevenlabs-signature': signatureHeader(secret, seconds, text).slice(0, -40) },
      none: {},
      key: { authorization: 'Bearer ingest_guessed' },
    };
    const route = how === 'key' ? 'transcription' : 'post-call';
    void this.#deliver({ delivery: marker, route, type: 'forged', conversation, workspace: conversation.agent.workspace, body: text, content: { kind: 'other' }, headers: () => headers[how], genuine: false, marker });
  }

  /** Signed well, but by a workspace that has nothing to do with the agent. */
  foreign(conversation: Conversation, workspace: string): void {
    const marker = `foreign ${this.#world.clock.randomHex(6)}`;
    const body = JSON.stringify(this.#envelope('post_call_transcription', { ...this.#told(conversation), status: 'done', transcript: [{ role: 'user', message: marker, time_in_call_secs: 1 }] }));
    const headers = (): Record<string, string> => ({ 'elevenlabs-signature': signatureHeader(this.#secrets.get(workspace) ?? '', this.#seconds(), body) });
    void this.#deliver({ delivery: marker, route: 'post-call', type: 'foreign', conversation, workspace, body, content: { kind: 'other' }, headers, genuine: true, marker });
  }

  /** Posted with a good key, which is another tenant's or another workspace's. */
  foreignTurn({ conversation_id, agent: { agent_id } }: Conversation, of: AgentOfWorld, interim: boolean): void {
    const marker = `foreign ${this.#world.clock.randomHex(6)}`;
    const body = JSON.stringify({ conversation_id, agent_id, turn_id: marker, speaker: 'driver', text: marker, ...(interim ? { state: 'interim' } : {}) });
    const conversation = this.conversations.get(conversation_id);
    if (conversation === undefined) return;
    const headers = (): Record<string, string> => ({ authorization: `Bearer ${this.#ingestKey(of.workspace, of.tenant)}` });
    void this.#deliver({ delivery: marker, route: 'transcription', type: 'foreign', conversation, workspace: of.workspace, body, content: { kind: 'other' }, headers, genuine: true, marker });
  }

  /** Its API, as `fetch` reaches it. */
  async answer(url: URL, init: RequestInit | undefined): Promise<Response> {
    const { pathname } = url;
    if (pathname.endsWith('/outbound-call')) return this.#dial(JSON.parse(typeof init?.body === 'string' ? init.body : '{}') as DialBody);
    const id = /\/conversations\/([^/]+)$/.exec(pathname)?.[1];
    if (id === undefined) return Response.json(this.#list(url.searchParams));
    const conversation = this.conversations.get(decodeURIComponent(id));
    return conversation === undefined ? Response.json({ detail: 'none' }, { status: 404 }) : Response.json(this.#told(conversation));
  }

  #dial(body: DialBody): Response {
    const { faults } = this.#world;
    if (faults.strikes('dial_refused')) return Response.json({ detail: { status: 'concurrent_limit_exceeded' } }, { status: 429 });
    const agent = this.#agents.get(body.agent_id);
    if (agent === undefined) return Response.json({ detail: 'no such agent' }, { status: 404 });
    const conversation = this.ring(agent, body.to_number, body.conversation_initiation_client_data.dynamic_variables);
    const id = faults.strikes('dial_without_id') ? {} : { conversation_id: conversation.conversation_id, callSid: conversation.carrier_call_id };
    return Response.json({ success: true, message: 'ok', ...id });
  }

  #list(query: URLSearchParams): object {
    const size = Number(query.get('page_size') ?? 30);
    const from = Number(query.get('cursor') ?? 0);
    const after = Number(query.get('call_start_after_unix') ?? 0);
    const wanted = query.get('dynamic_variable_params');
    const excluded = query.getAll('exclude_statuses');
    const rows = [...this.conversations.values()].filter(
      (conversation) =>
        conversation.began / 1000 >= after &&
        !excluded.includes(WORD_OF[conversation.state]) &&
        (wanted === null || wanted === `earshot_call_sid:eq:${conversation.call_sid ?? ''}`),
    );
    // Pages as small as two rows: a listing that stops at the first page is found out.
    const page = rows.slice(from, from + Math.min(size, 2));
    const next = from + page.length < rows.length ? String(from + page.length) : null;
    return {
      conversations: page.map((conversation) => ({ conversation_id: conversation.conversation_id, agent_id: conversation.agent.agent_id, status: WORD_OF[conversation.state], start_time_unix_secs: Math.floor(conversation.began / 1000), call_duration_secs: conversation.seconds })),
      next_cursor: next,
      has_more: next !== null,
    };
  }

  // --- The life of a conversation ---

  async #live(conversation: Conversation): Promise<void> {
    const { faults } = this.#world;
    const chance = faults.chance(`conversation ${this.#count}`);
    await this.#wait(1_000 + chance() * 7_000);
    if (faults.strikes('nobody_answers')) {
      this.#end(conversation, 'failed');
      this.#send(conversation, 'call_initiation_failure', this.#envelope('call_initiation_failure', { agent_id: conversation.agent.agent_id, conversation_id: conversation.conversation_id, failure_reason: 'busy', metadata: { type: 'twilio', body: { CallSid: conversation.carrier_call_id } } }), { kind: 'initiation_failure' });
      return;
    }
    conversation.state = 'talking';
    conversation.talkedFrom = this.#world.clock.now();
    this.#tell(conversation);
    const turns = 2 + Math.floor(chance() * 8);
    this.#postEvent(conversation, 'agent_started', null);
    for (let place = 0; place < turns; place++) await this.#speak(conversation, place, chance);
    this.#postEvent(conversation, 'agent_completed', null);
    conversation.transcript = finalOf(conversation.live, chance);
    conversation.seconds = Math.round((this.#world.clock.now() - conversation.talkedFrom) / 1000);
    conversation.state = 'processing';
    this.#tell(conversation);
    if (!faults.strikes('webhook_early')) await this.#wait(500 + chance() * 6_000);
    this.#end(conversation, 'done');
    this.#outcome(conversation);
    if (!faults.strikes('outcome_amended')) return;
    await this.#wait(5_000 + chance() * 25_000);
    conversation.version = 2;
    this.#tell(conversation);
    this.#outcome(conversation);
  }

  async #speak(conversation: Conversation, place: number, chance: () => number): Promise<void> {
    await this.#wait(300 + chance() * 3_000);
    const speaker = chance() < 0.5 ? 'agent' : 'driver';
    const { faults } = this.#world;
    const words = `${conversation.conversation_id} ${place} ${oneOf(WORDS, chance)} ${oneOf(WORDS, chance)}`;
    this.#world.note('world', { op: 'canary', what: 'words', text: words });
    const text = faults.strikes('long_texts') ? `${words} ${oneOf(WORDS, chance).repeat(2_500)}` : words;
    conversation.live.push({ speaker, text });
    const turnId = `${conversation.conversation_id}-t${place}`;
    const at = Math.round((this.#world.clock.now() - conversation.talkedFrom) / 1000);
    const address = conversation.call_sid !== null && chance() < 0.2 ? { call_sid: conversation.call_sid } : { conversation_id: conversation.conversation_id, agent_id: conversation.agent.agent_id };
    const named = faults.strikes('turns_without_id') ? null : turnId;
    const body = { ...address, ...(named === null ? {} : { turn_id: named }), speaker, text, time_in_call_secs: at };
    if (chance() < 0.3) this.#post(conversation, 'transcription', 'interim', { ...body, state: 'interim', text: text.slice(0, 12) }, { kind: 'other' });
    this.#post(conversation, 'transcription', 'turn', body, { kind: 'turn', turn_id: named, text });
    if (chance() < 0.15) {
      const tool = `tool_${this.#world.clock.randomHex(4)}`;
      conversation.tools.push(tool);
      this.#postEvent(conversation, 'tool_executing', tool);
      this.#postEvent(conversation, 'tool_completed', tool);
    }
  }

  #end(conversation: Conversation, state: 'done' | 'failed'): void {
    conversation.state = state;
    conversation.version = 1;
    this.#tell(conversation);
  }

  #outcome(conversation: Conversation): void {
    const { faults } = this.#world;
    const { agent, conversation_id, version, transcript } = conversation;
    if (faults.strikes('webhook_other')) {
      const other = oneOf(['post_call_audio', 'post_call_transcription_otel', 'answering_machine_detection'], faults.chance('webhook_other'));
      this.#send(conversation, other, this.#envelope(other, { agent_id: agent.agent_id, conversation_id, full_audio: 'SUQz' }), { kind: 'other' });
      if (other === 'post_call_transcription_otel') return;
    }
    if (faults.strikes('webhook_lost')) return;
    const envelope = this.#envelope('post_call_transcription', this.#told(conversation));
    const outcome = outcomeOf(conversation);
    const send = (): void => this.#send(conversation, 'post_call_transcription', envelope, { kind: 'final', version, transcript: [...transcript], outcome });
    if (faults.strikes('webhook_late')) this.#world.after(30_000 + faults.chance('webhook_late')() * 200_000, send);
    else send();
  }

  /** The conversation as the API and the webhook tell it. */
  #told(conversation: Conversation): Record<string, unknown> {
    const { agent, conversation_id, state, transcript, seconds, talkedFrom, variables, carrier_call_id } = conversation;
    const over = state === 'done';
    return {
      agent_id: agent.agent_id,
      conversation_id,
      status: WORD_OF[state],
      transcript: over ? rowsOf(conversation, transcript) : [],
      metadata: {
        start_time_unix_secs: Math.floor((talkedFrom === 0 ? conversation.began : talkedFrom) / 1000),
        call_duration_secs: seconds,
        cost: over ? seconds * 7 : null,
        cost_fiat: over ? outcomeOf(conversation).cost : null,
        phone_call: { type: 'twilio', direction: conversation.call_sid === null ? 'inbound' : 'outbound', call_sid: carrier_call_id, external_number: conversation.number },
      },
      analysis: over ? { call_successful: 'success', transcript_summary: outcomeOf(conversation).transcript_summary, evaluation_criteria_results: {}, data_collection_results: {} } : null,
      conversation_initiation_client_data: { dynamic_variables: { ...variables, system__call_sid: carrier_call_id, secret__key: 'hidden' } },
    };
  }

  #envelope(type: string, data: object): object {
    return { type, event_timestamp: this.#seconds(), data };
  }

  // --- Sending ---

  #send(conversation: Conversation, type: string, envelope: object, content: Content): void {
    const body = JSON.stringify(envelope);
    const { workspace } = conversation.agent;
    const headers = (): Record<string, string> => ({ 'elevenlabs-signature': signatureHeader(this.#secrets.get(workspace) ?? '', this.#seconds(), body) });
    const outgoing: Outgoing = { delivery: `${conversation.conversation_id} ${type} ${conversation.version} ${this.#world.clock.randomHex(2)}`, route: 'post-call', type, conversation, workspace, body, content, headers, genuine: true, marker: null };
    const copies = this.#copies();
    for (let copy = 0; copy < copies; copy++) void this.#attempt(outgoing, 1);
  }

  async #attempt(outgoing: Outgoing, attempt: number): Promise<void> {
    const { faults } = this.#world;
    const status = await this.#deliver(outgoing);
    if (status === 200 || !isTriedAgain(outgoing.type, status) || faults.plan.has('retries_off')) return;
    const delay = attemptDelayMs(attempt + 1, faults.chance('retry')());
    if (delay === null) return;
    await this.#wait(delay);
    await this.#attempt(outgoing, attempt + 1);
  }

  #postEvent(conversation: Conversation, type: string, tool: string | null): void {
    const eventId = `${conversation.conversation_id}-${type}-${tool ?? 'life'}`;
    const body = { conversation_id: conversation.conversation_id, agent_id: conversation.agent.agent_id, type, event_id: eventId, ...(tool === null ? {} : { tool_name: 'look_up', tool_call_id: tool }) };
    this.#post(conversation, 'agent-events', type, body, { kind: 'agent_event', event_id: eventId, type, tool_call_id: tool });
  }

  #post(conversation: Conversation, route: Route, type: string, fields: object, content: Content): void {
    if (conversation.silent) return;
    const { workspace, tenant } = conversation.agent;
    const body = JSON.stringify(fields);
    const key = this.#ingestKey(workspace, tenant);
    const outgoing: Outgoing = { delivery: `${conversation.conversation_id} ${type} ${this.#world.clock.randomHex(4)}`, route, type, conversation, workspace, body, content, headers: () => ({ authorization: `Bearer ${key}` }), genuine: true, marker: null };
    const copies = this.#copies();
    // Who gives no ids may well write the same in other words of JSON.
    const written = (copy: number): Outgoing => (content.kind === 'turn' && content.turn_id === null ? { ...outgoing, body: JSON.stringify(fields, null, copy) } : outgoing);
    for (let copy = 0; copy < copies; copy++) void this.#persist(written(copy), type === 'interim' ? 1 : SENDER_ATTEMPTS);
  }

  /** A tool of ours sends again until it is answered 200, and gives up in the end. */
  async #persist(outgoing: Outgoing, attempts: number): Promise<void> {
    const { faults } = this.#world;
    if (faults.strikes('turns_shuffled')) await this.#wait(faults.chance('turns_shuffled')() * 8_000);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const status = await this.#deliver(outgoing);
      if (status !== null && status < 500) return;
      await this.#wait(500 + faults.chance('sender')() * 4_000);
    }
  }

  #copies(): number {
    return this.#world.faults.strikes('webhook_doubled') ? 2 + Math.floor(this.#world.faults.chance('copies')() * 3) : 1;
  }

  #tell(conversation: Conversation): void {
    const { conversation_id, agent, call_sid, state, version, transcript, tools } = conversation;
    const over = state === 'done' ? { outcome: outcomeOf(conversation), tools: [...tools] } : {};
    this.#world.note('provider', { op: 'conversation', conversation_id, agent_id: agent.agent_id, call_sid, state, version, transcript: [...transcript], ...over });
  }

  #seconds(): number {
    return Math.floor(this.#world.clock.now() / 1000);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#world.after(ms, resolve));
  }
}

interface DialBody {
  readonly agent_id: string;
  readonly to_number: string;
  readonly conversation_initiation_client_data: { readonly dynamic_variables: Readonly<Record<string, unknown>> };
}

const WORD_OF = { ringing: 'initiated', talking: 'in-progress', processing: 'processing', done: 'done', failed: 'failed' } as const;

/** Another one for each version. */
const outcomeOf = ({ version, conversation_id }: Conversation): ToldOutcome => ({ transcript_summary: `Version ${version} of ${conversation_id}`, cost: version / 100 });

/** The transcript as it is in the end: some words understood otherwise, some rows gone, some that nobody heard live. */
const finalOf = (live: readonly SpokenTurn[], chance: () => number): SpokenTurn[] => {
  const heard = live.flatMap((turn) => {
    const dice = chance();
    if (dice < 0.06 && live.length > 1) return [];
    if (dice < 0.18) return [{ ...turn, text: `${turn.text} indeed` }];
    return dice < 0.26 ? [turn, { speaker: turn.speaker, text: `${turn.text} and so on` }] : [turn];
  });
  return heard.length === 0 ? [...live] : heard;
};

const rowsOf = (conversation: Conversation, transcript: readonly SpokenTurn[]): object[] => {
  const spoken = transcript.map(({ speaker, text }, place) => ({ role: speaker === 'agent' ? 'agent' : 'user', message: text, time_in_call_secs: place * 2 }));
  const used = conversation.tools.flatMap((tool) => [
    { role: 'agent', message: null, time_in_call_secs: 1, tool_calls: [{ request_id: tool, tool_name: 'look_up', params_as_json: '{}', tool_details: { headers: { authorization: 'hidden' } } }] },
    { role: 'agent', message: null, time_in_call_secs: 1, tool_results: [{ request_id: tool, tool_name: 'look_up', result_value: '', is_error: false }] },
  ]);
  return [...used, ...spoken];
};
