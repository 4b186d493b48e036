/** A token that was verified before is not read again; what it is worth is asked of the directory each time all the same. */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIGN_IN_LIFE_SECONDS } from '../../core/protocol/limits.ts';
import type { TokenIssuer } from '../../ports/identity.ts';
import { joseIdentity, joseIssuer } from '../../ports/identity.jose.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { startRelay, userOf, type RelayRig, type TestClient } from '../fixtures/relay.ts';

const signingKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

describe('a token that was verified before', () => {
  let runtime: SeededRuntime;
  let issuer: TokenIssuer;
  let rig: RelayRig;
  let token: string;
  beforeEach(async () => {
    runtime = seededRuntime(3);
    issuer = joseIssuer({ signingKey, publicKeys: null, runtime });
    const identity = joseIdentity({ publicKeys: () => issuer.publicKeys(), issuers: [], runtime, fetch: () => Promise.reject(new Error('nothing to fetch')) });
    rig = await startRelay({ runtime, identity });
    token = await issue();
    rig.callLog.add('EL_1');
  });
  afterEach(() => rig.close());

  const issue = async (user = 'ann', signedInAt = runtime.now() / 1000): Promise<string> =>
    (await issuer.issue({ user, username: user, tenant: 't1', roles: ['dispatcher'], sid: `sid-${user}`, signed_in_at: signedInAt })).token;
  const come = (offered = token): Promise<TestClient> => rig.client({ protocols: ['earshot.v1', `bearer.${offered}`] });
  /** A connection that is let in and watches. */
  const watching = async (): Promise<TestClient> => {
    const client = await come();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    return client;
  };
  const poll = async (): Promise<readonly [number, unknown]> => {
    const answer = await fetch(`${rig.httpUrl}/poll`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify({ calls: [], wait: 0 }) });
    return [answer.status, ((await answer.json()) as { code?: unknown }).code];
  };
  const isTold = (event: string) => (frame: Record<string, unknown>): boolean => (frame['data'] as { event?: string } | undefined)?.event === event;

  const takings: [string, () => void][] = [
    ['has new tokens only', () => rig.users.set('ann', userOf('ann', { tokens_valid_from: runtime.now() + 1 }))],
    ['signed out', () => rig.endedSignIns.add('sid-ann')],
    ['is disabled', () => rig.users.set('ann', userOf('ann', { disabled: true }))],
    ['may not watch any more', () => rig.users.set('ann', userOf('ann', { roles: [] }))],
    ['belongs to another tenant now', () => rig.users.set('ann', userOf('ann', { tenant: 't2' }))],
    ['is gone', () => rig.users.delete('ann')],
  ];
  const giveBack = (): void => {
    rig.users.set('ann', userOf('ann'));
    rig.endedSignIns.clear();
  };

  it.each(takings)('lets nobody in whose user %s, and in again when that is taken back', async (_what, take) => {
    for (let times = 0; times < 2; times++) (await watching()).close();
    take();
    for (let times = 0; times < 2; times++) {
      const client = await come();
      expect((await client.closed).code).toBe(4504);
      expect(client.frames).toMatchObject([{ type: 'error', code: 'access_revoked' }]);
      expect(await poll()).toEqual([403, 'access_revoked']);
    }
    giveBack();
    await watching();
  });

  it.each(takings)('keeps nobody in whose user %s: a message that says so, or the token offered again, closes the connection', async (_what, take) => {
    const [told, asking] = [await watching(), await watching()];
    take();
    asking.send({ auth: token });
    expect((await asking.closed).code).toBe(4504);
    await rig.bus.publish({ kind: 'rights', tenant: 't1', user: 'ann' });
    expect((await told.closed).code).toBe(4504);
    await rig.say('EL_1', 'secret');
    for (const client of [told, asking]) {
      expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'access_revoked' });
      expect(client.texts.join('')).not.toContain('secret');
    }
  });

  it('lets nobody in after its end, and ends who came in with it', async () => {
    token = await issue('ann', runtime.now() / 1000 - SIGN_IN_LIFE_SECONDS + 20);
    (await watching()).close();
    const there = await watching();
    runtime.advance(20_000);
    expect((await there.closed).code).toBe(4503);
    const client = await come();
    expect((await client.closed).code).toBe(4503);
    expect(client.frames).toMatchObject([{ type: 'error', code: 'token_expired' }]);
    expect(await poll()).toEqual([401, 'token_expired']);
  });

  it('is nobody else\'s: each connection is who its own token says, in whatever order they come again', async () => {
    const tokens = { ann: token, bob: await issue('bob') };
    for (const user of ['ann', 'bob', 'bob', 'ann'] as const) {
      const client = await come(tokens[user]);
      expect(await client.next(isTold('connection_established'))).toMatchObject({ data: { user } });
    }
    const ann = await watching();
    ann.send({ auth: tokens.bob });
    expect(await ann.next('error')).toMatchObject({ code: 'different_subject' });
  });
});
