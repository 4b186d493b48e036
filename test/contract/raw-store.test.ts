import { storageServer } from '../../local/google/storage-server.ts';
import { gcsRawStore } from '../../ports/raw-store.gcs.ts';
import { sqliteRawStore } from '../../ports/raw-store.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { rawStoreContract } from './raw-store.ts';

rawStoreContract('SQLite', async () => sqliteRawStore({ path: ':memory:', runtime: systemRuntime() }));

rawStoreContract('Cloud Storage', async () => {
  const server = await storageServer({ buckets: ['raw'] });
  const store = gcsRawStore({ bucket: 'raw', projectId: 'p', apiEndpoint: server.url, runtime: systemRuntime() });
  return {
    ...store,
    close: async () => {
      await store.close();
      await server.close();
    },
  };
});
