/** Whether Firestore, Pub/Sub and Cloud Storage can be used from here. The stores say in their lines why they were refused, and those are read. */
import type { Settings } from '../core/settings.ts';
import { statusOf } from './event-bus.pubsub-channel.ts';
import { callOptions, clientOf, closeClient } from './event-bus.pubsub-client.ts';
import type { Log, LogFields } from './log.ts';
import { gcsRawStore } from './raw-store.gcs.ts';
import type { Obstacle, Reach } from './reach.ts';
import type { Runtime } from './runtime.ts';
import { openDatabase, projectOf, type GoogleHosts } from './stores.google.ts';

/** An answer that takes longer is none. */
const ANSWER_MAX_MS = 10_000;

/** gRPC status codes, https://grpc.github.io/grpc/core/md_doc_statuscodes.html, and those of HTTP. */
const OBSTACLES: Readonly<Record<number, Obstacle>> = { 5: 'absent', 7: 'forbidden', 16: 'no_credentials', 404: 'absent', 403: 'forbidden', 401: 'no_credentials' };

/** What Google's libraries say where they find none. */
const NO_CREDENTIALS = /default credentials|invalid_grant|reauth/i;

export interface GoogleReachParts {
  readonly runtime: Runtime;
  readonly hosts: GoogleHosts;
}

/** @throws SettingsError where the settings name no project */
export const googleReach = (settings: Settings, { runtime, hosts }: GoogleReachParts): Reach => {
  const projectId = projectOf(settings);

  /** Runs a question with a log of its own, whose last line that names a status says what the refusal was. */
  const asked = async (question: (log: Log) => Promise<unknown>): Promise<Obstacle | null> => {
    const last: { status: number | null } = { status: null };
    const note = (_message: string, fields: LogFields = {}): void => {
      const told = fields['grpc_code'] ?? fields['status'];
      if (typeof told === 'number') last.status = told;
    };
    const log: Log = { debug: note, info: note, warn: note, error: note, with: () => log };
    try {
      await question(log);
      return null;
    } catch (error) {
      if (error instanceof Error && NO_CREDENTIALS.test(error.message)) return 'no_credentials';
      const code = last.status ?? statusOf(error);
      return (typeof code === 'number' ? OBSTACLES[code] : undefined) ?? 'silent';
    }
  };

  /** Reads a document and removes one that is not there: as much as reading and writing takes. */
  const database = (name: string): Promise<Obstacle | null> =>
    asked(async (log) => {
      const store = openDatabase(settings, name, { runtime, log, hosts });
      try {
        const nobody = store.db.doc('control/doctor');
        await store.read(() => nobody.get());
        await store.read(() => nobody.delete());
      } finally {
        await store.close();
      }
    });

  return {
    log: () => database(settings.firestoreDatabase),
    sessions: () => database(settings.firestoreSessionsDatabase),
    topic: () =>
      asked(async () => {
        const pubsub = clientOf({ projectId, apiEndpoint: hosts.pubsub ?? undefined });
        try {
          await pubsub.topic(settings.eventsTopic).getMetadata(callOptions(ANSWER_MAX_MS));
        } finally {
          await closeClient(pubsub);
        }
      }),
    bucket: (name) =>
      asked(async (log) => {
        const store = gcsRawStore({ bucket: name, projectId, ...(hosts.storage === null ? {} : { apiEndpoint: hosts.storage }), runtime, log });
        try {
          await store.check();
        } finally {
          await store.close();
        }
      }),
  };
};
