import { describe, expect, it } from 'vitest';
import { readSettings } from '../../core/settings.ts';
import { OWN_WORKSPACE, withOwnWorkspace } from '../../ports/directory-workspace.ts';
import { sqliteDirectory } from '../../ports/directory.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';

const runtime = systemRuntime();

describe('the workspace that the settings describe', () => {
  it('takes every ingest key that the settings list, so that one can be changed without refusing a turn', async () => {
    const directory = sqliteDirectory({ path: ':memory:', runtime });
    await directory.putTenant({ tenant: 't1', name: 'One', calling_hours: null, default_agent_id: null });
    const own = withOwnWorkspace(directory, readSettings({ INGEST_KEY: 'ingest_new1,ingest_old1' }, 'local'), runtime);
    expect((await own.workspace(OWN_WORKSPACE))?.ingest_keys).toEqual(['ingest_new1', 'ingest_old1'].map((key) => ({ hash: runtime.sha256(key), tenant: 't1' })));
    await directory.close();
  });

  it('gives those keys to nobody where there are several tenants', async () => {
    const directory = sqliteDirectory({ path: ':memory:', runtime });
    for (const tenant of ['t1', 't2']) await directory.putTenant({ tenant, name: tenant, calling_hours: null, default_agent_id: null });
    const own = withOwnWorkspace(directory, readSettings({ INGEST_KEY: 'ingest_new1' }, 'local'), runtime);
    expect((await own.workspace(OWN_WORKSPACE))?.ingest_keys).toEqual([]);
    await directory.close();
  });
});
