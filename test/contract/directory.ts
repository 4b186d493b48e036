/** What every way to keep the directory promises. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Agent, Directory, Driver, Tenant, User, Workspace } from '../../ports/directory.ts';

/** One store, empty, and a way to open it as another process would. */
export interface DirectoryUnderTest {
  readonly directory: Directory;
  again(): Promise<Directory>;
  remove(): Promise<void>;
}

const workspace: Workspace = {
  workspace: 'w1',
  webhook_secrets: ['wsec_new', 'wsec_old'],
  ingest_keys: [{ hash: 'ab'.repeat(32), tenant: 't1' }],
  api_key: null,
  base_url: 'https://api.elevenlabs.io/v1',
  telephony: 'twilio',
  phone_number_id: null,
  concurrency: 4,
};
const tenant: Tenant = { tenant: 't1', name: 'First', calling_hours: { start: '08:00', end: '20:00' }, default_agent_id: null };
const agent: Agent = { agent_id: 'a1', workspace: 'w1', tenant: 't1', name: 'Dispatch' };
const user: User = {
  user: 'u1',
  tenant: 't1',
  username: 'anna',
  password: null,
  roles: ['dispatcher'],
  disabled: false,
  tokens_valid_from: 0,
  failed_sign_ins: 0,
  sign_in_blocked_until: 0,
};
const driver: Driver = { tenant: 't1', driverId: 'd1', driverName: 'John', phoneNumber: '+15550100', triggers: [{ type: 'speeding', detail: '84 in 65' }], do_not_call: false, time_zone: null };

export const directoryContract = (way: string, open: () => Promise<DirectoryUnderTest>): void => {
  describe(`directory on ${way}`, () => {
    let under: DirectoryUnderTest;
    let directory: Directory;
    beforeEach(async () => {
      under = await open();
      directory = under.directory;
    });
    afterEach(() => under.remove());

    it('answers null and nothing for what was never put', async () => {
      expect(await directory.workspace('w1')).toBeNull();
      expect(await directory.agent('a1')).toBeNull();
      expect(await directory.tenant('t1')).toBeNull();
      expect(await directory.user('u1')).toBeNull();
      expect(await directory.userByName('anna')).toBeNull();
      expect(await directory.driver('t1', 'd1')).toBeNull();
      expect(await directory.changeUser('u1', (found) => found)).toBeNull();
      expect(await directory.removeAgent('a1')).toBe(false);
      expect(await directory.signInEnded('s1')).toBe(false);
      expect([await directory.workspaces(), await directory.agents(null), await directory.tenants(), await directory.users(null), await directory.drivers('t1', null, 10)]).toEqual([[], [], [], [], []]);
      await directory.check();
    });

    it('gives back what was put, to another process too, and keeps the last of two', async () => {
      await directory.putWorkspace(workspace);
      await directory.putTenant({ ...tenant, name: 'Before' });
      await directory.putTenant(tenant);
      await directory.putAgent(agent);
      await directory.putUser(user);
      await directory.putDriver(driver);
      const other = await under.again();
      expect(await other.workspace('w1')).toEqual(workspace);
      expect(await other.workspaces()).toEqual([workspace]);
      expect(await other.tenant('t1')).toEqual(tenant);
      expect(await other.tenants()).toEqual([tenant]);
      expect(await other.agent('a1')).toEqual(agent);
      expect(await other.user('u1')).toEqual(user);
      expect(await other.userByName('anna')).toEqual(user);
      expect(await other.driver('t1', 'd1')).toEqual(driver);
      await other.close();
    });

    it('changes a workspace, or makes it, without losing what another process changes at once', async () => {
      const other = await under.again();
      const add = (by: Directory, n: number): Promise<Workspace> =>
        by.changeWorkspace('w1', (found) => ({ ...(found ?? { ...workspace, ingest_keys: [] }), ingest_keys: [...(found?.ingest_keys ?? []), { hash: String(n), tenant: 't1', added_at: n }] }));
      expect(await add(directory, 0)).toEqual({ ...workspace, ingest_keys: [{ hash: '0', tenant: 't1', added_at: 0 }] });
      await Promise.all([1, 2, 3, 4, 5, 6].map((n) => add(n % 2 === 0 ? directory : other, n)));
      const after = await other.workspace('w1');
      expect(after?.ingest_keys.map(({ hash }) => hash).sort()).toEqual(['0', '1', '2', '3', '4', '5', '6']);
      expect({ ...after, ingest_keys: [] }).toEqual({ ...workspace, ingest_keys: [] });
      await other.close();
    });

    it('lists agents and users of one tenant or of all', async () => {
      await directory.putAgent(agent);
      await directory.putAgent({ ...agent, agent_id: 'a2', tenant: 't2' });
      await directory.putUser(user);
      await directory.putUser({ ...user, user: 'u2', username: 'ben', tenant: null, roles: ['operator'] });
      expect((await directory.agents('t1')).map((each) => each.agent_id)).toEqual(['a1']);
      expect((await directory.agents(null)).map((each) => each.agent_id)).toEqual(['a1', 'a2']);
      expect((await directory.users('t1')).map((each) => each.user)).toEqual(['u1']);
      expect((await directory.users(null)).map((each) => each.user)).toEqual(['u1', 'u2']);
      expect(await directory.removeAgent('a1')).toBe(true);
      expect(await directory.agent('a1')).toBeNull();
    });

    it('pages the drivers of one tenant in order', async () => {
      for (const id of ['d3', 'd1', 'd2']) await directory.putDriver({ ...driver, driverId: id });
      await directory.putDriver({ ...driver, tenant: 't2', driverId: 'd0' });
      expect((await directory.drivers('t1', null, 2)).map((each) => each.driverId)).toEqual(['d1', 'd2']);
      expect((await directory.drivers('t1', 'd2', 2)).map((each) => each.driverId)).toEqual(['d3']);
      expect(await directory.driver('t2', 'd1')).toBeNull();
    });

    it('gives a user name to one user only', async () => {
      await directory.putUser(user);
      await expect(directory.putUser({ ...user, user: 'u2' })).rejects.toMatchObject({ code: 'invalid_request' });
      expect(await directory.user('u2')).toBeNull();
      await directory.putUser({ ...user, username: 'anne' });
      expect(await directory.userByName('anna')).toBeNull();
      await directory.putUser({ ...user, user: 'u2' });
      expect((await directory.userByName('anna'))?.user).toBe('u2');
    });

    it('changes a user atomically, whoever changes it at the same time', async () => {
      await directory.putUser(user);
      const other = await under.again();
      await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? directory : other).changeUser('u1', (found) => ({ ...found, failed_sign_ins: found.failed_sign_ins + 1 }))));
      expect((await directory.user('u1'))?.failed_sign_ins).toBe(20);
      await other.close();
    });

    it('gives a ticket to the first of many who take it', async () => {
      await directory.putTicket({ hash: 'h1', principal: '{"user":"u1"}', expires_at: 1000 });
      const other = await under.again();
      const taken = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? directory : other).takeTicket('h1', 999)));
      expect(taken.filter((ticket) => ticket !== null)).toEqual([{ hash: 'h1', principal: '{"user":"u1"}', expires_at: 1000 }]);
      await other.close();
    });

    it('gives out no ticket past its end, nor twice under one hash', async () => {
      await directory.putTicket({ hash: 'h1', principal: '{}', expires_at: 1000 });
      expect(await directory.takeTicket('h1', 1000)).toBeNull();
      expect(await directory.takeTicket('h1', 0)).toBeNull();
      expect(await directory.takeTicket('h2', 0)).toBeNull();
    });

    it('remembers ended sign-ins until it is swept past their time', async () => {
      await directory.endSignIn('s1', 2000);
      await directory.endSignIn('s1', 1000);
      expect(await directory.signInEnded('s1')).toBe(true);
      expect(await directory.signInEnded('s2')).toBe(false);
      await directory.sweep(1999);
      expect(await directory.signInEnded('s1')).toBe(true);
      expect(await directory.sweep(2000)).toBe(1);
      expect(await directory.signInEnded('s1')).toBe(false);
    });

    it('keeps how far something has got, and never takes it back', async () => {
      expect(await directory.watermark('listed:w1')).toBeNull();
      await directory.raiseWatermark('listed:w1', 200);
      await directory.raiseWatermark('listed:w1', 100);
      await directory.raiseWatermark('listed:w2', 50);
      expect([await directory.watermark('listed:w1'), await directory.watermark('listed:w2')]).toEqual([200, 50]);
      const other = await under.again();
      await Promise.all([300, 700, 500, 400, 600].map((to, index) => (index % 2 === 0 ? directory : other).raiseWatermark('listed:w1', to)));
      expect([await directory.watermark('listed:w1'), await other.watermark('listed:w1')]).toEqual([700, 700]);
      await other.close();
      await directory.sweep(Number.MAX_SAFE_INTEGER);
      expect(await directory.watermark('listed:w1')).toBe(700);
    });

    it('lets one holder have a lease, renew it, release it, and lose it when it ends', async () => {
      expect(await directory.takeLease('bridge', 'one', 0, 100)).toBe(true);
      expect(await directory.takeLease('bridge', 'two', 50, 150)).toBe(false);
      expect(await directory.takeLease('other', 'two', 50, 150)).toBe(true);
      expect(await directory.takeLease('bridge', 'one', 90, 190)).toBe(true);
      expect(await directory.takeLease('bridge', 'two', 189, 300)).toBe(false);
      expect(await directory.takeLease('bridge', 'two', 190, 300)).toBe(true);
      await directory.releaseLease('bridge', 'one');
      expect(await directory.takeLease('bridge', 'one', 200, 400)).toBe(false);
      await directory.releaseLease('bridge', 'two');
      expect(await directory.takeLease('bridge', 'one', 200, 400)).toBe(true);
    });

    it('gives a free lease to one of many who ask at once', async () => {
      const other = await under.again();
      const took = await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? directory : other).takeLease('bridge', `holder ${index}`, 0, 100)));
      expect(took.filter(Boolean)).toHaveLength(1);
      await other.close();
    });

    it('names one serving revision for every process, another in its place, and takes it back', async () => {
      const other = await under.again();
      expect(await directory.servingRevision()).toBeNull();
      await directory.nameServingRevision(null);
      expect(await directory.servingRevision()).toBeNull();
      await directory.nameServingRevision('earshot-relay-00012-abc');
      expect(await other.servingRevision()).toBe('earshot-relay-00012-abc');
      await other.nameServingRevision('earshot-relay-00011-xyz');
      expect([await directory.servingRevision(), await other.servingRevision()]).toEqual(['earshot-relay-00011-xyz', 'earshot-relay-00011-xyz']);
      await directory.sweep(Number.MAX_SAFE_INTEGER);
      expect(await other.servingRevision()).toBe('earshot-relay-00011-xyz');
      await directory.nameServingRevision(null);
      expect(await other.servingRevision()).toBeNull();
      await other.close();
    });

    it('sweeps what is past its time, and nothing else', async () => {
      await directory.putTicket({ hash: 'old', principal: '{}', expires_at: 100 });
      await directory.putTicket({ hash: 'new', principal: '{}', expires_at: 101 });
      await directory.takeLease('old', 'one', 0, 100);
      await directory.takeLease('new', 'one', 0, 101);
      expect(await directory.sweep(100)).toBe(2);
      expect(await directory.takeTicket('new', 100)).not.toBeNull();
      expect(await directory.takeLease('new', 'two', 100, 200)).toBe(false);
    });

    it('says store_unavailable once it is closed', async () => {
      await directory.close();
      await expect(directory.user('u1')).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(directory.check()).rejects.toMatchObject({ code: 'store_unavailable' });
    });
  });
};
