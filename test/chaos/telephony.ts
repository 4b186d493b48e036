/**
 * The provider: its conversations, what it posts of them - live turns and agent events as they happen, the signed outcome at the
 * end, some of it changed afterwards, some twice, some forged by others - and its API, which the product dials and reads.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { oneOf } from '../../local/simulated-elevenlabs/random.ts';
import type { SpokenTurn } from '../history/history.ts';
import { AGENTS, DIALLING, SECRET, SPOKEN_WORD, type Agent } from './cast.ts';
import type { Notes } from './notes.ts';
import type { Senders } from './senders.ts';

interface Row extends SpokenTurn {
  readonly turnId: string;
  readonly secs: number;
}

interface Conversation {
  readonly id: string;
  readonly agent: Agent;
  /** Ours, where we dialled. */
  readonly own: string | null;
  readonly startedAt: number;
  readonly rows: Row[];
  state: 'talking' | 'done';
  version: number;
  transcript: readonly Row[];
  summary: string;
}

/** Turns of one conversation, and the time between two. */
const TURNS_MIN_COUNT = 5;
const TURNS_MORE_COUNT = 6;
const PAUSE_MIN_MS = 250;
const PAUSE_MORE_MS = 700;

const unixSeconds = (): number => Math.floor(Date.now() / 1000);

export class Telephony {
  /** Deliveries begun, forged ones included. */
  begun = 0;
  readonly #conversations = new Map<string, Conversation>();
  readonly #running = new Set<Promise<void>>();
  readonly #senders: Senders;
  readonly #notes: Notes;
  readonly #random: () => number;
  #numbers = 0;

  constructor(senders: Senders, notes: Notes, random: () => number) {
    this.#senders = senders;
    this.#notes = notes;
    this.#random = random;
  }

  get conversations(): number {
    return this.#conversations.size;
  }

  /** Somebody calls one of the agents, or one that is nobody's. */
  ring(): void {
    const unknown: Agent = { agent_id: 'agent_of_nobody', tenant: 't1', ingestKey: '' };
    const agent = this.#random() < 0.03 ? unknown : oneOf(AGENTS, this.#random);
    this.#begin(this.#new(agent, null));
  }

  /** Resolves when every conversation is over and all that was to be sent is answered, or nothing is tried any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #new(agent: Agent, own: string | null): Conversation {
    const id = `conv_${++this.#numbers}`;
    const conversation: Conversation = { id, agent, own, startedAt: Date.now(), rows: [], state: 'talking', version: 0, transcript: [], summary: `Summary of ${id}.` };
    this.#conversations.set(id, conversation);
    this.#note(conversation);
    return conversation;
  }

  #begin(conversation: Conversation): void {
    this.#track(this.#play(conversation));
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  #note({ id, agent, own, state, version, transcript }: Conversation): void {
    this.#notes.take({ actor: 'provider', op: 'conversation', conversation_id: id, agent_id: agent.agent_id, call_sid: own, state, version, transcript: transcript.map(({ speaker, text }) => ({ speaker, text })) });
  }

  async #play(conversation: Conversation): Promise<void> {
    const turns = TURNS_MIN_COUNT + Math.floor(this.#random() * TURNS_MORE_COUNT);
    for (let turn = 0; turn < turns; turn++) {
      await this.#pause();
      this.#say(conversation, turn);
      if (turn % 3 === 2) this.#useTool(conversation, turn);
      if (this.#random() < 0.02) this.#forge(conversation);
    }
    await this.#pause();
    conversation.transcript = this.#heard(conversation.rows);
    await this.#finish(conversation);
    if (this.#random() >= 0.15) return;
    await this.#pause();
    // The provider thinks again: another summary, and for some one turn fewer.
    conversation.summary += ' Looked at again.';
    if (this.#random() < 0.5) conversation.transcript = conversation.transcript.slice(0, -1);
    await this.#finish(conversation);
  }

  #say({ id, agent, rows }: Conversation, turn: number): void {
    const speaker = turn % 2 === 0 ? 'agent' : 'driver';
    const text = `The ${SPOKEN_WORD} of ${id} says ${turn}.`;
    const row: Row = { turnId: `${id}_t${turn}`, speaker, text, secs: turn * 3 };
    rows.push(row);
    if (agent.ingestKey === '') return;
    const revised = this.#random() < 0.1;
    if (revised) this.#post(agent, 'transcription', id, { ...this.#turnBody(id, agent, row), text: `${text} Or so`, rev: 1 }, { kind: 'turn', turn_id: row.turnId, text: `${text} Or so` });
    this.#post(agent, 'transcription', id, { ...this.#turnBody(id, agent, row), ...(revised ? { rev: 2, state: 'corrected' } : {}) }, { kind: 'turn', turn_id: row.turnId, text });
    if (this.#random() < 0.1) this.#post(agent, 'transcription', id, { ...this.#turnBody(id, agent, { ...row, turnId: `${row.turnId}i`, text: text.slice(0, 12) }), state: 'interim' }, { kind: 'other' });
  }

  #turnBody(id: string, agent: Agent, row: Row): object {
    return { conversation_id: id, agent_id: agent.agent_id, turn_id: row.turnId, speaker: row.speaker, text: row.text, time_in_call_secs: row.secs };
  }

  #useTool({ id, agent }: Conversation, turn: number): void {
    if (agent.ingestKey === '') return;
    const tool = `${id}_tool${turn}`;
    for (const type of ['tool_executing', 'tool_completed'] as const) {
      const eventId = `${tool}_${type}`;
      this.#post(agent, 'agent-events', id, { conversation_id: id, agent_id: agent.agent_id, type, event_id: eventId, tool_call_id: tool, tool_name: 'look_up', detail: SPOKEN_WORD }, { kind: 'agent_event', event_id: eventId, type, tool_call_id: tool });
    }
    const eventId = `${tool}_thinking`;
    this.#post(agent, 'agent-events', id, { conversation_id: id, agent_id: agent.agent_id, type: 'agent_thinking', event_id: eventId }, { kind: 'agent_event', event_id: eventId, type: 'agent_thinking', tool_call_id: null });
  }

  /** Posts it by the ingest key, and in a tenth of the cases twice at once. */
  #post(agent: Agent, route: 'transcription' | 'agent-events', conversationId: string, body: object, content: Parameters<Senders['deliver']>[0]['content']): void {
    this.begun += 1;
    const delivery = `d${this.begun}`;
    const outgoing = { delivery, route, conversationId, body: JSON.stringify(body), headers: () => ({ authorization: `Bearer ${agent.ingestKey}` }), content };
    for (let copies = this.#random() < 0.1 ? 2 : 1; copies > 0; copies--) this.#track(this.#senders.deliver(outgoing).then(() => undefined));
  }

  /** What the transcript has in the end: mostly what was said, for some a word, a turn or a place of it else. */
  #heard(rows: readonly Row[]): readonly Row[] {
    const chance = this.#random();
    const place = Math.floor(this.#random() * rows.length);
    const row = rows[place];
    if (row === undefined || chance > 0.3) return [...rows];
    if (chance < 0.1) return rows.with(place, { ...row, text: `${row.text} Indeed` });
    if (chance < 0.2) return rows.toSpliced(place, 1);
    return rows.toSpliced(place, 0, { turnId: '', speaker: row.speaker, text: `Nobody heard the ${SPOKEN_WORD} live.`, secs: row.secs });
  }

  /** Posts the outcome as it is now, signed, until it is answered. */
  async #finish(conversation: Conversation): Promise<void> {
    conversation.state = 'done';
    conversation.version += 1;
    this.#note(conversation);
    const body = JSON.stringify({ type: 'post_call_transcription', event_timestamp: unixSeconds(), data: this.#data(conversation) });
    const transcript = conversation.transcript.map(({ speaker, text }) => ({ speaker, text }));
    this.begun += 1;
    const delivery = `d${this.begun}`;
    const outgoing = { delivery, route: 'post-call' as const, conversationId: conversation.id, body, headers: () => ({ 'elevenlabs-signature': signatureHeader(SECRET, unixSeconds(), body) }), content: { kind: 'final' as const, version: conversation.version, transcript } };
    if (this.#random() < 0.1) this.#track(this.#senders.deliver(outgoing).then(() => undefined));
    await this.#senders.deliver(outgoing);
  }

  /** Somebody else posts as if it were ours. */
  #forge(conversation: Conversation): void {
    this.begun += 1;
    const marker = `forged ${this.begun}`;
    const turn = this.#random() < 0.5;
    const body = turn
      ? JSON.stringify({ conversation_id: conversation.id, agent_id: conversation.agent.agent_id, turn_id: marker, speaker: 'agent', text: marker })
      : JSON.stringify({ type: 'post_call_transcription', event_timestamp: unixSeconds(), data: { ...this.#data(conversation), status: 'done', analysis: { transcript_summary: marker } } });
    const headers = (): Record<string, string> => (turn ? { authorization: 'Bearer ingest_chaos_guessed' } : { 'elevenlabs-signature': signatureHeader('wsec_guessed', unixSeconds(), body) });
    this.#track(this.#senders.deliver({ delivery: `d${this.begun}`, route: turn ? 'transcription' : 'post-call', conversationId: conversation.id, body, headers, content: { kind: 'other' }, marker }).then(() => undefined));
  }

  #data({ id, agent, own, state, startedAt, transcript, summary }: Conversation): Record<string, unknown> {
    const done = state === 'done';
    return {
      conversation_id: id,
      agent_id: agent.agent_id,
      status: done ? 'done' : 'in-progress',
      transcript: done ? transcript.map(({ speaker, text, secs }) => ({ role: speaker === 'driver' ? 'user' : 'agent', message: text, time_in_call_secs: secs })) : [],
      metadata: { start_time_unix_secs: Math.floor(startedAt / 1000), call_duration_secs: done ? 12 : 0 },
      analysis: done ? { call_successful: 'success', transcript_summary: summary } : null,
      conversation_initiation_client_data: { dynamic_variables: own === null ? {} : { earshot_call_sid: own } },
    };
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, PAUSE_MIN_MS + this.#random() * PAUSE_MORE_MS));
  }

  // --- The provider's API ---

  /** Serves it on a free port; resolves with the port. */
  async serve(): Promise<{ readonly port: number; close(): Promise<void> }> {
    const server: Server = createServer((request, response) => {
      void this.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return {
      port: (server.address() as AddressInfo).port,
      close: async () => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      },
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, body: unknown): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://provider');
    if (request.method === 'POST' && pathname.endsWith('/outbound-call')) {
      await this.#dial(JSON.parse(await textOf(request)) as DialBody, say);
      return;
    }
    const id = /\/convai\/conversations\/([^/]+)$/.exec(pathname)?.[1];
    if (id !== undefined) {
      const conversation = this.#conversations.get(decodeURIComponent(id));
      if (conversation === undefined) say(404, { detail: { status: 'not_found' } });
      else say(200, this.#data(conversation));
    } else if (pathname.endsWith('/convai/conversations')) this.#list(searchParams, say);
    else say(404, {});
  }

  /** The phone rings whatever becomes of the answer: some get none, some a wrong one. Some dials are refused, and then it does not ring. */
  async #dial(body: DialBody, say: (status: number, body: unknown) => void): Promise<void> {
    if (this.#random() < 0.1) {
      say(429, { detail: { status: 'system_busy' } });
      return;
    }
    const own = body.conversation_initiation_client_data?.dynamic_variables?.earshot_call_sid ?? null;
    const conversation = this.#new(DIALLING, own);
    this.#notes.take({ actor: 'provider', op: 'rang', call_sid: own, conversation_id: conversation.id, number: body.to_number });
    this.#begin(conversation);
    if (this.#random() < 0.2) await this.#pause();
    if (this.#random() < 0.1) say(500, { detail: 'something went wrong' });
    else say(200, { success: true, message: 'Success', conversation_id: conversation.id, callSid: `CA${conversation.id}` });
  }

  #list(query: URLSearchParams, say: (status: number, body: unknown) => void): void {
    const size = Number(query.get('page_size') ?? 30);
    const from = Number(query.get('cursor') ?? 0);
    const after = Number(query.get('call_start_after_unix') ?? 0);
    const before = Number(query.get('call_start_before_unix') ?? Number.MAX_SAFE_INTEGER);
    const seconds = ({ startedAt }: Conversation): number => Math.floor(startedAt / 1000);
    const own = /^earshot_call_sid:eq:(.+)$/.exec(query.get('dynamic_variable_params') ?? '')?.[1] ?? null;
    const all = [...this.#conversations.values()].filter((one) => seconds(one) >= after && seconds(one) <= before && (own === null || one.own === own)).reverse();
    const conversations = all.slice(from, from + size).map((one) => ({ conversation_id: one.id, agent_id: one.agent.agent_id, status: one.state === 'done' ? 'done' : 'in-progress', start_time_unix_secs: seconds(one), call_duration_secs: one.state === 'done' ? 12 : 0, message_count: one.transcript.length }));
    const more = from + size < all.length;
    say(200, { conversations, has_more: more, next_cursor: more ? String(from + size) : null });
  }
}

interface DialBody {
  readonly to_number: string;
  readonly conversation_initiation_client_data?: { readonly dynamic_variables?: { readonly earshot_call_sid?: string } };
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};
