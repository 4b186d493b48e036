/**
 * How the cloud's ways use Firestore: every question has a limit, what passes by itself is asked again with jitter up to
 * APPEND_RETRY_MAX_MS, then `store_unavailable`. A commit whose answer never came may have been applied: whoever writes has to tell,
 * when it is asked again, what an earlier attempt left behind.
 */
import { Firestore, type DocumentReference, type DocumentSnapshot, type Transaction, type WriteBatch, type WriteResult } from '@google-cloud/firestore';
import { EarshotError } from '../core/protocol/codes.ts';
import { APPEND_RETRY_MAX_MS, STORE_ATTEMPT_MAX_MS } from '../core/protocol/limits.ts';
import type { Log } from './log.ts';
import type { Runtime, Timer } from './runtime.ts';

export interface FirestoreOptions {
  /** null: the project that the process runs in. */
  readonly projectId: string | null;
  readonly database: string;
  /** `host:port` of Google's emulator; null: the cloud. */
  readonly emulatorHost: string | null;
  readonly runtime: Runtime;
  readonly log: Log;
}

/** What `optimistic` is to commit, and to answer then. */
export interface Prepared<T> {
  /** null: nothing. */
  readonly batch: WriteBatch | null;
  readonly value: T;
  /** Told of what the store says of each write, in the order of the batch, once the commit stands. */
  readonly stands?: (results: readonly WriteResult[]) => void;
}

export interface FirestoreDatabase {
  readonly db: Firestore;
  /** Reads that need not be of one moment. */
  read<T>(work: () => Promise<T>): Promise<T>;
  /** Reads of one moment: that at which the document was read. */
  snapshot<T>(document: DocumentReference, work: (found: DocumentSnapshot, transaction: Transaction) => Promise<T>): Promise<T>;
  /** All of it or nothing; `work` reads before it writes, and runs again when another commit came between. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /**
   * For what many processes want at once: `work` reads without locks and answers a batch whose preconditions name what it read (null:
   * nothing to write); where something came between, it runs again. A transaction would wait for the others' locks, and they for its.
   */
  optimistic<T>(work: () => Promise<Prepared<T>>): Promise<T>;
  /** The id of a document for an id of any spelling. */
  docId(id: string): string;
  /** Whatever is asked afterwards is `store_unavailable`. */
  close(): Promise<void>;
}

const FIRST_WAIT_MS = 25;
const WAIT_MAX_MS = 800;
const CLOSE_MAX_MS = 2_000;
/** A connection that died without a word is noticed. */
const KEEPALIVE = { 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 10_000 };

/**
 * We ask again ourselves. Left to itself the layer below asks three times, over seven seconds, before it tells of any error to a read, a
 * refusal included; commits a transaction again whose answer was lost; and rejects into nowhere when it is closed in between.
 */
const NO_RETRIES_BELOW = {
  gaxServerStreamingRetries: true,
  clientConfig: {
    interfaces: {
      'google.firestore.v1.Firestore': {
        retry_codes: { none: [] },
        methods: Object.fromEntries(['BatchGetDocuments', 'RunQuery', 'RunAggregationQuery', 'BeginTransaction', 'Commit', 'Rollback'].map((method) => [method, { retry_codes_name: 'none' }])),
      },
    },
  },
};

/** gRPC status codes, https://grpc.github.io/grpc/core/md_doc_statuscodes.html: these pass by themselves. */
const PASSING = new Set([1, 2, 4, 8, 10, 13, 14]);
/** NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, as answers to a batch: something came between. */
const OVERTAKEN = new Set([5, 6, 9]);
/** Whether a batch was refused because what it relied on is no longer so. */
export const isOvertaken = (error: unknown): boolean => OVERTAKEN.has(codeOf(error));
/** Also what is answered to a document or a commit beyond Firestore's own bounds. */
const INVALID_ARGUMENT = 3;
const isTooLarge = (error: unknown): boolean => error instanceof Error && /too (big|large)|exceeds the maximum|longer than/i.test(error.message);
/** And these are a fault of the set-up: no such database, no right, no credentials. */
const REFUSED = new Set([5, 7, 16]);

/** Opens nothing yet: the client connects at the first question. */
export const openFirestore = (options: FirestoreOptions): FirestoreDatabase => {
  const { runtime, log } = options;
  const db = new Firestore({
    ...(options.projectId === null ? {} : { projectId: options.projectId }),
    ...(options.emulatorHost === null ? {} : { host: options.emulatorHost, ssl: false }),
    ...KEEPALIVE,
    ...NO_RETRIES_BELOW,
    databaseId: options.database,
  });
  const state = { open: true };
  const isOpen = (): boolean => state.open;

  const underWay = new Set<Promise<unknown>>();
  const followed = <T>(attempt: Promise<T>): Promise<T> => {
    underWay.add(attempt);
    const over = (): void => void underWay.delete(attempt);
    attempt.then(over, over);
    return attempt;
  };

  const answered = async <T>(attempt: (given: Attempt) => Promise<T>): Promise<T> => {
    const started = runtime.monotonic();
    for (let asked = 0; ; asked++) {
      if (!isOpen()) throw new EarshotError('store_unavailable');
      const given: Attempt = { abandoned: false };
      try {
        return await limited(runtime, followed(attempt(given)), given);
      } catch (error) {
        if (!isOpen()) throw new EarshotError('store_unavailable');
        const code = codeOf(error);
        if (REFUSED.has(code)) {
          log.error('Firestore refuses this process', { grpc_code: code, database: options.database });
          throw new EarshotError('store_unavailable');
        }
        if (code === INVALID_ARGUMENT && isTooLarge(error)) throw new EarshotError('payload_too_large');
        if (!PASSING.has(code)) throw error;
        const wait = Math.min(FIRST_WAIT_MS * 2 ** asked, WAIT_MAX_MS) * (0.5 + runtime.random());
        if (runtime.monotonic() - started + wait > APPEND_RETRY_MAX_MS) {
          log.warn('Firestore did not answer in time', { grpc_code: code, database: options.database, attempts: asked + 1 });
          throw new EarshotError('store_unavailable');
        }
        await new Promise<void>((resolve) => void runtime.after(wait, resolve));
      }
    }
  };

  return {
    db,
    read: answered,
    snapshot: (document, work) =>
      answered(async () => {
        // At a given time, not in a transaction that the first read begins: where that read fails, the client rejects into nowhere.
        const found = await document.get();
        return db.runTransaction((transaction) => work(found, transaction), { readOnly: true, readTime: found.readTime });
      }),
    transaction: (work) =>
      answered((given) =>
        db.runTransaction(
          async (transaction) => {
            const value = await work(transaction);
            // Given up while it was reading: what asks again must not meet a commit of this one.
            if (given.abandoned) throw new TooLate();
            return value;
          },
          { maxAttempts: 1 },
        ),
      ),
    optimistic: (work) =>
      answered(async (given) => {
        const { batch, value, stands } = await work();
        if (given.abandoned) throw new TooLate();
        const results = await batch?.commit().catch((error: unknown) => {
          throw isOvertaken(error) ? new Overtaken() : error;
        });
        if (results !== undefined) stands?.(results);
        return value;
      }),
    docId: (id) => (PLAIN_ID.test(id) ? id : `~${runtime.sha256(id)}`),
    close: async () => {
      if (!state.open) return;
      state.open = false;
      // A client that is closed under a request rejects into nowhere: one that is never answered ends with the process.
      const ended = Promise.allSettled([...underWay]).then(() => db.terminate());
      await Promise.race([ended, new Promise<void>((resolve) => void runtime.after(CLOSE_MAX_MS, resolve))]);
    },
  };
};

/** Firestore takes no slash, no lone dots, no `__*__`, and 1,500 bytes: https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields */
const PLAIN_ID = /^(?!\.{1,2}$)(?!__)[A-Za-z0-9._:+%@-]{1,256}$/;

interface Attempt {
  abandoned: boolean;
}

/** Carries the code of a deadline, as the client's own errors do. */
class TooLate extends Error {
  override readonly name = 'TooLate';
  readonly code = 4;
}

/** Something came between; asked again, it may go through. Carries the code of a transaction that was aborted. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
  readonly code = 10;
}

const limited = async <T>(runtime: Runtime, promise: Promise<T>, given: Attempt): Promise<T> => {
  let timer: Timer | null = null;
  const late = new Promise<never>((_resolve, reject) => {
    timer = runtime.after(STORE_ATTEMPT_MAX_MS, () => {
      given.abandoned = true;
      reject(new TooLate());
    });
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    (timer as Timer | null)?.cancel();
  }
};

/**
 * -1: not an answer of the store. The client itself asks once more to commit a transaction whose answer was lost; that it is over by then
 * is told as INVALID_ARGUMENT, and whether it was applied is as unknown as before.
 */
const codeOf = (error: unknown): number => {
  if (!(error instanceof Error)) return -1;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'number') return -1;
  return code === 3 && /transaction (has expired|is invalid or closed)/i.test(error.message) ? 10 : code;
};
