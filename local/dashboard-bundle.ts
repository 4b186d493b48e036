/** The dashboard's files, as a browser gets them: bundled, minified, named by their content. Used by `npm start` and by the build of what is deployed. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const ROOT = new URL('../', import.meta.url).pathname;

export interface PageFile {
  /** As it is asked for: `/index.html`, `/assets/main-3FQ2.js`. */
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array;
}

const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', html: 'text/html; charset=utf-8' };

/** Browsers of the last years; all of them have what the page needs. */
const TARGET = ['chrome111', 'firefox115', 'safari16.4'];

/** Bundles `client/dashboard`. Rejects with esbuild's words where the code cannot be bundled. */
export const dashboardFiles = async (): Promise<readonly PageFile[]> => {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { main: 'client/dashboard/main.tsx' },
    outdir: 'assets',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: TARGET,
    minify: true,
    legalComments: 'none',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'silent',
    metafile: true,
    write: false,
  });
  const files = outputFiles.map(({ path, contents }): PageFile => ({ path: `/assets/${basename(path)}`, type: TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream', body: contents }));
  const main = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === 'client/dashboard/main.tsx');
  if (main === undefined) throw new Error('the bundle has no entry');
  const [script, { cssBundle }] = main;
  const html = readFileSync(new URL('../client/dashboard/index.html', import.meta.url), 'utf8')
    .replace('href="main.css"', `href="/assets/${basename(cssBundle ?? 'main.css')}"`)
    .replace('src="main.js"', `src="/assets/${basename(script)}"`);
  return [{ path: '/index.html', type: TYPES['html'] ?? '', body: new TextEncoder().encode(html) }, ...files];
};
