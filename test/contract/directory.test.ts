import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteDirectory } from '../../ports/directory.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { directoryContract } from './directory.ts';

directoryContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-directory-'));
  const open = () => sqliteDirectory({ path: join(folder, 'directory.db'), runtime: systemRuntime() });
  const directory = open();
  return {
    directory,
    again: async () => open(),
    remove: async () => {
      await directory.close();
      rmSync(folder, { recursive: true });
    },
  };
});
