/** The need: a log of documents as schema changes see it - every call once, in the order of its id, and how far a change has come. */
import type { StoredCall } from '../core/domain/migrations.ts';

export interface CallDocument {
  /** Of the document. */
  readonly id: string;
  readonly call: StoredCall;
  /** Another one after each write. */
  readonly version: string;
}

/** How far a change has come, kept with the log. */
export interface MigrationProgress {
  /** Every call is of this schema, or of the one that is being made of it. */
  readonly schema: number;
  /** A step that is not through yet; null: there is none. */
  readonly running: {
    /** Of the table of migrations. */
    readonly step: number;
    readonly direction: 'up' | 'down';
    /** Calls up to this id are done; null: none is. */
    readonly after: string | null;
    readonly seen: number;
    readonly changed: number;
  } | null;
}

/** Every method throws EarshotError `store_unavailable`. */
export interface CallDocuments {
  /** At most `limit` calls behind that id (null: from the first), by id. Fewer: there are no more. */
  page(after: string | null, limit: number): Promise<readonly CallDocument[]>;
  /** null: it is no more. */
  one(id: string): Promise<CallDocument | null>;
  /** Writes what differs, in one commit, unless somebody wrote the call (or removed it) since `before` was read: then nothing, and false. */
  put(before: CallDocument, call: StoredCall): Promise<boolean>;
  /** null: no change was ever made. */
  progress(): Promise<MigrationProgress | null>;
  keepProgress(progress: MigrationProgress): Promise<void>;
  close(): Promise<void>;
}
