/** What the commits of the cloud's log put into a batch: events with their long texts, keys, bindings, details. Nothing is committed here. */
import { FieldValue, type DocumentReference, type WriteBatch } from '@google-cloud/firestore';
import { mustFit } from '../core/domain/call/commit-size.ts';
import type { DraftEvent } from '../core/domain/call/draft.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import type { CallState } from '../core/domain/call/state.ts';
import type { Decided, Known } from './call-log.firestore-decider.ts';
import { callDocument, DETAIL_NAMES, partsOf, segmentsOf, wellFormed, wholeTextName, type LogPlaces } from './call-log.firestore-documents.ts';

/** @param places where it all goes */
export const firestoreBatches = (places: LogPlaces) => {
  /** The events of a commit, with its id. @returns where that stands; null where there is no event */
  const putEvents = (batch: WriteBatch, callSid: string, events: readonly DraftEvent[], commit: string): DocumentReference | null => {
    const segments = segmentsOf(events);
    for (const segment of segments) batch.create(places.segment(callSid, segment.first_seq), { ...segment, commit, at: FieldValue.serverTimestamp() });
    for (const event of events) if (event.whole_text !== null) putText(batch, places, callSid, wholeTextName(event.seq), JSON.stringify(event.whole_text));
    const first = segments[0];
    return first === undefined ? null : places.segment(callSid, first.first_seq);
  };

  /** Writes what was decided, but for the projection. @returns where the commit's id stands; null where there is no event. */
  const write = async (batch: WriteBatch, before: CallState, { decision, stored }: Decided, commit: string): Promise<DocumentReference | null> => {
    const { call, events, keys, details } = decision;
    const { call_sid: sid, conversation_id, provider_call_id } = call;
    mustFit(decision, stored.details);
    if (conversation_id !== null && conversation_id !== before.conversation_id) batch.create(places.conversation(conversation_id), { conversation_id, call_sid: sid });
    if (provider_call_id !== null && provider_call_id !== before.provider_call_id) {
      const carrier = places.providerCall(call.workspace, provider_call_id);
      if (!(await carrier.get()).exists) batch.create(carrier, { call_sid: sid });
    }
    const mark = putEvents(batch, sid, events, commit);
    for (const [key, value] of keys) batch.set(places.key(sid, key), { value });
    if (details !== stored.details) {
      const put = new Set<string>();
      for (const name of DETAIL_NAMES) {
        const text = details[name];
        if (text !== null) for (const id of putText(batch, places, sid, name, text)) put.add(id);
      }
      // A shorter text has fewer parts than the one before it.
      for (const { ref } of stored.documents) if (!put.has(ref.id)) batch.delete(ref);
    }
    return mark;
  };

  /** As `write`, for a call that is not there yet. */
  const writeNew = async (batch: WriteBatch, before: CallState, decided: Decided, commit: string): Promise<DocumentReference | null> => {
    batch.create(places.call(before.call_sid), callDocument(decided.decision.call));
    return write(batch, before, decided, commit);
  };

  /** The dial of an erased call is answered: unless its conversation is stopped too, it would be adopted as nobody's. */
  const stopConversations = (batch: WriteBatch, known: Known, units: readonly (readonly FactEntry[])[]): number => {
    const dialled = units.flat().filter(({ fact }) => fact.kind === 'dial_accepted').map(({ conversation_id: id }) => id);
    const stopped = [...new Set(dialled)].filter((id) => id !== null).filter((id) => !known.owners.has(id));
    for (const id of stopped) batch.create(places.conversation(id), { conversation_id: id, call_sid: null });
    return stopped.length;
  };

  /** A merger holds only as long as the owner has its conversation: were it erased between, nobody would erase what was merged into it. */
  const holdOwner = (batch: WriteBatch, known: Known, owner: string | null): void => {
    for (const [id, version] of known.versions) {
      if (known.owners.get(id) === owner) batch.update(places.conversation(id), { call_sid: owner }, { lastUpdateTime: version });
    }
  };

  return { putEvents, write, writeNew, stopConversations, holdOwner };
};

/** @returns the ids of the documents that hold it */
const putText = (batch: WriteBatch, places: LogPlaces, callSid: string, name: string, text: string): string[] =>
  partsOf(text).map((piece, part) => {
    const document = places.texts(callSid).doc(`${name}.${part}`);
    batch.set(document, { name, part, text: wellFormed(piece) });
    return document.id;
  });
