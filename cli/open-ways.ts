/** Opens the log and the directory that the settings name. Google's clients are loaded only where they name the cloud: the other verbs start without them. */
import { SettingsError, type Settings } from '../core/settings.ts';
import type { CallDocuments } from '../ports/call-documents.ts';
import type { CallLog } from '../ports/call-log.ts';
import { sqliteCallLog } from '../ports/call-log.sqlite.ts';
import { sqliteDirectory } from '../ports/directory.sqlite.ts';
import type { Directory } from '../ports/directory.ts';
import type { FirestoreDatabase } from '../ports/firestore-database.ts';
import type { Log } from '../ports/log.ts';
import type { Reach } from '../ports/reach.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { GoogleParts } from '../ports/stores.google.ts';
import { CliError } from './exit-codes.ts';

export interface OpeningParts {
  readonly runtime: Runtime;
  readonly log: Log;
  /** Where emulators may be named. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

type Google = typeof import('../ports/stores.google.ts');

/** Throws CliError `settings_invalid`. */
const ofGoogle = async <T>({ runtime, log, env }: OpeningParts, open: (google: Google, parts: GoogleParts) => T): Promise<T> => {
  const google = await import('../ports/stores.google.ts');
  try {
    return open(google, { runtime, log, hosts: google.googleHosts(env) });
  } catch (error) {
    if (error instanceof SettingsError) throw new CliError('settings_invalid', 'The settings are not usable.', 'usage', error.problems);
    throw error;
  }
};

const openDatabase = (settings: Settings, parts: OpeningParts): Promise<FirestoreDatabase> =>
  ofGoogle(parts, (google, opening) => google.openDatabase(settings, settings.firestoreDatabase, opening));

/** @param path the file of an embedded directory; null where the settings name the cloud's. Throws CliError `settings_invalid`. */
export const openDirectory = async (parts: OpeningParts, settings: Settings, path: string | null): Promise<Directory> =>
  path === null ? ofGoogle(parts, (google, opening) => google.googleDirectory(settings, opening)) : sqliteDirectory({ path, runtime: parts.runtime });

/** @param path the file of an embedded log; null where the settings name the cloud's. Throws CliError `settings_invalid`. */
export const openCallLog = async (parts: OpeningParts, settings: Settings, path: string | null, readOnly: boolean): Promise<CallLog> => {
  if (path !== null) return sqliteCallLog({ path, runtime: parts.runtime, readOnly });
  const { firestoreCallLog } = await import('../ports/call-log.firestore.ts');
  return firestoreCallLog(await openDatabase(settings, parts), parts.runtime);
};

/** The calls of the cloud's log, for changes of its schema. Throws CliError `settings_invalid`. */
export const openCallDocuments = async (parts: OpeningParts, settings: Settings): Promise<CallDocuments> => {
  const { firestoreCallDocuments } = await import('../ports/call-documents.firestore.ts');
  return firestoreCallDocuments(await openDatabase(settings, parts));
};

/** Whether the cloud's stores can be used from here. Throws CliError `settings_invalid`. */
export const openReach = async (parts: OpeningParts, settings: Settings): Promise<Reach> => {
  const { googleReach } = await import('../ports/reach.google.ts');
  return ofGoogle(parts, (_google, { runtime, hosts }) => googleReach(settings, { runtime, hosts }));
};
