import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { command, startRig, temporaryFolder, type Rig } from '../fixtures/command.ts';

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const PROMISES = [
  'signed in',
  'call answered with call_sid, conversation_id, driver and triggers_count',
  'connection_established comes first',
  'the subprotocol earshot.v1 is selected',
  'a first live turn came before the end',
  'seqs are dense from 1, once each',
  'call_status before call_completed before call_sealed',
  'the digest proves that nothing is missing',
  'the conversation is named',
  'GET /calls/{id} shows the six fields as call_completed told them',
  'conversation_id finds the same call',
  'GET /calls lists the call',
  'events by REST equal those by socket',
  'the same Idempotency-Key is the same call',
  'a poll brings the same frames',
  'a second socket resumes from a position',
  'unsubscribe is confirmed',
  'an unknown call is answered with error call_not_found',
  'an unknown call is 404 by REST',
  'a bad token is refused with error token_invalid and close code 4502',
  'REST refuses a bad token with 401',
];

describe('the end-to-end journey', () => {
  let rig: Rig;
  /** The four settings as people set them for a deployment. */
  let deployed: Record<string, string>;
  beforeAll(async () => {
    rig = await startRig({ E2E_AUTH_KEY: 'key-of-the-tests' });
    deployed = { API_BASE_URL: rig.product.url, WS_BASE_URL: rig.product.url.replace('http', 'ws'), TEST_USERNAME: 'dispatcher@example.com', TEST_PASSWORD: 'earshot-local' };
  });
  afterAll(async () => {
    await rig.close();
  });

  it('prints the lines that people know, in their order, then a verdict on every promise', async () => {
    const { code, out, err } = await command(['e2e', '--timeout', '15'], { env: deployed });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const told = linesOf(out);
    const known = told.filter((line) => /^\[(AUTH|CALL|WS)/.test(line) && !line.startsWith('[WS_MSG] New transcription'));
    expect(known).toEqual([
      '[AUTH] Authentication successful!',
      '[CALL] Call initiated successfully!',
      '[WS] Connecting to WebSocket...',
      '[WS] WebSocket connected successfully!',
      expect.stringMatching(/^\[WS\] Subscribing to call: EL_test_driver_123_\d{4}-/),
      '[WS_MSG] Subscription confirmed!',
      '[WS_MSG] Call completed with full data!',
    ]);
    const turn = told.indexOf('[WS_MSG] New transcription [agent]');
    expect(turn).toBeGreaterThan(told.indexOf('[WS_MSG] Subscription confirmed!'));
    expect(told[turn + 1]).toMatch(/^ {3}\[0\] AGENT: \S/);
    expect(told.filter((line) => line.startsWith('PASS')).map((line) => line.replace(/^PASS {2}([^:]+?)(?:: .*)?$/, '$1'))).toEqual(PROMISES);
    expect(told.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    expect(told.at(-1)).toBe(`${PROMISES.length} passed, 0 failed`);
  });

  it('takes the defaults of this machine where none of the four is set', async () => {
    const { code, out } = await command(['e2e', '--timeout', '15'], { env: { PORT: String(rig.product.port) } });
    expect(code).toBe(0);
    expect(out).toContain(`${PROMISES.length} passed, 0 failed`);
  });

  it('reads test/.env, and signs in by the key of the tests where there is no password', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder.path, 'test'));
    const kept = { ...deployed, TEST_PASSWORD: '', E2E_AUTH_KEY: 'key-of-the-tests' };
    writeFileSync(join(folder.path, 'test/.env'), Object.entries(kept).map(([name, value]) => `${name}=${value}`).join('\n'));
    const { code, out } = await command(['e2e', '--connections', '1'], { root: folder.path });
    expect(code).toBe(0);
    expect(out).toContain('[AUTH] Authentication successful!');
    expect(await command(['e2e', '--connections', '1'], { root: folder.path, env: { E2E_AUTH_KEY: 'not-the-key-at-all' } })).toMatchObject({ code: 1, out: expect.stringContaining('[AUTH] Authentication failed: credentials_invalid') as string });
    folder.remove();
  });

  it.each([
    [{ API_BASE_URL: 'https://earshot.example.com' }, ['WS_BASE_URL', 'TEST_USERNAME', 'TEST_PASSWORD']],
    [{ API_BASE_URL: 'https://earshot.example.com', WS_BASE_URL: 'wss://relay.example.com', TEST_USERNAME: 'ann' }, ['TEST_PASSWORD']],
    [{ TEST_PASSWORD: 'x', API_BASE_URL: ' ' }, ['API_BASE_URL', 'WS_BASE_URL', 'TEST_USERNAME']],
  ])('names what is missing where only some of the four are set', async (env, missing) => {
    const { code, out, err } = await command(['e2e'], { env });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(linesOf(err).slice(1)).toEqual(missing.map((name) => `  ${name} is missing: set it in the environment or in test/.env`));
  });

  it('fails, says why, and goes no further where the sign-in is refused or the driver cannot be called', async () => {
    const refused = await command(['e2e'], { env: { ...deployed, TEST_PASSWORD: 'wrong' } });
    expect(refused).toMatchObject({ code: 1, out: '[AUTH] Authentication failed: credentials_invalid\nFAIL  signed in: User name or password is wrong. (credentials_invalid)\n0 passed, 1 failed\n' });
    const driver = await command(['e2e', '--driver', 'test_driver_127'], { env: deployed });
    expect(driver.code).toBe(1);
    expect(driver.out).toContain('the driver was not called: do_not_call');
    expect(driver.out).not.toContain('[CALL] Call initiated successfully!');
  });

  it('ends within its limit where the relay says nothing', async () => {
    const silent: Server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { code, out } = await command(['e2e', '--timeout', '1'], { env: { ...deployed, WS_BASE_URL: `ws://127.0.0.1:${(silent.address() as AddressInfo).port}` } });
    expect(code).toBe(1);
    expect(out).toContain('[WS_ERROR] WebSocket error: timed_out');
    expect(out).toContain('FAIL  the call was watched to its end: Nothing within 1 s: the upgrade. (timed_out)');
    silent.close();
  });

  it('catches a relay that swallows one event', async () => {
    const swallowing = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'earshot.v1' });
    await new Promise<void>((resolve) => swallowing.once('listening', resolve));
    swallowing.on('connection', (viewer, request) => {
      const relay = new WebSocket(`${deployed['WS_BASE_URL'] ?? ''}/ws`, (request.headers['sec-websocket-protocol'] ?? '').split(/, ?/));
      const waiting: string[] = [];
      viewer.on('message', (data) => (relay.readyState === WebSocket.OPEN ? relay.send((data as Buffer).toString()) : waiting.push((data as Buffer).toString())));
      relay.on('open', () => waiting.forEach((text) => relay.send(text)));
      relay.on('message', (data) => {
        const text = (data as Buffer).toString();
        if (!text.includes('"seq":5,')) viewer.send(text);
      });
      relay.on('close', (code) => viewer.close(code));
      viewer.on('close', () => relay.close());
    });
    const { code, out } = await command(['e2e', '--timeout', '5'], { env: { ...deployed, WS_BASE_URL: `ws://127.0.0.1:${(swallowing.address() as AddressInfo).port}` } });
    expect(code).toBe(1);
    const failed = linesOf(out).filter((line) => line.startsWith('FAIL')).map((line) => line.replace(/^FAIL {2}([^:]+?): .*$/, '$1'));
    expect(failed).toEqual(expect.arrayContaining(['seqs are dense from 1, once each', 'the digest proves that nothing is missing', 'events by REST equal those by socket']));
    expect(failed).not.toContain('a bad token is refused with error token_invalid and close code 4502');
    swallowing.close();
  });

  it.each([
    [['--connections'], 7],
    [['--connections', '40'], 40],
  ])('connects many at once and tells their times: %j', async (args, count) => {
    const { code, out } = await command(['e2e', ...args], { env: deployed });
    expect(code).toBe(0);
    expect(linesOf(out)).toEqual(
      ['[AUTH] Authentication successful!', 'PASS  signed in', `Total connections: ${count}`, `Successful: ${count}`, 'Auth required: 0', 'Timeouts: 0', 'Errors: 0', expect.stringMatching(/^Total time: \d+ ms$/), expect.stringMatching(/^Average time: [\d.]+ ms$/), `PASS  ${count} of ${count} connected`, `PASS  each is a connection of its own: ${count} ids`, '3 passed, 0 failed'],
    );
  });

  it('tells a refused token from an error among many connections, and fails', async () => {
    const other = await startRig();
    const refused = await command(['e2e', '--connections', '3'], { env: { ...deployed, WS_BASE_URL: other.product.url.replace('http', 'ws') } });
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('Successful: 0\nAuth required: 3\nTimeouts: 0\nErrors: 0\n');
    await other.close();
    const bad = await command(['e2e', '--connections', '3'], { env: { ...deployed, WS_BASE_URL: 'ws://127.0.0.1:1' } });
    expect(bad.code).toBe(1);
    expect(bad.out).toContain('Successful: 0\nAuth required: 0\nTimeouts: 0\nErrors: 3\n');
  });

  it('gives one document under --json, its lines on stderr', async () => {
    const { code, out, err } = await command(['e2e', '--connections', '2', '--json'], { env: deployed });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ passed: 3, failed: 0, connections: { total: 2, successful: 2, auth_required: 0, timeouts: 0, errors: 0 } });
    expect(err).toContain('[AUTH] Authentication successful!');
  });
});
