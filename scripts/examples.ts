/** Serves `examples/` on this machine, with the client library as it is published. `npm run examples`, then http://127.0.0.1:3000. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildClientPackage } from './client-package.ts';

const ROOT = new URL('../', import.meta.url).pathname;
const PORT = 3000;
const TYPES: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' };
const INDEX = '<!doctype html><title>Examples</title><ul><li><a href="/plain-html/">A plain page</a><li><a href="/react/">React</a></ul>';

/** @param port 0 for any that is free */
export const serveExamples = async (port: number): Promise<{ readonly url: string; readonly server: Server }> => {
  const files = await exampleFiles();
  const server = createServer((req, res) => {
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    const body = files.get(path.endsWith('/') ? `${path}index.html` : path);
    res.writeHead(body === undefined ? 404 : 200, { 'content-type': TYPES[path.endsWith('/') ? 'html' : (path.split('.').at(-1) ?? '')] ?? 'text/plain; charset=utf-8' });
    res.end(body ?? 'not found');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
};

const exampleFiles = async (): Promise<ReadonlyMap<string, string>> => {
  const library = mkdtempSync(join(tmpdir(), 'earshot-examples-'));
  try {
    await buildClientPackage(library);
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['examples/react/main.jsx'],
      bundle: true,
      write: false,
      format: 'esm',
      jsx: 'automatic',
      nodePaths: [join(ROOT, 'node_modules')],
      alias: { 'earshot-client/react': join(library, 'react.js'), 'earshot-client': join(library, 'index.js') },
      define: { 'process.env.NODE_ENV': '"development"' },
      logLevel: 'silent',
    });
    const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');
    return new Map([
      ['/index.html', INDEX],
      ['/plain-html/index.html', read(ROOT, 'examples/plain-html/index.html')],
      ['/plain-html/earshot-client/index.js', read(library, 'index.js')],
      ['/plain-html/earshot-client/view.js', read(library, 'view.js')],
      ['/react/index.html', read(ROOT, 'examples/react/index.html')],
      ['/react/main.js', outputFiles[0]?.text ?? ''],
    ]);
  } finally {
    rmSync(library, { recursive: true, force: true });
  }
};

if (import.meta.main) process.stdout.write(`Examples: ${(await serveExamples(PORT)).url}\n`);
