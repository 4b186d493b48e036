/**
 * Builds the servers that are deployed: `functions/dist` (three functions, one bundle, with a package.json for Google's buildpack) and
 * `ws-relay/dist` (the relay, nothing to install). Part of `npm run build`; `node scripts/build.ts <folder>` builds elsewhere, as the
 * relay's image does, which has nothing of the page.
 *
 * Everything is in the bundle but functions-framework: the process that serves a function is the framework's own, and a second copy
 * of it would not know what the first was told. Identifiers stay as they are written, since Google's clients look at the names of their classes;
 * esbuild's `keepNames` would say each name once more as the process starts, which took a tenth of a cold start (`npm run bench -- cold-start`).
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';

const ROOT = new URL('../', import.meta.url).pathname;
const FRAMEWORK = '@google-cloud/functions-framework';

/** Libraries written for `require` find what stands around a file of theirs. */
const REQUIRE = "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url), { filename: __filename, dirname: __dirname } = import.meta;";

/**
 * Node's own modules come through `require`. Imported as an ES module, each of them is asked for everything that it exports: `node:http` then
 * loads undici for its WebSocket, a twentieth of a cold start, though nobody here asks for it.
 */
const nodeByRequire: Plugin = {
  name: 'node-by-require',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(node:)?[a-z_0-9/]+$/ }, ({ path, kind }) => (kind === 'import-statement' && isBuiltin(path) ? { path, namespace: 'node' } : undefined));
    onLoad({ filter: /.*/, namespace: 'node' }, ({ path }) => ({ contents: `module.exports = require(${JSON.stringify(path)});` }));
  },
};

/**
 * Parts of Google's libraries that every client of theirs makes or describes as it starts, and nothing of ours asks: Firestore's
 * administration, the list of the places where a service runs, and the description of each type and method for a server that reflects.
 * Measured as the cold start's CPU time, the first two were a sixteenth of it, the third a tenth.
 */
const LEFT_OUT: readonly { readonly file: RegExp; readonly instead: (text: string) => string }[] = [
  { file: /firestore-api\/build\/src\/v1\/firestore_admin_client\.js$/, instead: () => 'exports.FirestoreAdminClient = class {};' },
  { file: /google-gax\/build\/src\/locationService\.js$/, instead: () => 'exports.LocationsClient = class { async close() {} };' },
  { file: /firestore-api\/build\/protos\/protos\.json$/, instead: (text) => `module.exports = ${withoutAdministration(text)};` },
  {
    file: /@grpc\/proto-loader\/build\/src\/index\.js$/,
    instead: (text) =>
      replaced(text, [
        ["root.toDescriptor('proto3').file", '[]'],
        ["message.toDescriptor('proto3')", 'null'],
        ['messageDescriptor.$type.toObject(messageDescriptor, descriptorOptions)', '{}'],
        ["enumType.toDescriptor('proto3')", 'null'],
        ['enumDescriptor.$type.toObject(enumDescriptor, descriptorOptions)', '{}'],
      ]),
  },
];

/** @throws Error where what is to be replaced does not stand there once */
const replaced = (text: string, words: readonly (readonly [from: string, to: string])[]): string =>
  words.reduce((made, [from, to]) => {
    if (made.split(from).length !== 2) throw new Error(`not there once any more: ${from}`);
    return made.replace(from, () => to);
  }, text);

interface Described {
  readonly nested: { readonly google: { readonly nested: { readonly firestore: { readonly nested: Record<string, unknown> } } } };
}

const withoutAdministration = (text: string): string => {
  const all = JSON.parse(text) as Described;
  delete all.nested.google.nested.firestore.nested['admin'];
  return JSON.stringify(all);
};

/** Where a file is not met any more, the library has moved it, and what is said above has to be measured anew. */
const leftOut: Plugin = {
  name: 'left-out',
  setup: ({ onLoad, onEnd }) => {
    const met = new Set<RegExp>();
    for (const { file, instead } of LEFT_OUT) {
      onLoad({ filter: file }, ({ path }) => {
        met.add(file);
        return { contents: instead(readFileSync(path, 'utf8')), loader: 'js' };
      });
    }
    onEnd(({ errors }) => {
      const missing = LEFT_OUT.filter(({ file }) => !met.has(file));
      return errors.length > 0 ? {} : { errors: missing.map(({ file }) => ({ text: `nothing is left out for ${file.source}` })) };
    });
  },
};

const OPTIONS = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  splitting: true,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  chunkNames: '[name]-[hash]',
  logLevel: 'warning',
  banner: { js: REQUIRE },
  // ws does without them where they are not installed.
  external: [FRAMEWORK, 'bufferutil', 'utf-8-validate'],
  plugins: [nodeByRequire, leftOut],
} as const satisfies BuildOptions;

/** Code that was compiled when the image was built is not compiled again at each cold start; where there is none, nothing is lost. */
const FUNCTIONS_ENTRY = `import { enableCompileCache } from 'node:module';
enableCompileCache(new URL('./compile-cache', import.meta.url).pathname);
await import('./earshot.js');
`;

/** Runs once where function or image is built: on the very Node that will run it. */
const COMPILE = `import { enableCompileCache, flushCompileCache } from 'node:module';
enableCompileCache(new URL('./compile-cache', import.meta.url).pathname);
for (const name of $FILES) await import(name);
flushCompileCache();
process.exit(0);
`;

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** @param to the folder that gets `functions/dist` and `ws-relay/dist` */
export const buildDeployables = async (to: string): Promise<void> => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
  await Promise.all([buildFunctions(join(to, 'functions', 'dist'), manifest), buildRelay(join(to, 'ws-relay', 'dist'))]);
};

const buildFunctions = async (folder: string, { version, dependencies }: Manifest): Promise<void> => {
  empty(folder);
  const chunks = await bundle('earshot', 'functions/index.ts', folder);
  writeFileSync(join(folder, 'index.js'), FUNCTIONS_ENTRY);
  writeFileSync(join(folder, 'compile.js'), COMPILE.replace('$FILES', JSON.stringify([FRAMEWORK, ...chunks])));
  const written = {
    name: 'earshot-functions',
    version,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: { node: '24' },
    // Google's buildpack runs it after it has installed: https://cloud.google.com/docs/buildpacks/nodejs#executing_custom_build_steps_during_deployment
    scripts: { 'gcp-build': 'node compile.js' },
    dependencies: { [FRAMEWORK]: dependencies[FRAMEWORK] },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(written, null, 2)}\n`);
};

const buildRelay = async (folder: string): Promise<void> => {
  empty(folder);
  const chunks = await bundle('main', 'ws-relay/main.ts', folder);
  writeFileSync(join(folder, 'compile.js'), COMPILE.replace('$FILES', JSON.stringify(chunks)));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ private: true, type: 'module' })}\n`);
};

/** @returns what the entry imports of it, as paths beside it */
const bundle = async (name: string, entry: string, folder: string): Promise<string[]> => {
  const { metafile } = await build({ ...OPTIONS, metafile: true, absWorkingDir: ROOT, entryPoints: { [name]: entry }, outdir: folder });
  const files = Object.keys(metafile.outputs).map((path) => path.slice(path.lastIndexOf('/') + 1));
  return files.filter((file) => file !== `${name}.js`).map((file) => `./${file}`).sort();
};

const empty = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
};

if (import.meta.main) await buildDeployables(process.argv[2] ?? ROOT);
