import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { generationContract } from './call-log-generation.ts';

generationContract('SQLite', async () => sqliteCallLog({ path: ':memory:', runtime: systemRuntime() }));
