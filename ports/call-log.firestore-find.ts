/**
 * From an id to the call that speaks for it. Every document that is asked for is paid for, so an id is first taken for what it looks
 * like - ours begin with `EL_` -, and asked for as anything else only where there is no such thing: a known id costs one document, a known
 * conversation two.
 */
import type { DocumentReference, DocumentSnapshot } from '@google-cloud/firestore';
import { readCallState, type CallState } from '../core/domain/call/state.ts';
import type { LogPlaces } from './call-log.firestore-documents.ts';
import type { FirestoreDatabase } from './firestore-database.ts';

/** Mergers point at an owner, never in a circle; the bound is for a log that was tampered with. */
const MERGERS_MAX_COUNT = 8;
/** Documents asked for in one request. */
const DOCUMENTS_AT_ONCE_COUNT = 300;

type Found = CallState | 'erased' | null;

/** Answers for each id, in order; ids that are looked for together share their requests. */
export const firestoreFinder = (store: FirestoreDatabase, places: LogPlaces): ((ids: readonly string[]) => Promise<Found[]>) => {
  return async (ids) => {
    const read = new Map<string, DocumentSnapshot>();
    const found = ids.map((): { readonly answer: Found } | null => null);
    for (;;) {
      const wanted = new Map<string, DocumentReference>();
      /** The document, where it was read; else it is wanted, and the search goes on when it is there. */
      const document = (reference: DocumentReference): DocumentSnapshot => {
        const known = read.get(reference.path);
        if (known !== undefined) return known;
        wanted.set(reference.path, reference);
        throw new Wanted();
      };
      for (const [index, id] of ids.entries()) found[index] ??= searched(() => resolve(places, document, id));
      if (wanted.size === 0) return found.map((one) => one?.answer ?? null);
      const references = [...wanted.values()];
      for (let at = 0; at < references.length; at += DOCUMENTS_AT_ONCE_COUNT) {
        const some = references.slice(at, at + DOCUMENTS_AT_ONCE_COUNT);
        for (const snapshot of await store.read(() => store.db.getAll(...some))) read.set(snapshot.ref.path, snapshot);
      }
    }
  };
};

class Wanted extends Error {
  override readonly name = 'Wanted';
}

const searched = (search: () => Found): { readonly answer: Found } | null => {
  try {
    return { answer: search() };
  } catch (error) {
    if (error instanceof Wanted) return null;
    throw error;
  }
};

type Documents = (reference: DocumentReference) => DocumentSnapshot;

const resolve = (places: LogPlaces, document: Documents, id: string): Found => {
  const call = (callSid: string): CallState | null => {
    const state = document(places.call(callSid)).get('state') as string | undefined;
    return state === undefined ? null : readCallState(state);
  };
  const isErased = (callSid: string): boolean => document(places.tombstone(callSid)).exists;
  /** Of a conversation: the owner's call; undefined: nobody's. */
  const owned = (): Found | undefined => {
    const conversation = document(places.conversation(id));
    if (!conversation.exists) return undefined;
    const owner = conversation.get('call_sid') as string | null;
    if (owner === null) return 'erased';
    return call(owner) ?? (isErased(owner) ? 'erased' : null);
  };
  const named = (): Found | undefined => call(id) ?? undefined;

  const [first, second] = id.startsWith('EL_') ? [named, owned] : [owned, named];
  const start = first() ?? second() ?? (isErased(id) ? 'erased' : null);
  return start === null || start === 'erased' ? start : speaker(call, isErased, start);
};

/** On through mergers. */
const speaker = (call: (callSid: string) => CallState | null, isErased: (callSid: string) => boolean, start: CallState): Found => {
  let speaks = start;
  for (let hop = 0; speaks.merged_into !== null && hop < MERGERS_MAX_COUNT; hop++) {
    const owner = call(speaks.merged_into);
    if (owner === null) return isErased(speaks.merged_into) ? 'erased' : speaks;
    speaks = owner;
  }
  return speaks;
};
