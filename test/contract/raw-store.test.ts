import { sqliteRawStore } from '../../ports/raw-store.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { rawStoreContract } from './raw-store.ts';

rawStoreContract('SQLite', async () => sqliteRawStore({ path: ':memory:', runtime: systemRuntime() }));
