/** Google's own emulators of Firestore and Pub/Sub: those that run already, else started from their jars for as long as they are wanted. */
import { spawn, type ChildProcess } from 'node:child_process';
import { freePort } from '../free-port.ts';
import { findEmulators, HOW_TO_GET_EMULATORS, type EmulatorName } from './find-emulators.ts';

export interface Emulators {
  /** `host:port`, as FIRESTORE_EMULATOR_HOST takes it. */
  readonly firestoreHost: string;
  /** `host:port`, as PUBSUB_EMULATOR_HOST takes it. */
  readonly pubsubHost: string;
  /** Ends those that were started here; what they held is gone. */
  close(): Promise<void>;
}

/** There is an emulator neither running nor installed; the message says how to get it. */
export class EmulatorsMissingError extends Error {
  override readonly name = 'EmulatorsMissingError';
}

/** A Java process needs seconds to start; on a busy machine many. */
const START_MAX_MS = 90_000;
const START_TRIES_COUNT = 3;
const ASK_AGAIN_MS = 100;
const END_MAX_MS = 5_000;
/** Pieces of its output kept, for the case that it does not start. */
const SAID_MAX_COUNT = 50;

const ENVIRONMENT: Readonly<Record<EmulatorName, string>> = { firestore: 'FIRESTORE_EMULATOR_HOST', pubsub: 'PUBSUB_EMULATOR_HOST' };

/**
 * @param env as `process.env`
 * @throws EmulatorsMissingError, or an Error when one does not start, three times
 */
export const startEmulators = async (env: Readonly<Record<string, string | undefined>>): Promise<Emulators> => {
  const started: Started[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map((one) => one.end()));
  };
  const hostOf = async (name: EmulatorName): Promise<string> => {
    const running = env[ENVIRONMENT[name]]?.trim() ?? '';
    if (running !== '') return running;
    const jar = findEmulators(env)[name];
    if (jar === null) throw new EmulatorsMissingError(`Google's ${name} emulator was not found. ${HOW_TO_GET_EMULATORS}`);
    const one = await startJar(name, jar);
    started.push(one);
    return one.host;
  };
  try {
    const [firestore, pubsub] = await Promise.allSettled([hostOf('firestore'), hostOf('pubsub')]);
    if (firestore.status === 'rejected') throw firestore.reason;
    if (pubsub.status === 'rejected') throw pubsub.reason;
    return { firestoreHost: firestore.value, pubsubHost: pubsub.value, close };
  } catch (error) {
    await close();
    throw error;
  }
};

interface Started {
  readonly host: string;
  end(): Promise<void>;
}

/** Firestore's jar of the Cloud SDK names no main class. */
const ARGUMENTS: Readonly<Record<EmulatorName, (jar: string, port: number) => string[]>> = {
  firestore: (jar, port) => ['-cp', jar, 'com.google.cloud.datastore.emulator.firestore.CloudFirestore', `--host=127.0.0.1`, `--port=${port}`],
  pubsub: (jar, port) => ['-jar', jar, '--host=127.0.0.1', `--port=${port}`],
};

/** Whoever else looks for a port may take the same before the emulator listens. */
const startJar = async (name: EmulatorName, jar: string): Promise<Started> => {
  for (let tried = 1; ; tried++) {
    try {
      return await startOnce(name, jar);
    } catch (error) {
      if (error instanceof EmulatorsMissingError || tried === START_TRIES_COUNT) throw error;
    }
  }
};

const startOnce = async (name: EmulatorName, jar: string): Promise<Started> => {
  const port = await freePort();
  const child = spawn('java', ['-Xmx1g', '-Duser.language=en', ...ARGUMENTS[name](jar, port)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk) > SAID_MAX_COUNT && said.shift());
  const host = `127.0.0.1:${port}`;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ENOENT' ? 'there is no `java`' : error.message));
    child.once('exit', (code, signal) => resolve(`it ended with ${code ?? signal ?? 'nothing'}`));
  });
  const problem = await Promise.race([answers(host), ended]);
  if (problem === null) return { host, end: () => end(child) };
  await end(child);
  if (problem === 'there is no `java`') throw new EmulatorsMissingError(`Google's ${name} emulator cannot run: ${problem}. ${HOW_TO_GET_EMULATORS}`);
  throw new Error(`Google's ${name} emulator did not start: ${problem}. ${Buffer.concat(said).toString().slice(-1_000)}`);
};

/** Resolves to null when it answers, to what is wrong when it does not in time. */
const answers = async (host: string): Promise<string | null> => {
  const until = performance.now() + START_MAX_MS;
  while (performance.now() < until) {
    const answered = await fetch(`http://${host}/`, { signal: AbortSignal.timeout(2_000) }).then(
      async (answer) => {
        await answer.body?.cancel();
        return true;
      },
      () => false,
    );
    if (answered) return null;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
  return `no answer within ${START_MAX_MS / 1000} s`;
};

const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      resolve();
      return;
    }
    const late = setTimeout(() => child.kill('SIGKILL'), END_MAX_MS);
    child.once('exit', () => {
      clearTimeout(late);
      resolve();
    });
    child.kill('SIGTERM');
  });
