/**
 * Where Google's emulators lie on a machine: in an installed Google Cloud SDK, or in the cache of firebase-tools. Both are jars that
 * need nothing but a Java runtime.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export type EmulatorName = 'firestore' | 'pubsub';

/** The jar of each emulator; null where there is none. */
export type FoundEmulators = Readonly<Record<EmulatorName, string | null>>;

/** What a person does where one is missing. */
export const HOW_TO_GET_EMULATORS =
  'Install them with `gcloud components install cloud-firestore-emulator pubsub-emulator` (or the packages google-cloud-cli-firestore-emulator and google-cloud-cli-pubsub-emulator) and a Java runtime, or point FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST at running ones.';

/** Usual places of the SDK, beside where `gcloud` itself leads. https://cloud.google.com/sdk/docs/install */
const SDK_FOLDERS = ['/usr/lib/google-cloud-sdk', '/usr/lib64/google-cloud-sdk', '/usr/share/google-cloud-sdk', '/opt/google-cloud-sdk', '/opt/homebrew/share/google-cloud-sdk', '/usr/local/share/google-cloud-sdk', '/snap/google-cloud-sdk/current'];

/** @param env as `process.env`: PATH, HOME and CLOUDSDK_ROOT_DIR are looked at */
export const findEmulators = (env: Readonly<Record<string, string | undefined>>): FoundEmulators => {
  const home = env['HOME'] ?? env['USERPROFILE'] ?? '';
  const sdks = [env['CLOUDSDK_ROOT_DIR'], ...besideGcloud(env['PATH'] ?? ''), ...SDK_FOLDERS, join(home, 'google-cloud-sdk')].filter((folder) => folder !== undefined);
  const cache = join(home, '.cache', 'firebase', 'emulators');
  return {
    firestore: newest([...sdks.map((sdk) => join(sdk, 'platform', 'cloud-firestore-emulator')), cache], /^cloud-firestore-emulator.*\.jar$/),
    pubsub: newest([...sdks.map((sdk) => join(sdk, 'platform', 'pubsub-emulator', 'lib')), ...foldersIn(cache).map((folder) => join(cache, folder, 'pubsub-emulator', 'lib'))], /^cloud-pubsub-emulator.*\.jar$/),
  };
};

const besideGcloud = (path: string): string[] =>
  path
    .split(delimiter)
    .map((folder) => join(folder, 'gcloud'))
    .filter((command) => existsSync(command))
    .map((command) => dirname(dirname(realpathSync(command))));

/** The first folder that has one; of several in it the last by name, since a later version stands behind. */
const newest = (folders: readonly string[], name: RegExp): string | null => {
  for (const folder of folders) {
    const found = foldersIn(folder).filter((file) => name.test(file)).sort().at(-1);
    if (found !== undefined) return join(folder, found);
  }
  return null;
};

const foldersIn = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
