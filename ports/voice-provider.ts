/**
 * The need: a provider of voice agents that dials, tells of its conversations and can be asked to end one.
 * The provider's own words pass through as they are; `core/domain/elevenlabs` makes facts of them.
 */
import type { Workspace } from './directory.ts';

export interface DialRequest {
  readonly agent_id: string;
  readonly to_number: string;
  /** Come back unchanged in the provider's webhooks and reads. */
  readonly dynamic_variables: Readonly<Record<string, string | number | boolean>>;
}

export type DialAnswer =
  /** Accepted; conversation_id may be missing. */
  | { readonly result: 'accepted'; readonly conversation_id: string | null; readonly provider_call_id: string | null }
  /** Definitely not dialled. `busy`: too many calls at once. `reason` is a word, never the provider's free text. */
  | { readonly result: 'refused'; readonly reason: string; readonly busy: boolean }
  /** Nobody knows whether a phone is ringing: never repeat it. */
  | { readonly result: 'unknown'; readonly reason: string };

export interface ConversationSummary {
  readonly conversation_id: string;
  readonly agent_id: string;
  readonly status: string;
  readonly start_time_unix_secs: number;
}

export interface ConversationFilter {
  readonly cursor: string | null;
  readonly page_size: number;
  readonly call_start_after_unix?: number;
  readonly exclude_statuses?: readonly string[];
  /** `name:eq:value` on dynamic variables. */
  readonly dynamic_variable?: { readonly name: string; readonly value: string };
}

/** One of the webhooks that the account has configured. */
export interface ProviderWebhook {
  readonly url: string;
  /** Neither a person nor the provider itself has switched it off. */
  readonly enabled: boolean;
}

/** A live session of the provider's monitoring, where the plan has it. */
export interface MonitorSession {
  /** Sends a command; resolves when it was handed over. */
  send(command: { readonly command_type: string; readonly parameters?: unknown }): Promise<void>;
  close(): void;
}

/** Every method throws EarshotError `provider_unavailable` where the provider does not answer as it should. */
export interface VoiceProvider {
  /** One POST, never repeated. Does not throw: an answer that never came is `unknown`. */
  dial(workspace: Workspace, request: DialRequest): Promise<DialAnswer>;
  /** The conversation as the provider tells it (JSON); null: it has none of this id. */
  conversation(workspace: Workspace, conversationId: string): Promise<unknown>;
  conversations(workspace: Workspace, filter: ConversationFilter): Promise<{ readonly conversations: readonly ConversationSummary[]; readonly next_cursor: string | null }>;
  /** The recording, passed through; null: there is none. */
  audio(workspace: Workspace, conversationId: string): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly content_type: string; readonly content_length: number | null } | null>;
  /** The webhooks of the account; null: this key may not read them, or the provider does not tell. */
  webhooks(workspace: Workspace): Promise<readonly ProviderWebhook[] | null>;
  /** Asks the provider to end an active call. `not_supported` where it offers no way. */
  end(workspace: Workspace, conversationId: string): Promise<'asked' | 'not_supported'>;
  /** Follows an active call. Events are the provider's own JSON. null: not to be had for this call. */
  monitor(workspace: Workspace, conversationId: string, onEvent: (event: unknown) => void, onClose: () => void): Promise<MonitorSession | null>;
}
