import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { FIRST_LOGIN } from '../../client/first-call.ts';
import { readSettings } from '../../core/settings.ts';
import { dashboardFiles } from '../../local/dashboard-bundle.ts';
import { startProduct, type Product } from '../../local/product.ts';
import { jsonLog } from '../../ports/log.json.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { hostingHeaders } from '../fixtures/hosting.ts';

/** The whole page, whatever of it is loaded when. */
const PAGE_MAX_BYTES = 120_000;

describe('the page at /', () => {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-page-'));
  let product: Product;
  beforeAll(async () => {
    const settings = readSettings({ PORT: '0', DATA_DIR: folder }, 'local');
    product = await startProduct({ settings, runtime: systemRuntime(), log: jsonLog('silent', () => undefined), version: 'test' });
  });
  afterAll(async () => {
    await product.close();
    rmSync(folder, { recursive: true });
  });

  it('stays small: HTML, scripts and styles, minified and gzipped', async () => {
    const files = await dashboardFiles();
    expect(files.length).toBeGreaterThan(2);
    const bytes = files.reduce((sum, { body }) => sum + gzipSync(body, { level: 9 }).byteLength, 0);
    expect(bytes).toBeLessThanOrEqual(PAGE_MAX_BYTES);
  });

  it('brings everything it needs from its own origin, with no script and no style in the page itself', async () => {
    const html = await (await fetch(product.url)).text();
    expect(html.replaceAll("'http://www.w3.org/2000/svg'", '')).not.toMatch(/https?:\/\/|<script(?![^>]*src=)|<style|\son\w+=|\sstyle=/);
    const assets = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path ?? '');
    expect(assets).toHaveLength(2);
    for (const path of assets) {
      const answer = await fetch(product.url + path);
      expect([path, answer.status, answer.headers.get('cache-control')]).toEqual([path, 200, 'public, max-age=31536000, immutable']);
      expect(answer.headers.get('content-type')).toMatch(path.endsWith('.js') ? /^text\/javascript/ : /^text\/css/);
      const body = await answer.text();
      expect(body).not.toMatch(/sourceMappingURL|@import|\beval\(|new Function\(/);
      // Names of namespaces are no addresses that anything is loaded from.
      expect(body.replaceAll(/http:\/\/www\.w3\.org\/\S*?["'`]/g, '')).not.toMatch(/https?:\/\/(?!localhost|127\.)[a-z]/);
    }
  });

  it('shows the login of a first start to whoever is on this machine', async () => {
    const html = await (await fetch(product.url)).text();
    expect(html).toContain(`content="${JSON.stringify(FIRST_LOGIN).replaceAll('"', '&quot;')}"`);
  });

  it('has the headers that it has where it is deployed, but for the relay, which is here too', async () => {
    const deployed = hostingHeaders('/index.html', 'http://relay.test');
    const { headers } = await fetch(product.url);
    for (const [name, value] of Object.entries(deployed)) expect([name, headers.get(name)]).toEqual([name, value.replace(' http://relay.test ws://relay.test', '')]);
    expect(Object.keys(deployed)).toEqual(expect.arrayContaining(['content-security-policy', 'x-content-type-options', 'referrer-policy', 'permissions-policy', 'cache-control']));
    const asset = /src="(\/assets\/[^"]+)"/.exec(await (await fetch(product.url)).text())?.[1] ?? '';
    expect((await fetch(product.url + asset)).headers.get('cache-control')).toBe(hostingHeaders(asset, 'http://relay.test')['cache-control']);
  });

  it('lets no file of the tree be asked for, whatever the path', async () => {
    const raw = (path: string): Promise<number> =>
      new Promise((resolve, reject) => {
        request({ host: '127.0.0.1', port: product.port, path }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        }).on('error', reject).end();
      });
    for (const path of ['/index.html', '/package.json', '/assets/', '/assets/../package.json', '/assets/..%2fpackage.json', '//etc/passwd', '/client/dashboard/main.tsx']) expect([path, await raw(path)]).toEqual([path, 404]);
    expect((await fetch(product.url, { method: 'HEAD' })).headers.get('content-length')).toMatch(/^\d{3,}$/);
    expect((await fetch(product.url, { method: 'POST' })).status).toBe(404);
  });

  it('may open sockets from the port that it was given, and a page of another port may not', async () => {
    const opened = (origin: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${product.port}/ws`, ['earshot.v1', 'bearer.x'], { origin });
        socket.addEventListener('open', () => {
          socket.close();
          resolve('open');
        });
        socket.addEventListener('error', () => resolve('refused'));
      });
    expect(await opened(`http://127.0.0.1:${product.port}`)).toBe('open');
    expect(await opened(`http://localhost:${product.port}`)).toBe('open');
    expect(await opened(`http://127.0.0.1:${product.port + 1}`)).toBe('refused');
  });
});
