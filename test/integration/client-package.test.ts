import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { publint } from 'publint';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type * as Library from '../../client/index.ts';
import { buildClientPackage, CLIENT_MODULES, INSIDE_NAMES } from '../../scripts/client-package.ts';
import { limited, startRelay, tokenOf } from '../fixtures/relay.ts';
import { CLIENT_GZIP_MAX_BYTES, clientBytes } from '../fixtures/client-size.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

const OPTIONS: ts.CompilerOptions = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [], jsx: ts.JsxEmit.ReactJSX };
/** The language's own types are the same in every program, and long to read. */
const HOST = ts.createCompilerHost(OPTIONS);
const sources = new Map<string, ts.SourceFile | undefined>();
const { getSourceFile } = HOST;
HOST.getSourceFile = (path, ...more): ts.SourceFile | undefined => {
  if (!sources.has(path)) sources.set(path, getSourceFile(path, ...more));
  return sources.get(path);
};

/** As somebody who uses the library compiles: strict, with a page's types, without zod and Node. */
const faultsOf = (files: ReadonlyMap<string, string>): string[] => {
  for (const [path, code] of files) writeFileSync(path, code);
  return ts.getPreEmitDiagnostics(ts.createProgram([...files.keys()], OPTIONS, HOST)).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
};

describe('the client library as it is published', () => {
  let home = '';
  let installed = '';
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'earshot-client-'));
    const folder = join(home, 'package-as-built');
    await buildClientPackage(folder);
    // What npm would put into a registry, and unpack where somebody installs it.
    const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as { filename: string }[];
    installed = join(home, 'node_modules', 'earshot-client');
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', join(home, packed?.filename ?? ''), '--strip-components=1', '-C', installed], { stdio: 'ignore' });
    mkdirSync(join(home, 'node_modules', '@types'));
    for (const name of ['react', '@types/react', 'csstype']) symlinkSync(join(ROOT, 'node_modules', name), join(home, 'node_modules', name));
    writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('is three modules with their types, what is said of it and its licence, and nothing to install beside it', () => {
    expect(readdirSync(installed).sort()).toEqual(['LICENSE', 'README.md', 'package.json', ...CLIENT_MODULES.flatMap((name) => [`${name}.js`, `${name}.d.ts`])].sort());
    const { dependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect([dependencies, peerDependenciesMeta]).toEqual([undefined, { react: { optional: true } }]);
  });

  it('gives publint nothing to say', async () => {
    const { messages } = await publint({ pkgDir: installed, strict: true, pack: false });
    expect(messages).toEqual([]);
  });

  it('imports nothing but its own modules and, for React, React', () => {
    const imports = readdirSync(installed).filter((name) => /\.(js|d\.ts)$/.test(name)).flatMap((name) => [...readFileSync(join(installed, name), 'utf8').matchAll(/\b(?:from|import\()\s*["']([^"']+)["']/g)].map(([, from = '']) => `${name}: ${from}`));
    expect(imports.sort()).toEqual(['react.d.ts: ./index.js', 'react.d.ts: ./view.js', 'react.js: ./view.js', 'react.js: react', 'view.d.ts: ./index.js']);
  });

  it('has types that narrow, for whoever is strict and has no zod, and is used as its pages show', () => {
    const code = `
      import { connect, FeedStopped, type BoardRow, type EventFrame } from 'earshot-client';
      import { CallView } from 'earshot-client/view';
      import { useBoard, useCall, useConnection } from 'earshot-client/react';
      const exact = <T,>(value: [T] extends [never] ? never : T): T => value;
      const feed = connect({ url: 'wss://relay.example', token: async () => 'x', onConnection: ({ via }) => exact<'socket' | 'poll' | null>(via) });
      const said = (event: EventFrame): string => {
        switch (event.type) {
          case 'transcription': return exact<'agent' | 'driver'>(event.speaker) + event.text;
          case 'call_status': return event.status;
          case 'call_completed': return String(exact<number | null>(event.data.cost));
          case 'call_amended': return Object.keys(event.changed).join();
          case 'call_sealed': return event.digest;
          case 'agent_started': case 'agent_thinking': case 'agent_completed': case 'tool_executing': case 'tool_completed': return event.life;
          default: return exact<never[]>([event satisfies never]).join();
        }
      };
      export const follow = async (): Promise<string> => {
        try {
          for await (const update of feed.call('conv_1')) {
            if (update.kind === 'event') said(update.event);
            else if (update.kind === 'sealed') return exact<'complete' | 'incomplete' | 'cannot_prove'>(update.proof);
          }
          for await (const rows of feed.board({ status: 'in_progress' })) rows.map((row: BoardRow) => row.driver_name?.toUpperCase());
        } catch (error) {
          if (error instanceof FeedStopped) return String(exact<number>(error.code));
        }
        return '';
      };
      export const view = new CallView();
      feed.call('EL_1', (update) => view.apply(update, performance.now())).close();
      export const Shown = () => <p>{useConnection(feed).state} {useCall(feed, 'EL_1').view.turnCount} {useBoard(feed)?.length}</p>;
    `;
    const files = new Map([[join(home, 'consumer.tsx'), code]]);
    for (const path of ['docs/client.md', 'client/README.md']) {
      const blocks = [...readFileSync(join(ROOT, path), 'utf8').matchAll(/^```tsx?\n(.*?)^```$/gms)];
      expect(blocks.length).toBeGreaterThan(0);
      // The export makes each a module of its own.
      for (const [place, [, block = '']] of blocks.entries()) files.set(join(home, `${path.replaceAll('/', '-')}-${place}.tsx`), `${block}\nexport {};\n`);
    }
    expect(faultsOf(files)).toEqual([]);
  });

  it('has types that refuse what is wrong', () => {
    const wrong = ["feed.call('x', { onEvent: (event) => event.text });", "feed.call('x', {});", "feed.board({ colour: 'red' });", "feed.connection.state === 'alive';"];
    const faults = faultsOf(new Map([[join(home, 'wrong.ts'), `import type { Feed } from 'earshot-client';\ndeclare const feed: Feed;\n${wrong.join('\n')}`]]));
    const said = ["Property 'text' does not exist on type", "Argument of type '{}' is not assignable", 'No overload matches this call', 'have no overlap'];
    expect(faults.map((fault, place) => fault.includes(said[place] ?? 'nothing'))).toEqual([true, true, true, true]);
  });

  it('is as large as its page says', async () => {
    const bytes = await clientBytes(join(installed, 'index.js'));
    expect(readFileSync(join(ROOT, 'docs/client.md'), 'utf8')).toContain(`minified and gzipped: ${(bytes / 1024).toFixed(1)} KiB.`);
  });

  it('shortens no name that the language, the platform or its own types have', () => {
    const platform = [Math, JSON, Object, Array, Date, Number, Promise, ...[Array, Map, Set, String, Number, Date, Promise, RegExp, URL, URLSearchParams, WebSocket, MessageEvent, Response, AbortController, EventTarget, DataView, TextEncoder, Error, Function].map(({ prototype }) => prototype as object)];
    const known = new Set(platform.flatMap((object) => [...Object.getOwnPropertyNames(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))]));
    const types = readFileSync(join(installed, 'index.d.ts'), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/'[^']*'/g, "''");
    expect(INSIDE_NAMES.filter((name) => known.has(name) || new RegExp(`\\b${name}\\b`).test(types))).toEqual([]);
  });

  it('does nothing when it is imported', async () => {
    const before = Object.getOwnPropertyNames(globalThis);
    const touched: string[] = [];
    for (const name of ['setTimeout', 'setInterval', 'queueMicrotask', 'fetch', 'WebSocket', 'addEventListener', 'document']) vi.stubGlobal(name, () => touched.push(name));
    const modules = CLIENT_MODULES.map((name) => import(/* @vite-ignore */ `${pathToFileURL(join(installed, `${name}.js`)).href}?anew`) as Promise<object>);
    const [index] = await Promise.all(modules);
    vi.unstubAllGlobals();
    expect(Object.keys(index ?? {}).sort()).toEqual(['FeedStopped', 'connect']);
    expect([touched, Object.getOwnPropertyNames(globalThis)]).toEqual([[], before]);
  });

  it('follows a call on a real relay to its proof', async () => {
    const rig = await startRelay();
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one', 'two');
    rig.callLog.finish('EL_1');
    const { connect } = (await import(/* @vite-ignore */ pathToFileURL(join(installed, 'index.js')).href)) as typeof Library;
    const feed = connect({ url: rig.wsUrl, token: () => tokenOf('ann') });
    const reading = (async (): Promise<string | undefined> => {
      for await (const update of feed.call('EL_1')) if (update.kind === 'sealed') return update.proof;
      return undefined;
    })();
    expect(await limited(reading, 'the proof').finally(() => feed.close())).toBe('complete');
    await rig.close();
  });

  it('is small, and leaves nothing behind in a page that imports what it does not use', async () => {
    expect(await clientBytes(join(installed, 'index.js'))).toBeLessThanOrEqual(CLIENT_GZIP_MAX_BYTES);
    const { outputFiles } = await build({ stdin: { contents: "import 'earshot-client'; import 'earshot-client/view'; import { connect } from 'earshot-client';", resolveDir: home }, bundle: true, write: false, format: 'esm', logLevel: 'silent' });
    expect(gzipSync(outputFiles[0]?.contents ?? '').length).toBeLessThan(200);
  });
});
