/**
 * ElevenLabs' conversational AI over fetch and ws, without its SDK (which repeats a POST on 408, 429 and 5xx, so that a
 * person would be phoned twice). No redirect is followed: the key would go along, and a dial's would be a second POST.
 */
import { WebSocket } from 'ws';
import { DIAL_POST_MAX_MS } from '../core/protocol/limits.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Workspace } from './directory.ts';
import { answerOfDial, answerOfFailure } from './voice-provider.elevenlabs-dial.ts';
import { openMonitor } from './voice-provider.elevenlabs-monitor.ts';
import type { ConversationFilter, ConversationSummary, ProviderWebhook, VoiceProvider } from './voice-provider.ts';

/** A read that takes longer is not coming. */
const READ_MAX_MS = 15_000;
/** A three-hour call is about 6 MB. */
const CONVERSATION_MAX_BYTES = 16 * 1024 * 1024;
/** A dial's answer is four short fields. */
const DIAL_ANSWER_MAX_BYTES = 64 * 1024;
/** ElevenLabs refuses larger pages. */
const PAGE_MAX_ROWS = 100;

export interface ElevenLabsOptions {
  /** Default: Node's own. */
  readonly fetch?: typeof fetch;
  /** Time limit of the one POST of a dial, milliseconds. */
  readonly dialMaxMs?: number;
  /** Time limit of a read and of opening a monitoring session, milliseconds. */
  readonly readMaxMs?: number;
}

/**
 * The voice provider that talks to ElevenLabs, or to anything that speaks its API at `workspace.base_url`
 * (with or without `/v1` at its end).
 */
export const elevenLabsProvider = (options: ElevenLabsOptions = {}): VoiceProvider => {
  const ask = options.fetch ?? fetch;
  const dialMaxMs = options.dialMaxMs ?? DIAL_POST_MAX_MS;
  const readMaxMs = options.readMaxMs ?? READ_MAX_MS;

  /** null: an answer that says it is not there (for this key). */
  const read = async (workspace: Workspace, path: string, absent: readonly number[] = [404]): Promise<unknown> => {
    const answer = await answered(() => ask(`${apiUrl(workspace)}${path}`, { headers: headersOf(workspace), redirect: 'manual', signal: AbortSignal.timeout(readMaxMs) }));
    if (absent.includes(answer.status)) {
      await discard(answer);
      return null;
    }
    if (answer.status !== 200) {
      await discard(answer);
      throw new EarshotError('provider_unavailable');
    }
    const text = await answered(() => textOf(answer, CONVERSATION_MAX_BYTES));
    const value = text === null ? undefined : parsed(text);
    if (typeof value !== 'object' || value === null) throw new EarshotError('provider_unavailable');
    return value;
  };

  return {
    dial: async (workspace, request) => {
      if (workspace.api_key === null) return { result: 'refused', reason: 'no_api_key', busy: false };
      if (workspace.phone_number_id === null) return { result: 'refused', reason: 'no_phone_number_id', busy: false };
      const route = workspace.telephony === 'twilio' ? 'twilio' : 'sip-trunk';
      const url = `${apiUrl(workspace)}/convai/${route}/outbound-call`;
      const post: RequestInit = {
        method: 'POST',
        headers: { ...headersOf(workspace), 'content-type': 'application/json' },
        body: JSON.stringify({
          agent_id: request.agent_id,
          agent_phone_number_id: workspace.phone_number_id,
          to_number: request.to_number,
          conversation_initiation_client_data: { dynamic_variables: request.dynamic_variables },
        }),
        redirect: 'manual',
        signal: AbortSignal.timeout(dialMaxMs),
      };
      if (!canBeSent(url, post)) return { result: 'refused', reason: 'workspace_misconfigured', busy: false };
      try {
        const answer = await ask(url, post);
        const text = await textOf(answer, DIAL_ANSWER_MAX_BYTES);
        return answerOfDial(answer.status, text === null ? undefined : parsed(text));
      } catch (error) {
        return answerOfFailure(error);
      }
    },

    conversation: (workspace, conversationId) => read(workspace, `/convai/conversations/${encodeURIComponent(conversationId)}`),

    conversations: async (workspace, filter) => {
      const page = await read(workspace, `/convai/conversations?${queryOf(filter).toString()}`);
      if (page === null) throw new EarshotError('provider_unavailable');
      const { conversations, next_cursor, has_more } = page as Readonly<Record<string, unknown>>;
      if (!Array.isArray(conversations)) throw new EarshotError('provider_unavailable');
      const cursor = has_more !== false && typeof next_cursor === 'string' && next_cursor !== '' ? next_cursor : null;
      return { conversations: conversations.flatMap(summaryIn), next_cursor: cursor };
    },

    webhooks: async (workspace) => {
      const answer = await read(workspace, '/workspace/webhooks', NOT_FOR_THIS_KEY);
      if (answer === null) return null;
      const { webhooks } = answer as Readonly<Record<string, unknown>>;
      if (!Array.isArray(webhooks)) throw new EarshotError('provider_unavailable');
      return webhooks.flatMap(webhookIn);
    },

    audio: async (workspace, conversationId) => {
      const url = `${apiUrl(workspace)}/convai/conversations/${encodeURIComponent(conversationId)}/audio`;
      const answer = await begun(ask, url, headersOf(workspace), readMaxMs);
      if (answer.status === 200 && answer.body !== null) {
        const length = Number(answer.headers.get('content-length') ?? Number.NaN);
        return {
          body: answer.body,
          content_type: answer.headers.get('content-type') ?? 'application/octet-stream',
          content_length: Number.isSafeInteger(length) ? length : null,
        };
      }
      await discard(answer);
      if (answer.status === 404) return null;
      throw new EarshotError('provider_unavailable');
    },

    end: async (workspace, conversationId) => {
      const session = await openMonitor(() => monitorSocket(workspace, conversationId, readMaxMs), readMaxMs, () => undefined, () => undefined);
      if (session === null) return 'not_supported';
      try {
        await session.send({ command_type: 'end_call' });
      } catch {
        throw new EarshotError('provider_unavailable');
      } finally {
        session.close();
      }
      return 'asked';
    },

    monitor: (workspace, conversationId, onEvent, onClose) =>
      openMonitor(() => monitorSocket(workspace, conversationId, readMaxMs), readMaxMs, onEvent, onClose),
  };
};

const apiUrl = (workspace: Workspace): string => `${workspace.base_url.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`;

/** False where the URL or the key could never go over the wire: then certainly nothing was sent. */
const canBeSent = (url: string, post: RequestInit): boolean => {
  try {
    return new Request(url, post).method === 'POST';
  } catch {
    return false;
  }
};

const headersOf = (workspace: Workspace): Readonly<Record<string, string>> => ({ 'xi-api-key': workspace.api_key ?? '', accept: 'application/json' });

/** A larger event is not one of a phone call's. */
const EVENT_MAX_BYTES = 1024 * 1024;

const monitorSocket = (workspace: Workspace, conversationId: string, maxMs: number): WebSocket =>
  new WebSocket(`${apiUrl(workspace).replace(/^http/, 'ws')}/convai/conversations/${encodeURIComponent(conversationId)}/monitor`, {
    headers: { 'xi-api-key': workspace.api_key ?? '' },
    handshakeTimeout: maxMs,
    maxPayload: EVENT_MAX_BYTES,
    perMessageDeflate: false,
  });

/** Whatever the network does wrong is `provider_unavailable`; nothing of its message is kept. */
const answered = async <Value>(work: () => Promise<Value>): Promise<Value> => {
  try {
    return await work();
  } catch {
    throw new EarshotError('provider_unavailable');
  }
};

/** The answer's head within the time limit; its body may take as long as it takes, since it is passed through. */
const begun = async (ask: typeof fetch, url: string, headers: Readonly<Record<string, string>>, maxMs: number): Promise<Response> => {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), maxMs);
  try {
    return await answered(() => ask(url, { headers: { ...headers, accept: '*/*' }, redirect: 'manual', signal: giveUp.signal }));
  } finally {
    clearTimeout(timer);
  }
};

/** The body as text; null: it is longer than it may be. */
const textOf = async (answer: Response, maxBytes: number): Promise<string | null> => {
  if (answer.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> = answer.body;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Lets go of a body that nobody reads, so that its connection is free again. */
const discard = async (answer: Response): Promise<void> => {
  try {
    await answer.body?.cancel();
  } catch {
    // It was cut off on its own: nothing is left to let go of.
  }
};

const queryOf = (filter: ConversationFilter): URLSearchParams => {
  const query = new URLSearchParams({ page_size: String(Math.min(filter.page_size, PAGE_MAX_ROWS)) });
  if (filter.cursor !== null) query.set('cursor', filter.cursor);
  if (filter.call_start_after_unix !== undefined) query.set('call_start_after_unix', String(filter.call_start_after_unix));
  for (const status of filter.exclude_statuses ?? []) query.append('exclude_statuses', status);
  if (filter.dynamic_variable !== undefined) query.set('dynamic_variable_params', `${filter.dynamic_variable.name}:eq:${filter.dynamic_variable.value}`);
  return query;
};

/** A key may be restricted to what it needs, and this is not among it. */
const NOT_FOR_THIS_KEY = [401, 403, 404];

const webhookIn = (row: unknown): readonly ProviderWebhook[] => {
  if (typeof row !== 'object' || row === null) return [];
  const { webhook_url, is_disabled, is_auto_disabled } = row as Readonly<Record<string, unknown>>;
  return typeof webhook_url === 'string' ? [{ url: webhook_url, enabled: is_disabled !== true && is_auto_disabled !== true }] : [];
};

const summaryIn = (row: unknown): readonly ConversationSummary[] => {
  if (typeof row !== 'object' || row === null) return [];
  const { conversation_id, agent_id, status, start_time_unix_secs } = row as Readonly<Record<string, unknown>>;
  if (typeof conversation_id !== 'string') return [];
  return [{
    conversation_id,
    agent_id: typeof agent_id === 'string' ? agent_id : '',
    status: typeof status === 'string' ? status : '',
    start_time_unix_secs: typeof start_time_unix_secs === 'number' ? start_time_unix_secs : 0,
  }];
};
