/** What one machine has at its first start, and what the settings say at every start. */
import { FIRST_DRIVER, FIRST_LOGIN } from '../client/first-call.ts';
import type { Parts } from '../functions/parts.ts';
import type { Driver } from '../ports/directory.ts';
import type { Passwords } from '../ports/password.ts';

export const LOCAL_TENANT = 'local';
export const LOCAL_WORKSPACE = 'local';
/** The login that is printed: it opens this machine only, which listens on 127.0.0.1. */
export const LOCAL_LOGIN = FIRST_LOGIN;

/** As many as the largest plan of the provider lets run at once. */
const CONCURRENCY_COUNT = 30;

/**
 * Puts the workspace as the settings describe it, and at the first start tenant, login, agent and a few drivers. Later changes to
 * these are kept.
 */
export const firstStart = async (parts: Parts, passwords: Passwords, provider: { readonly apiKey: string; readonly baseUrl: string }): Promise<void> => {
  const { directory, runtime, settings } = parts;
  const known = await directory.workspace(LOCAL_WORKSPACE);
  await directory.putWorkspace({
    workspace: LOCAL_WORKSPACE,
    webhook_secrets: settings.elevenlabsWebhookSecrets,
    // Those that an operator added stay; those of a setting go with it.
    ingest_keys: [...(known?.ingest_keys ?? []).filter(({ added_at }) => added_at !== undefined), ...settings.ingestKeys.map((key) => ({ hash: runtime.sha256(key), tenant: LOCAL_TENANT }))],
    api_key: provider.apiKey,
    base_url: provider.baseUrl,
    telephony: settings.elevenlabsTelephony,
    phone_number_id: settings.elevenlabsPhoneNumberId,
    concurrency: known?.concurrency ?? CONCURRENCY_COUNT,
  });
  const agent = settings.elevenlabsAgentId;
  if ((await directory.agent(agent)) === null) await directory.putAgent({ agent_id: agent, workspace: LOCAL_WORKSPACE, tenant: LOCAL_TENANT, name: 'Dispatch agent' });
  const tenant = await directory.tenant(LOCAL_TENANT);
  if (tenant !== null) {
    if (tenant.default_agent_id !== agent) await directory.putTenant({ ...tenant, default_agent_id: agent });
    return;
  }
  for (const driver of DRIVERS) await directory.putDriver(driver);
  await directory.putUser({
    user: 'user_local',
    tenant: LOCAL_TENANT,
    username: LOCAL_LOGIN.username,
    password: await passwords.hash(LOCAL_LOGIN.password),
    roles: ['admin'],
    disabled: false,
    tokens_valid_from: 0,
    failed_sign_ins: 0,
    sign_in_blocked_until: 0,
  });
  // Last: its presence says that the others are there.
  await directory.putTenant({ tenant: LOCAL_TENANT, name: 'Local dispatch', calling_hours: null, default_agent_id: agent });
};

const driver = (driverId: string, driverName: string, phoneNumber: string, triggers: Driver['triggers'], more: Partial<Driver> = {}): Driver => ({
  tenant: LOCAL_TENANT,
  driverId,
  driverName,
  phoneNumber,
  triggers,
  do_not_call: false,
  time_zone: 'America/Chicago',
  ...more,
});

/** Numbers of the range that North America keeps for fiction. */
const DRIVERS: readonly Driver[] = [
  driver(FIRST_DRIVER, 'Test Driver', '+15550100123', [{ type: 'speeding', detail: '78 in a 65 zone' }]),
  driver('test_driver_124', 'Test Driver Two', '+15550100124', [{ type: 'hours_of_service', detail: '11-hour limit passed by 25 minutes' }]),
  driver('test_driver_125', 'Test Driver Three', '+15550100125', [{ type: 'missed_inspection' }, { type: 'speeding', detail: '71 in a 55 zone' }]),
  driver('test_driver_126', 'Test Driver Four', '+15550100126', []),
  driver('test_driver_127', 'Test Driver Five', '+15550100127', [{ type: 'speeding' }], { do_not_call: true }),
];
