/**
 * Writes the client library as it is published: `client/package` - three modules, their types, nothing to install beside it.
 * `npm run build:client`, or `node scripts/client-package.ts <folder>` to write it elsewhere.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { clientTypes } from './client-types.ts';

const ROOT = new URL('../', import.meta.url).pathname;

/** Each may import the ones before it. */
export const CLIENT_MODULES = ['index', 'view', 'react'] as const;

/** Browsers of the last years, and Node from 22 on. */
const TARGET = 'es2022';

/**
 * Properties of the library's inside, which are shortened in what is published. None of them may stand in a frame, a message, the
 * public types or the language: those that do are named otherwise in the source.
 */
export const INSIDE_NAMES: readonly string[] = [
  // core/domain/client/call.ts, link.ts
  ...['asked', 'relaySid', 'cursor', 'head', 'refused', 'merged', 'ended', 'chain', 'logged', 'leads', 'upAt', 'connectionId', 'places', 'boardReady', 'boardPart', 'suspected', 'degraded'],
  // following.ts, server-clock.ts, machine.ts
  ...['addCall', 'dropCall', 'setBoard', 'dropBoard', 'askAll', 'askAgain', 'isReady', 'isBehind', 'question', 'markBoard', 'hearHeads', 'takeFrame', 'hear', 'sha256', 'canPoll', 'snapshot'],
  // client/
  ...['listeners', 'wakeAll', 'tell', 'iterate', 'take', 'look'],
];

/** @param folder is emptied first */
export const buildClientPackage = async (folder: string): Promise<void> => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of CLIENT_MODULES) await bundle(name, folder);
  for (const [name, text] of clientTypes(CLIENT_MODULES)) writeFileSync(join(folder, `${name}.d.ts`), text);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  copyFileSync(join(ROOT, 'client', 'README.md'), join(folder, 'README.md'));
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
};

const bundle = async (name: string, folder: string): Promise<void> => {
  await build({ absWorkingDir: ROOT, entryPoints: [`client/${name}.ts`], outfile: join(folder, `${name}.js`), bundle: true, format: 'esm', target: TARGET, minifySyntax: true, ...(name === 'index' && { mangleProps: new RegExp(`^(?:${INSIDE_NAMES.join('|')})$`) }), external: ['react'], plugins: [OTHER_MODULES], legalComments: 'none', logLevel: 'silent' });
};

/** A module of the package stays one: two copies of a class would not know each other. */
const OTHER_MODULES: Plugin = {
  name: 'other-modules',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\/(?:index|view|react)\.ts$/ }, ({ path }) => ({ path: path.replace(/ts$/, 'js'), external: true }));
  },
};

const manifest = (): object => {
  const { version, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string; readonly license: string };
  const entry = (name: string): object => ({ types: `./${name}.d.ts`, default: `./${name}.js` });
  return {
    name: 'earshot-client',
    version,
    description: 'Follows voice-agent calls live: every event once and in order, and a proof that nothing is missing.',
    license,
    type: 'module',
    sideEffects: false,
    types: './index.d.ts',
    exports: { '.': entry('index'), './view': entry('view'), './react': entry('react'), './package.json': './package.json' },
    files: CLIENT_MODULES.flatMap((name) => [`${name}.js`, `${name}.d.ts`]),
    engines: { node: '>=22' },
    peerDependencies: { react: '>=18' },
    peerDependenciesMeta: { react: { optional: true } },
  };
};

if (import.meta.main) await buildClientPackage(process.argv[2] ?? join(ROOT, 'client', 'package'));
