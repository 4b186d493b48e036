/** The stores of the cloud: Firestore for log and directory, Pub/Sub for the bus, Cloud Storage for raw deliveries - or Google's emulators of them. */
import { ORPHAN_SUBSCRIPTION_MS } from '../core/protocol/limits.ts';
import { SettingsError, type Settings } from '../core/settings.ts';
import { firestoreCallLog } from './call-log.firestore.ts';
import { firestoreDirectory } from './directory.firestore.ts';
import type { Directory } from './directory.ts';
import { pubsubBus, type BusLife } from './event-bus.pubsub.ts';
import { openFirestore, type FirestoreDatabase } from './firestore-database.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';
import type { FunctionStores, Stores } from './stores.ts';

/** Where emulators listen instead of the cloud, `host:port`; null: the cloud. */
export interface GoogleHosts {
  readonly firestore: string | null;
  readonly pubsub: string | null;
  /** A URL, as STORAGE_EMULATOR_HOST holds one. */
  readonly storage: string | null;
}

export interface GoogleParts {
  readonly runtime: Runtime;
  readonly log: Log;
  readonly hosts: GoogleHosts;
}

/** The names that Google's own tools give them. @param env as `process.env` */
export const googleHosts = (env: Readonly<Record<string, string | undefined>>): GoogleHosts => {
  const host = (name: string): string | null => {
    const value = env[name]?.trim() ?? '';
    return value === '' ? null : value;
  };
  return { firestore: host('FIRESTORE_EMULATOR_HOST'), pubsub: host('PUBSUB_EMULATOR_HOST'), storage: host('STORAGE_EMULATOR_HOST') };
};

/** The project that the settings name. @throws SettingsError where they name none */
export const projectOf = (settings: Settings): string => {
  if (settings.googleCloudProject === null) throw new SettingsError(['GOOGLE_CLOUD_PROJECT is missing: the project of Firestore, Pub/Sub and the raw bucket.']);
  return settings.googleCloudProject;
};

/** One of the two databases, to be closed by whoever opened it. */
export const openDatabase = (settings: Settings, database: string, { runtime, log, hosts }: GoogleParts): FirestoreDatabase =>
  openFirestore({ projectId: projectOf(settings), database, emulatorHost: hosts.firestore, runtime, log });

/** The directory alone, as it is stored. */
export const googleDirectory = (settings: Settings, parts: GoogleParts): Directory =>
  firestoreDirectory({
    entries: openDatabase(settings, settings.firestoreDatabase, parts),
    sessions: openDatabase(settings, settings.firestoreSessionsDatabase, parts),
    runtime: parts.runtime,
  });

/** What a relay needs. Connects at the first question. */
export const googleStores = (settings: Settings, parts: GoogleParts): Stores => {
  const { runtime, log, hosts } = parts;
  const callLog = firestoreCallLog(openDatabase(settings, settings.firestoreDatabase, parts), runtime, { onCommit: (way) => log.debug('an append was committed', { way }) });
  const directory = googleDirectory(settings, parts);
  const bus = pubsubBus({
    projectId: projectOf(settings),
    topic: settings.eventsTopic,
    ...(hosts.pubsub === null ? {} : { apiEndpoint: hosts.pubsub }),
    runtime,
    log,
    life: lifeByLeases(directory, runtime),
  });
  return {
    callLog,
    directory,
    bus,
    close: async () => {
      // The bus says goodbye in the directory.
      await bus.close();
      await Promise.all([callLog.close(), directory.close()]);
    },
  };
};

/** What a function needs: the raw deliveries as well. @throws SettingsError without RAW_BUCKET */
export const googleFunctionStores = async (settings: Settings, parts: GoogleParts): Promise<FunctionStores> => {
  if (settings.rawBucket === null) throw new SettingsError(['RAW_BUCKET is missing: the bucket of the raw deliveries.']);
  const { runtime, log, hosts } = parts;
  const stores = googleStores(settings, parts);
  // A relay shares this file and has no use for the library.
  const { gcsRawStore } = await import('./raw-store.gcs.ts');
  const rawStore = gcsRawStore({ bucket: settings.rawBucket, projectId: projectOf(settings), ...(hosts.storage === null ? {} : { apiEndpoint: hosts.storage }), runtime, log });
  return {
    ...stores,
    rawStore,
    close: async () => {
      await Promise.all([stores.close(), rawStore.close()]);
    },
  };
};

/** A relay shows that it lives by a lease in its subscription's name; a janitor that gets the lease knows that it does not. */
const lifeByLeases = (directory: Pick<Directory, 'takeLease' | 'releaseLease'>, runtime: Runtime): BusLife => {
  const lease = (subscription: string): string => `subscription/${subscription}`;
  const take = (subscription: string, holder: string): Promise<boolean> => {
    const now = runtime.now();
    return directory.takeLease(lease(subscription), holder, now, now + ORPHAN_SUBSCRIPTION_MS);
  };
  return {
    renew: (subscription) => take(subscription, 'relay'),
    takeOver: (subscription) => take(subscription, 'janitor'),
    gone: async (subscription) => {
      for (const holder of ['relay', 'janitor']) await directory.releaseLease(lease(subscription), holder);
    },
  };
};
