/** The stores of one machine: SQLite files in DATA_DIR, and a local socket over which several processes hear of events. */
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { sqliteCallLog } from './call-log.sqlite.ts';
import { sqliteDirectory } from './directory.sqlite.ts';
import { memoryBus } from './event-bus.memory.ts';
import type { EventBus } from './event-bus.ts';
import { busFile, socketBroker, socketBus, type BusBroker } from './event-bus.socket.ts';
import { sqliteRawStore } from './raw-store.sqlite.ts';
import type { Runtime } from './runtime.ts';
import type { FunctionStores, Stores } from './stores.ts';

/** Names of the files in a data folder. */
const FILES = { log: 'calls.db', directory: 'directory.db', deliveries: 'deliveries.db' } as const;

/** Reads the log that another process writes. Rejects where there is none. */
export const embeddedRelayStores = (dataDir: string, runtime: Runtime): Stores => {
  const callLog = sqliteCallLog({ path: join(dataDir, FILES.log), runtime, readOnly: true });
  const directory = sqliteDirectory({ path: join(dataDir, FILES.directory), runtime });
  const bus = socketBus({ path: busFile(dataDir) }, runtime);
  return {
    callLog,
    directory,
    bus,
    close: async () => {
      await Promise.all([bus.close(), callLog.close(), directory.close()]);
    },
  };
};

/** Writes the log, and carries the bus of the folder unless another process does. */
export const embeddedFunctionStores = async (dataDir: string, runtime: Runtime): Promise<FunctionStores> => {
  // Numbers, names and words lie there: for its owner only.
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const broker = await carryBus(busFile(dataDir));
  const { close, ...stores } = storesOver(dataDir, runtime, socketBus({ path: busFile(dataDir) }, runtime));
  return {
    ...stores,
    close: async () => {
      await close();
      await broker?.close();
    },
  };
};

/** As one process has the folder to itself: nobody else hears of events. The folder has to be there. */
export const embeddedOwnStores = (dataDir: string, runtime: Runtime): FunctionStores => storesOver(dataDir, runtime, memoryBus());

const storesOver = (dataDir: string, runtime: Runtime, bus: EventBus): FunctionStores => {
  const callLog = sqliteCallLog({ path: join(dataDir, FILES.log), runtime });
  const directory = sqliteDirectory({ path: join(dataDir, FILES.directory), runtime });
  const rawStore = sqliteRawStore({ path: join(dataDir, FILES.deliveries), runtime });
  return {
    callLog,
    directory,
    rawStore,
    bus,
    close: async () => {
      await Promise.all([callLog.close(), directory.close(), rawStore.close(), bus.close()]);
    },
  };
};

/**
 * Carries the bus of this data folder, unless another process does; a socket file whose process died is removed.
 * @returns null where somebody else carries it
 */
const carryBus = async (path: string): Promise<BusBroker | null> => {
  const carry = (): Promise<BusBroker | null> => socketBroker({ path }).catch(() => null);
  const broker = await carry();
  if (broker !== null || (await answers(path))) return broker;
  await rm(path, { force: true });
  return carry();
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
