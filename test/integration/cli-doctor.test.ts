import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { command, startRig, temporaryFolder, type Ran, type Rig } from '../fixtures/command.ts';

const failures = (out: string): string[] => out.split('\n').filter((line) => line.startsWith('FAIL'));
const names = (out: string): string[] => failures(out).map((line) => line.replace(/^FAIL {2}([^:]+).*$/, '$1'));

describe('doctor on this machine', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => {
    chmodSync(folder.path, 0o700);
    folder.remove();
  });
  const doctor = (env: Record<string, string> = {}): Promise<Ran> => command(['doctor'], { env: { DATA_DIR: folder.path, PORT: '18437', ...env } });

  it('finds nothing wrong before the first start', async () => {
    const { code, out, err } = await doctor();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').filter((line) => line !== '').map((line) => line.split(':')[0])).toEqual(['PASS  Node', 'PASS  settings', 'PASS  DATA_DIR', 'PASS  port', 'PASS  webhook secret', 'PASS  login', 'PASS  signing key', 'PASS  call log', '8 passed, 0 failed']);
  });

  it('lists every setting that cannot be read, each with the form it has to have', async () => {
    const { code, out } = await doctor({ LOG_LEVEL: 'loud', ALLOWED_PREFIXES: 'one' });
    expect(code).toBe(1);
    expect(failures(out)).toEqual([
      'FAIL  settings: ALLOWED_PREFIXES has to be beginnings of phone numbers such as +1 or +4930, comma-separated. Mend it in the environment or in .env.',
      'FAIL  settings: LOG_LEVEL has to be debug or info or warn or error or silent. Mend it in the environment or in .env.',
    ]);
  });

  it('says how to mend a key that others may read', async () => {
    const path = join(folder.path, 'auth-signing-key.json');
    writeFileSync(path, '{}', { mode: 0o644 });
    chmodSync(path, 0o644);
    expect(failures((await doctor()).out)).toEqual([`FAIL  signing key: others may read it (mode 644). Mend it: chmod 600 ${path}`]);
  });

  it('says when the secret that everybody knows stands before the real ElevenLabs, and when anybody may write', async () => {
    expect(names((await doctor({ ELEVENLABS_API_KEY: 'xi-0123456789' })).out)).toEqual(['webhook secret']);
    expect(names((await doctor({ ELEVENLABS_API_KEY: 'xi-0123456789', ELEVENLABS_WEBHOOK_SECRETS: 'wsec_of_our_own' })).out)).toEqual([]);
    expect(names((await doctor({ WEBHOOK_AUTH: 'none' })).out)).toEqual(['webhook secret']);
  });

  it('says when the printed login is open to the network', async () => {
    expect(names((await doctor({ HOST: '0.0.0.0', ELEVENLABS_WEBHOOK_SECRETS: 'wsec_of_our_own' })).out)).toEqual(['login']);
  });

  it('says when the log is of a newer program', async () => {
    const database = new DatabaseSync(join(folder.path, 'calls.db'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(failures((await doctor()).out)).toEqual([expect.stringMatching(/^FAIL {2}call log: it is of schema 99/)]);
  });

  it('says when the data would stand where nothing can be written', async () => {
    const file = join(folder.path, 'file');
    writeFileSync(file, '');
    expect(names((await doctor({ DATA_DIR: join(file, 'data') })).out)).toContain('DATA_DIR');
  });

  it('says when another program has the port', async () => {
    const server = createServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const port = String((server.address() as AddressInfo).port);
    const { out } = await doctor({ PORT: port });
    expect(failures(out)).toEqual([`FAIL  port: ${port} is taken by another program. Free it, or choose another: PORT=8081 npm start`]);
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  it('works on a folder that is still to be made, and makes none', async () => {
    const dataDir = join(folder.path, 'a', 'b');
    const { code, out } = await doctor({ DATA_DIR: dataDir });
    expect(code).toBe(0);
    expect(out).toContain(`${dataDir}, to be made`);
    mkdirSync(dataDir, { recursive: true });
    rmSync(dataDir, { recursive: true });
  });
});

describe('doctor against a deployment', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    await rig.close();
  });

  it('finds nothing wrong with one that is well, and tries a real WebSocket', async () => {
    const { code, out } = await rig.earshot(['doctor', '--url', rig.product.url]);
    expect({ code, failed: failures(out) }).toEqual({ code: 0, failed: [] });
    expect(out).toMatch(/^PASS {2}WebSocket: earshot\.v1 at ws:\/\/127\.0\.0\.1:\d+$/m);
    expect(out).toMatch(/^PASS {2}forged webhook: refused with 401$/m);
    expect(out).toMatch(/^PASS {2}ready: takes requests$/m);
    expect(out).toMatch(/^PASS {2}relay: version 0\.0\.0-test$/m);
    expect(out).toMatch(/^9 passed, 0 failed\n$/m);
  });

  it('looks at the machine and at the Earshot that runs on it', async () => {
    const { code, out } = await rig.earshot(['doctor']);
    expect({ code, failed: failures(out) }).toEqual({ code: 0, failed: [] });
    expect(out).toContain(`PASS  port: ${rig.product.port}, Earshot runs there`);
    expect(out).toContain('PASS  call log: held by the Earshot that runs');
    expect(out).toContain('PASS  WebSocket');
  });

  it('gives one document under --json, and the exit code still tells', async () => {
    const { code, out } = await rig.earshot(['doctor', '--url', rig.product.url, '--json'], { env: { TEST_USERNAME: 'nobody', TEST_PASSWORD: 'wrong' } });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ failed: 2, checks: expect.arrayContaining([{ name: 'WebSocket', passed: false, detail: 'not tried, since the sign-in failed' }]) as unknown });
  });

  /** The product behind a server that breaks what it is told to break. */
  const broken = async (breaks: (path: string) => { status: number; body: string } | null, work: (url: string) => Promise<void>): Promise<void> => {
    const server: Server = createServer((request, response) => {
      const answer = breaks(request.url ?? '');
      if (answer !== null) {
        response.writeHead(answer.status).end(answer.body);
        return;
      }
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !['host', 'connection', 'content-length'].includes(name)));
        void fetch(rig.product.url + (request.url ?? ''), { method: request.method ?? 'GET', headers: headers as Record<string, string>, ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }) }).then(async (answered) => {
          // It says of itself that it is where it was asked.
          const text = (await answered.text()).replaceAll(`ws://127.0.0.1:${rig.product.port}`, `ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
          response.writeHead(answered.status, { 'content-type': 'application/json' }).end(text);
        });
      });
    });
    // As the server did that the older system was deployed with: every upgrade is an ordinary request that it does not know.
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  };

  it('finds the server that answers 404 to every upgrade, and says how to mend it', async () => {
    await broken(
      () => null,
      async (url) => {
        const here = url.replace('http', 'ws');
        const { out } = await rig.earshot(['doctor', '--url', url]);
        expect(failures(out)).toEqual([`FAIL  WebSocket: The upgrade was answered with HTTP 404. What stands in front of the relay at ${here} has to pass upgrades on, and the path has to be its own.`]);
      },
    );
  });

  it('finds an open webhook door, a sick store and a strange discovery', async () => {
    await broken(
      (path) => {
        if (path.startsWith('/webhooks/')) return { status: 200, body: '{}' };
        if (path === '/health') return { status: 503, body: '{"status":"unavailable","version":"1","checks":{"call_log":"failed","directory":"ok"}}' };
        return path === '/discovery' ? { status: 200, body: '<html>' } : null;
      },
      async (url) => {
        const { code, out } = await rig.earshot(['doctor', '--url', url]);
        expect(code).toBe(1);
        expect(failures(out)).toEqual([
          "FAIL  health: it says unavailable, since call_log does not answer. Look at the store and at the service's rights to it.",
          'FAIL  clock: not known, since /health did not answer well',
          'FAIL  forged webhook: taken: anybody can write. Take WEBHOOK_AUTH=none away, and look which secrets are set.',
          'FAIL  discovery: HTTP 200, and not as Earshot answers. Is that the address of the API?',
          'FAIL  relay: HTTP 200, and not as Earshot answers. Is that the address of the API?',
          'FAIL  WebSocket: HTTP 200, and not as Earshot answers. Is that the address of the API?',
        ]);
      },
    );
  });

  it('compares the versions of API and relay, and says when the revision that answers is not the one that is named', async () => {
    interface Says {
      readonly version?: string;
      readonly ready?: number;
      /** Whether it serves, at each question of its health; the last holds. */
      readonly serving?: readonly boolean[];
    }
    let says: Says = {};
    let asked = 0;
    let stop = new AbortController();
    const relay = createServer(({ url }, response) => {
      const { version = '0.0.0-test', ready = 200, serving = [true] } = says;
      if (url === '/ready') {
        response.writeHead(ready).end();
        return;
      }
      // Nobody waits for what never comes.
      if (++asked === 3) stop.abort();
      response.end(JSON.stringify({ status: 'ok', version, checks: {}, revision: 'relay-a', serving: serving[Math.min(asked, serving.length) - 1] }));
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const elsewhere = await startRig({ PUBLIC_RELAY_URL: `ws://127.0.0.1:${(relay.address() as AddressInfo).port}` });
    const lineOf = async (now: Says): Promise<string> => {
      [says, asked, stop] = [now, 0, new AbortController()];
      const { out } = await elsewhere.earshot(['doctor', '--url', elsewhere.product.url], { stop: stop.signal });
      return out.split('\n').find((line) => line.includes('  relay:')) ?? '';
    };
    try {
      expect(await lineOf({})).toBe('PASS  relay: version 0.0.0-test, relay-a serves');
      expect(await lineOf({ version: '0.0.1' })).toBe('PASS  relay: version 0.0.1, the API is of 0.0.0-test, relay-a serves');
      expect(await lineOf({ ready: 503 })).toBe('FAIL  relay: HTTP 503: it takes nobody in. Look at /health there, and at its log.');
      expect(await lineOf({ serving: [false, true] })).toBe('PASS  relay: version 0.0.0-test, relay-a serves');
      expect(await lineOf({ serving: [false] })).toBe('FAIL  relay: relay-a answers, and another revision is named as serving, so its sockets are asked to move for ever. Bring the traffic to the other, or name this one: earshot relay serve relay-a');
    } finally {
      await elsewhere.close();
      relay.closeAllConnections();
      await new Promise<void>((resolve) => relay.close(() => resolve()));
    }
  });

  it('asks where webhooks go, where the API does not take them itself', async () => {
    await broken(
      (path) => (path.startsWith('/webhooks/') ? { status: 404, body: '{}' } : null),
      async (url) => {
        const alone = await rig.earshot(['doctor', '--url', url]);
        expect(failures(alone.out)).toContain('FAIL  forged webhook: answered with HTTP 404 instead of 401. Do webhooks go to this address? Where they go to another: --webhooks <address>');
        const both = await rig.earshot(['doctor', '--url', url, '--webhooks', rig.product.url]);
        expect(names(both.out)).toEqual(['WebSocket']);
        expect(both.out).toContain('PASS  forged webhook: refused with 401');
        expect(await rig.earshot(['doctor', '--url', url, '--webhooks', 'somewhere'])).toMatchObject({ code: 2 });
        expect(await rig.earshot(['doctor', '--webhooks', rig.product.url])).toMatchObject({ code: 2 });
      },
    );
  });

  it('fails every check where nobody answers, and sends no password to an address without TLS', async () => {
    expect(names((await command(['doctor', '--url', 'http://127.0.0.1:1'])).out)).toEqual(['health', 'clock', 'ready', 'forged webhook', 'discovery', 'relay', 'sign-in', 'WebSocket']);
    const { code, out } = await command(['doctor', '--url', 'http://earshot.example.com'], { env: { TEST_USERNAME: 'x', TEST_PASSWORD: 'y' } });
    expect(code).toBe(1);
    expect(out).toContain('FAIL  address: http:// sends passwords in the clear. Use https://');
    expect(out).toContain('FAIL  sign-in: not tried');
  });
});
