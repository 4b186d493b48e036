/** Where the product runs with `--google`: in a project of the cloud, or on Google's emulators, which are started when none run. */
import { PubSub } from '@google-cloud/pubsub';
import type { GoogleHosts } from '../../ports/stores.google.ts';
import { startEmulators } from './emulators.ts';
import { storageServer } from './storage-server.ts';

/** Project of the emulators: they take any. */
export const EMULATED_PROJECT = 'earshot-local';
const EMULATED_BUCKET = 'earshot-raw';

export interface GooglePlaces {
  /** The settings that these places ask for, to stand in the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly hosts: GoogleHosts;
  /** Whether all of it is emulated, so that nothing of it is anybody else's. */
  readonly emulated: boolean;
  /** Ends what was started here. */
  close(): Promise<void>;
}

/** As Google's clients read them: they would call the cloud where one is set and the other is not. */
const HOST_NAMES = ['FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST', 'STORAGE_EMULATOR_HOST'] as const;

/**
 * The cloud where GOOGLE_CLOUD_PROJECT is set and no emulator; else emulators, those that run or are installed, with topic and bucket made.
 * @param env as `process.env`
 * @throws EmulatorsMissingError
 */
export const googlePlaces = async (env: Readonly<Record<string, string | undefined>>, topic: string): Promise<GooglePlaces> => {
  const named = HOST_NAMES.some((name) => (env[name]?.trim() ?? '') !== '');
  if (!named && (env['GOOGLE_CLOUD_PROJECT']?.trim() ?? '') !== '') {
    return { environment: { STORE: 'google', HOST: env['HOST'] ?? '127.0.0.1' }, hosts: { firestore: null, pubsub: null, storage: null }, emulated: false, close: async () => undefined };
  }
  const project = env['GOOGLE_CLOUD_PROJECT']?.trim() ?? EMULATED_PROJECT;
  const bucket = env['RAW_BUCKET']?.trim() ?? EMULATED_BUCKET;
  const emulators = await startEmulators(env);
  const given = env['STORAGE_EMULATOR_HOST']?.trim() ?? '';
  const storage = given === '' ? await storageServer({ buckets: [bucket] }) : null;
  const close = async (): Promise<void> => {
    await Promise.all([emulators.close(), storage?.close()]);
  };
  try {
    await makeTopic(project, emulators.pubsubHost, topic);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    environment: { STORE: 'google', GOOGLE_CLOUD_PROJECT: project, RAW_BUCKET: bucket, METADATA_SERVER_DETECTION: 'none' },
    hosts: { firestore: emulators.firestoreHost, pubsub: emulators.pubsubHost, storage: storage?.url ?? given },
    emulated: true,
    close,
  };
};

/** gRPC status ALREADY_EXISTS. */
const ALREADY_EXISTS = 6;

/** The topic is there afterwards, whoever made it. */
export const makeTopic = async (project: string, host: string, topic: string): Promise<void> => {
  const pubsub = new PubSub({ projectId: project, apiEndpoint: host, emulatorMode: true });
  try {
    await pubsub.createTopic(topic).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== ALREADY_EXISTS) throw error;
    });
  } finally {
    await pubsub.close();
  }
};
