/** I6, the words: after the final transcript the standing turns in `index` order equal it, and an older one never replaces a newer. */
import type { EventFrame } from '../../core/protocol/frames.ts';
import type { SpokenTurn } from './history.ts';
import type { LoggedCall } from './logged-call.ts';
import { eventsOf } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { Delivery, World } from './world.ts';

type Turn = Extract<EventFrame, { readonly type: 'transcription' }>;

export const checkTranscripts = (world: World, report: Report): void => {
  for (const [conversationId, versions] of world.versions) {
    const call = world.resolve(conversationId);
    if (call?.final == null || call.final.record.conversation_id !== conversationId || call.current.hasHoles) continue;
    // What became of an outcome that went with a restore nobody can say.
    if (world.restoredAt > -1) continue;
    const sent = world.deliveriesOf.get(conversationId) ?? [];
    const least = Math.max(0, ...sent.map(({ content, acked }) => (content.kind === 'final' && acked !== null ? content.version : 0)));
    if (least === 0 && call.final.record.status !== 'completed') continue;
    if (stillWaits(world, conversationId)) continue;
    checkStanding(call, allowed(versions, least), sent, report);
  }
};

/** A final that waits to be driven again was answered 200 all the same. */
const stillWaits = (world: World, conversationId: string): boolean => world.of('quarantined').some(({ record }) => record.conversation_id === conversationId);

/** The newest that was answered 200, and any later one. An empty one that comes later is what is left of it, not what was said. */
const allowed = (versions: ReadonlyMap<number, readonly SpokenTurn[]>, least: number): (readonly SpokenTurn[])[] => {
  const found: (readonly SpokenTurn[])[] = [];
  for (const [version, transcript] of versions) {
    if (version < least) continue;
    found.push(transcript);
    if (transcript.length > 0) continue;
    const said = [...versions].filter(([number, turns]) => number < version && turns.length > 0).sort(([a], [b]) => b - a)[0];
    if (said !== undefined) found.push(said[1]);
  }
  return found;
};

const checkStanding = (call: LoggedCall, transcripts: readonly (readonly SpokenTurn[])[], sent: readonly Delivery[], report: Report): void => {
  const standing = standingTurns(eventsOf(call.current));
  const live = new Set(sent.flatMap(({ content }) => (content.kind === 'turn' ? [content.turn_id ?? content.text] : [])));
  const problems = transcripts.map((transcript) => differs(standing, transcript, live));
  if (problems.includes(null)) return;
  report('I6', `the standing turns of ${call.callSid} are not the final transcript: ${problems.at(-1) ?? ''}`, call.final?.index ?? null);
};

/** In what the turns differ; null: in nothing. Live turns that came after the seal stand behind those of the transcript. */
const differs = (standing: readonly Turn[], transcript: readonly SpokenTurn[], live: ReadonlySet<string>): string | null => {
  for (const [place, row] of transcript.entries()) {
    const turn = standing[place];
    if (turn === undefined) return `turn ${place} is missing`;
    const sameText = turn.truncated === true ? row.text.startsWith(turn.text) : turn.text === row.text;
    if (turn.index !== place || turn.speaker !== row.speaker || !sameText) return `turn ${place} is ${turn.turn_id}, index ${turn.index}, of event ${turn.seq}`;
  }
  const extra = standing.slice(transcript.length).find((turn) => turn.late !== true || !(live.has(turn.turn_id) || live.has(turn.text)));
  return extra === undefined ? null : `turn ${extra.turn_id} of event ${extra.seq} stands behind its end`;
};

const standingTurns = (events: readonly EventFrame[]): Turn[] => {
  const newest = new Map<string, Turn>();
  for (const event of events) {
    if (event.type !== 'transcription') continue;
    const known = newest.get(event.turn_id);
    if (known === undefined || known.rev < event.rev) newest.set(event.turn_id, event);
  }
  return [...newest.values()].filter((turn) => turn.state !== 'retracted').sort((a, b) => a.index - b.index || (a.turn_id < b.turn_id ? -1 : 1));
};
