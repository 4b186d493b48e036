/** A call as files, made of what is shown: its words to read, its events to work with. */
import type { EventFrame } from '../index.ts';
import type { CallView } from '../view.ts';
import type { CallFacts } from './call-facts.ts';
import { linesOf, secondsInCall } from './call-lines.ts';
import { outcomeText, statusLine, toolName, toolResult, TRUST_WORDS } from './call-words.ts';
import { costText } from './numbers.ts';
import { duration, utc } from './times.ts';

const SPEAKERS = { agent: 'AGENT', driver: 'DRIVER' } as const;

/** The call to read: one line each, times of the call or UTC, and at its head how complete it is. */
export const transcriptText = (view: CallView, facts: CallFacts | null): string => {
  const lines = linesOf(view).said.flatMap((line) => {
    switch (line.kind) {
      case 'status':
        return [`[${utc(line.timestamp)}] ${statusLine(line)}`];
      case 'tool':
        return [`        Tool ${toolName(line.name)}: ${toolResult(line)}${line.detail === null ? '' : `. ${line.detail}`}`];
      case 'turn': {
        if (line.state === 'retracted') return [];
        const seconds = secondsInCall(line, view.startedAt);
        const at = seconds === null ? '' : duration(seconds);
        const more = line.href === null ? '' : ' [the beginning of a longer text]';
        return [`${at.padStart(7)} ${SPEAKERS[line.speaker]}: ${line.text}${more}`];
      }
    }
  });
  const { outcome } = view;
  const head: readonly (readonly [string, string | null])[] = [
    ['Call', view.callSid],
    ['Conversation', view.conversationId],
    ['Driver', facts?.driver?.driverName ?? null],
    ['Number', facts?.driver?.phoneNumber ?? facts?.to_number ?? null],
    ['Agent', facts?.agent_id ?? null],
    ['Started', view.startedAt === null ? null : utc(view.startedAt)],
    ['Record', TRUST_WORDS[view.trust]],
    ['Outcome', outcome === null ? null : outcomeText(outcome)],
    ['Duration', outcome?.call_duration_seconds == null ? null : duration(outcome.call_duration_seconds)],
    ['Cost', outcome === null ? null : costText(outcome.cost, outcome.cost_credits)],
    ['Summary', outcome?.transcript_summary ?? null],
  ];
  return `${[...head.flatMap(([name, value]) => (value === null || value === '' ? [] : [`${name}: ${value}`])), '', ...lines].join('\n')}\n`;
};

/** The call to work with: its events exactly as they came, and what is known of their completeness. */
export const eventsJson = (view: CallView, events: readonly EventFrame[]): string =>
  `${JSON.stringify({ call_sid: view.callSid, conversation_id: view.conversationId, record: view.trust, missing: view.lost, events }, null, 2)}\n`;

/** A name that every file system takes. */
export const fileName = (callSid: string, ending: string): string => `${callSid.replace(/[^\w.+-]+/g, '-').slice(0, 100)}.${ending}`;
