/** Opens the log that the settings name. Google's client is loaded only where they name the cloud: the other verbs start without it. */
import type { Settings } from '../core/settings.ts';
import type { CallDocuments } from '../ports/call-documents.ts';
import type { CallLog } from '../ports/call-log.ts';
import { sqliteCallLog } from '../ports/call-log.sqlite.ts';
import type { FirestoreDatabase } from '../ports/firestore-database.ts';
import type { Log } from '../ports/log.ts';
import type { Runtime } from '../ports/runtime.ts';

export interface OpeningParts {
  readonly runtime: Runtime;
  readonly log: Log;
  /** `host:port` of Google's emulator; null: the cloud. */
  readonly emulatorHost: string | null;
}

const openDatabase = async (settings: Settings, { runtime, log, emulatorHost }: OpeningParts): Promise<FirestoreDatabase> => {
  const { openFirestore } = await import('../ports/firestore-database.ts');
  return openFirestore({ projectId: settings.googleCloudProject, database: settings.firestoreDatabase, emulatorHost, runtime, log });
};

/** @param path the file of an embedded log; null where the settings name the cloud's */
export const openCallLog = async (parts: OpeningParts, settings: Settings, path: string | null, readOnly: boolean): Promise<CallLog> => {
  if (path !== null) return sqliteCallLog({ path, runtime: parts.runtime, readOnly });
  const { firestoreCallLog } = await import('../ports/call-log.firestore.ts');
  return firestoreCallLog(await openDatabase(settings, parts), parts.runtime);
};

/** The calls of the cloud's log, for changes of its schema. */
export const openCallDocuments = async (parts: OpeningParts, settings: Settings): Promise<CallDocuments> => {
  const { firestoreCallDocuments } = await import('../ports/call-documents.firestore.ts');
  return firestoreCallDocuments(await openDatabase(settings, parts));
};
