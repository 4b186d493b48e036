import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { callLogContract } from './call-log.ts';

callLogContract('SQLite', async () => sqliteCallLog({ path: ':memory:', runtime: systemRuntime() }));
