/** Serves the page at `/`: its own files, and the client library as modules, their types stripped by Node itself. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, posix } from 'node:path';

const ROOT = new URL('../', import.meta.url);
const ENTRY = 'client/start-page.ts';

/** Nothing from anywhere else, no inline script, no frame around it. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

interface Served {
  readonly type: string;
  readonly body: string;
}

/** @returns a handler that answers what belongs to the page, and false for everything else */
export const startPage = (): ((request: IncomingMessage, response: ServerResponse) => boolean) => {
  const files = new Map<string, Served>([
    ['/', { type: 'text/html; charset=utf-8', body: textOf('client/start-page.html') }],
    ['/start-page.css', { type: 'text/css; charset=utf-8', body: textOf('client/start-page.css') }],
  ]);
  for (const [path, body] of modulesFrom(ENTRY)) files.set(`/modules/${path}`, { type: 'text/javascript; charset=utf-8', body });
  return (request, response) => {
    const file = request.method === 'GET' || request.method === 'HEAD' ? files.get((request.url ?? '').split('?', 1)[0] ?? '') : undefined;
    if (file === undefined) return false;
    response.writeHead(200, { ...HEADERS, 'content-type': file.type, 'content-length': Buffer.byteLength(file.body) });
    response.end(request.method === 'HEAD' ? undefined : file.body);
    return true;
  };
};

const textOf = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

/** Node announces once that this function is experimental; the version is pinned, and the terminal is for the person who starts. */
const withoutTypes = (code: string): string => {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(code);
  } finally {
    process.emitWarning = emitWarning;
  }
};

/** The module and all it imports at run time, by path: no other file of the tree can be asked for. */
const modulesFrom = (entry: string): Map<string, string> => {
  const modules = new Map<string, string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (modules.has(path)) continue;
    const code = withoutTypes(textOf(path));
    modules.set(path, code);
    for (const [, specifier] of code.matchAll(/^\s*(?:import|export)\b[^;]*?\bfrom\s+'(\.{1,2}\/[^']+)'/gm)) {
      waiting.push(posix.join(dirname(path), specifier ?? ''));
    }
  }
  return modules;
};
