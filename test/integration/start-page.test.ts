import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { FIRST_LOGIN } from '../../client/first-call.ts';
import { readSettings } from '../../core/settings.ts';
import { startProduct, type Product } from '../../local/product.ts';
import { jsonLog } from '../../ports/log.json.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';

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

  it('shows the login and brings everything it needs from its own origin, types stripped', async () => {
    const html = await (await fetch(product.url)).text();
    expect(html).toContain(FIRST_LOGIN.username);
    expect(html).toContain(FIRST_LOGIN.password);
    expect(html).not.toMatch(/https?:\/\/|<script(?![^>]*src=)|\son\w+=/);
    const waiting = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path ?? '');
    const seen = new Set<string>();
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      const answer = await fetch(product.url + path);
      expect([path, answer.status]).toEqual([path, 200]);
      const body = await answer.text();
      if (!path.startsWith('/modules/')) continue;
      expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      expect(body).not.toMatch(/^\s*(?:interface|export interface|import type|export type) /m);
      for (const [, specifier] of body.matchAll(/\bfrom\s+'(\.[^']+)'/g)) waiting.push(new URL(specifier ?? '', product.url + path).pathname);
    }
    expect([...seen]).toEqual(expect.arrayContaining(['/start-page.css', '/modules/client/start-page.ts', '/modules/client/index.ts', '/modules/core/domain/client/machine.ts']));
  });

  it('lets no other file of the tree be asked for, and nothing from elsewhere run in it', async () => {
    for (const path of ['/modules/package.json', '/modules/local/product.ts', '/modules/../package.json', '/modules/ports/runtime.system.ts']) expect((await fetch(product.url + path)).status).toBe(404);
    const { headers } = await fetch(product.url);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
  });

  it('may open sockets from the port that it was given, and a page of another port may not', async () => {
    const opened = (origin: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${product.port}/ws`, ['earshot.v1', 'bearer.x'], { origin });
        socket.addEventListener('open', () => resolve('open'));
        socket.addEventListener('error', () => resolve('refused'));
      });
    expect(await opened(`http://127.0.0.1:${product.port}`)).toBe('open');
    expect(await opened(`http://localhost:${product.port}`)).toBe('open');
    expect(await opened(`http://127.0.0.1:${product.port + 1}`)).toBe('refused');
  });
});
