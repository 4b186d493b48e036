/** `earshot tail <call>`: a call in the terminal as it happens; the client library resumes by itself. */
import { connect, type EventFrame } from '../client/index.ts';
import { CLOSE_CODES } from '../core/protocol/codes.ts';
import { CliError, ofCode } from './exit-codes.ts';
import { ERRORS, type ErrorCode } from '../core/protocol/codes.ts';
import { session } from './session.ts';
import type { Cli } from './world.ts';

export interface TailOptions {
  /** Stay after the call has ended: amendments may come. */
  readonly follow?: boolean;
}

/** Resolves when the call is sealed and proved complete, or when the person ends it under --follow. */
export const tail = async (cli: Cli, id: string, options: TailOptions): Promise<void> => {
  const api = session(cli);
  // Asked for before the socket: a wrong password or address is told as what it is.
  await api.token();
  const url = await api.relayUrl();
  await new Promise<void>((resolve, reject) => {
    let merged = false;
    const end = (error: CliError | null): void => {
      cli.stop.removeEventListener('abort', interrupted);
      feed.close();
      if (error === null) resolve();
      else reject(error);
    };
    const interrupted = (): void => end(options.follow === true ? null : new CliError('interrupted', 'Interrupted before the call had ended.', 'interrupted'));
    const feed = connect({
      url,
      token: () => api.token(),
      onState: (state) => cli.print.note(`connection: ${state}`),
      onStopped: (code) => {
        if (code !== null) end(stoppedBy(code));
      },
      onError: (code) => cli.print.note(`error: ${code}`),
    });
    feed.call(id, {
      onConfirmed: ({ callSid, status }) => cli.print.note(`${callSid}: ${status}`),
      onEvent: (event) => {
        if (event.type === 'call_status' && event.merged_into !== undefined) merged = true;
        cli.print.record(event);
        for (const line of linesOf(event)) cli.print.line(line);
      },
      onReset: (reason) => {
        merged = false;
        cli.print.note(`the call starts over (${reason})`);
      },
      onLost: (from, to) => cli.print.line(`[lost] events ${from} to ${to} are gone from the log`),
      onSealed: (proof) => {
        cli.print.line(`[sealed] ${proof === 'complete' ? 'complete: the digest proves that every event is shown' : proof}`);
        // The call that owns the conversation goes on under the same name.
        if (merged || options.follow === true) return;
        end(proof === 'complete' ? null : new CliError('incomplete', 'The digest does not prove that every event was shown.', 'failed'));
      },
      onError: (code) => end(code in ERRORS ? ofCode(code as ErrorCode) : new CliError(code, 'The relay refused the call.', 'failed')),
    });
    cli.stop.addEventListener('abort', interrupted);
    if (cli.stop.aborted) interrupted();
  });
};

const stoppedBy = (code: number): CliError => {
  const known = Object.entries(CLOSE_CODES).find(([, row]) => row.code === code);
  const name = known?.[0] ?? 'connection_stopped';
  return new CliError(name, known?.[1].message ?? `The relay closed the connection (${code}).`, code >= 4501 && code <= 4504 ? 'not_allowed' : 'failed');
};

/** An event in words; one line each. */
export const linesOf = (event: EventFrame): string[] => {
  switch (event.type) {
    case 'transcription':
      return [`[${event.index}] ${event.speaker.toUpperCase()}${event.state === 'final' ? '' : ` (${event.state})`}: ${event.text}`];
    case 'call_status':
      // The same status again only announces the conversation's id.
      if (event.status === event.previous) return event.conversation_id === null ? [] : [`[status] ${event.status}, conversation ${event.conversation_id}`];
      return [`[status] ${event.status}${event.reason === undefined ? '' : ` (${event.reason})`}${event.merged_into === undefined ? '' : `, goes on as ${event.merged_into}`}`];
    case 'agent_started':
    case 'agent_thinking':
    case 'agent_completed':
      return [`[agent] ${event.type.slice('agent_'.length)}`];
    case 'tool_executing':
      return [`[tool] ${event.tool_name ?? event.tool_call_id ?? ''} ...`];
    case 'tool_completed':
      return [`[tool] ${event.tool_name ?? event.tool_call_id ?? ''} ${event.is_error === true ? 'failed' : 'done'}${event.duration_ms === undefined ? '' : ` in ${event.duration_ms} ms`}`];
    case 'call_completed':
      return summaryOf(event);
    case 'call_amended':
      return [`[amended] ${Object.keys(event.changed).join(', ')}`];
    case 'call_sealed':
      return [`[sealed] revision ${event.revision}: ${event.last_seq} events, ${event.turns} turns`];
  }
};

const summaryOf = ({ data }: Extract<EventFrame, { type: 'call_completed' }>): string[] => {
  const facts = [
    data.call_duration_seconds === null ? null : `${data.call_duration_seconds} s`,
    data.cost === null ? null : `$${data.cost}`,
    data.cost_credits === null ? null : `${data.cost_credits} credits`,
    data.outcome,
  ].filter((fact) => fact !== null);
  return [`[summary] ${data.transcript_summary ?? 'none'}`, ...(facts.length === 0 ? [] : [`[summary] ${facts.join(', ')}`])];
};
