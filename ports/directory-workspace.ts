/** The directory of a deployment, whose one workspace has its secrets from the settings: they stand in Secret Manager, and in no database. */
import type { Settings } from '../core/settings.ts';
import type { Directory, Workspace } from './directory.ts';
import type { Runtime } from './runtime.ts';

/** Name of the workspace that the settings describe. */
export const OWN_WORKSPACE = 'main';

/** Tenants and what is stored of workspaces are asked for again after this long: a delivery must not read what changes once a month. */
const KEPT_MS = 10_000;

/** As many as the largest plan of the provider lets run at once. */
const CONCURRENCY_COUNT = 30;

/** What of that workspace stands in the directory before anything is put there: no secret ever does. */
export const OWN_WORKSPACE_AS_STORED: Workspace = {
  workspace: OWN_WORKSPACE,
  webhook_secrets: [],
  ingest_keys: [],
  api_key: null,
  base_url: '',
  telephony: 'twilio',
  phone_number_id: null,
  concurrency: CONCURRENCY_COUNT,
};

/**
 * The same directory with the workspace `main` as the settings have it; what of it is stored (ingest keys by their hash, concurrency)
 * stays. INGEST_KEY writes for the only tenant there is; with several, each has a key of its own.
 */
export const withOwnWorkspace = (directory: Directory, settings: Settings, runtime: Pick<Runtime, 'sha256' | 'monotonic'>): Directory => {
  const tenants = kept(runtime, () => directory.tenants());
  const workspaces = kept(runtime, () => directory.workspaces());
  const own = async (stored: Workspace | null): Promise<Workspace> => ({
    workspace: OWN_WORKSPACE,
    webhook_secrets: settings.elevenlabsWebhookSecrets,
    ingest_keys: [...(stored?.ingest_keys ?? []), ...(await keyOfOnlyTenant())],
    api_key: settings.elevenlabsApiKey,
    base_url: settings.elevenlabsBaseUrl,
    telephony: settings.elevenlabsTelephony,
    phone_number_id: settings.elevenlabsPhoneNumberId,
    concurrency: stored?.concurrency ?? CONCURRENCY_COUNT,
  });
  const keyOfOnlyTenant = async (): Promise<Workspace['ingest_keys']> => {
    const [only, another] = await tenants();
    return only === undefined || another !== undefined ? [] : settings.ingestKeys.map((key) => ({ hash: runtime.sha256(key), tenant: only.tenant }));
  };
  return {
    ...directory,
    workspace: async (name) => {
      const stored = await directory.workspace(name);
      return name === OWN_WORKSPACE ? own(stored) : stored;
    },
    workspaces: async () => {
      const stored = await workspaces();
      const others = stored.filter(({ workspace }) => workspace !== OWN_WORKSPACE);
      return [await own(stored.find(({ workspace }) => workspace === OWN_WORKSPACE) ?? null), ...others];
    },
  };
};

/** The answer of the last KEPT_MS, shared by those who ask meanwhile; a failure is asked again at once. */
const kept = <T>(runtime: Pick<Runtime, 'monotonic'>, ask: () => Promise<T>): (() => Promise<T>) => {
  let last: { readonly at: number; readonly answer: Promise<T> } | null = null;
  return () => {
    const now = runtime.monotonic();
    if (last === null || now - last.at > KEPT_MS) {
      const asked = { at: now, answer: ask() };
      last = asked;
      asked.answer.catch(() => {
        if (last === asked) last = null;
      });
    }
    return last.answer;
  };
};
