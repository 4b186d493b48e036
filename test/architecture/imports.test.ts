import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The import picture of ARCHITECTURE.md: each place with what it may import at run time, and what only as types. */
interface Rule {
  readonly files: RegExp;
  readonly imports: readonly RegExp[];
  readonly types?: readonly RegExp[];
  readonly packages: readonly (string | RegExp)[];
}

const CORE = /^core\//;
const PORT_TYPES = /^ports\/[a-z-]+\.ts$/;

const RULES: readonly Rule[] = [
  { files: /^core\/protocol\/(codes|limits)\.ts$/, imports: [], packages: [] },
  { files: /^core\/protocol\/rest\.ts$/, imports: [/^core\/protocol\//], types: [CORE], packages: ['zod', '@hono/zod-openapi'] },
  { files: /^core\/(protocol\/|settings)/, imports: [/^core\/protocol\//, /^core\/settings/], types: [CORE], packages: ['zod'] },
  { files: /^core\/domain\//, imports: [CORE], packages: [] },
  { files: /^ports\/firestore-(database|queries)\.ts$/, imports: [CORE, /^ports\//], packages: ['@google-cloud/firestore'] },
  { files: /^ports\/event-bus\.pubsub-channel\.ts$/, imports: [CORE, /^ports\//], packages: ['@grpc/grpc-js', 'google-auth-library'] },
  { files: /^ports\/[a-z-]+\.ts$/, imports: [CORE, /^ports\//], packages: [/^node:/, 'zod', 'jose'] },
  { files: /^ports\/[a-z-]+\.[a-z-]+\.ts$/, imports: [CORE, /^ports\//], packages: [/^node:/, 'zod', 'jose', 'pino', 'prom-client', 'ws', '@sentry/core', /^@google-cloud\/(firestore|pubsub|storage)$/] },
  // Composition roots choose the ways.
  { files: /^(functions\/index|ws-relay\/main)\.ts$/, imports: [CORE, /^ports\//, /^functions\//, /^ws-relay\//], packages: [/^node:/, '@google-cloud/functions-framework'] },
  { files: /^functions\//, imports: [CORE, /^functions\//], types: [PORT_TYPES], packages: [/^node:/, 'hono', /^hono\//, '@hono/zod-openapi', '@hono/node-server', 'zod'] },
  { files: /^ws-relay\//, imports: [CORE, /^ws-relay\//], types: [PORT_TYPES], packages: [/^node:/, 'ws', 'zod'] },
  { files: /^client\/dashboard\//, imports: [/^client\//, /^core\/domain\//, /^core\/protocol\/(codes|limits)\.ts$/], types: [CORE], packages: ['preact', 'preact/hooks', '@preact/signals', 'uplot'] },
  { files: /^client\/react\.ts$/, imports: [/^client\/[a-z-]+\.ts$/, /^core\/domain\//], types: [CORE], packages: ['react'] },
  // The library: no dependency, and nothing of the dashboard.
  { files: /^client\//, imports: [/^client\/[a-z0-9-]+\.ts$/, /^core\/domain\//, /^core\/protocol\/(codes|limits)\.ts$/], types: [CORE], packages: [] },
  { files: /^local\//, imports: [/^(core|ports|functions|ws-relay|client|local)\//], packages: [/^node:/, 'esbuild', 'ws', 'zod', '@google-cloud/pubsub'] },
  { files: /^cli\//, imports: [/^(core|ports|functions|client|local|cli)\//], packages: [/^node:/, 'commander', 'ws', 'zod'] },
];

interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const ROOT = new URL('../../', import.meta.url).pathname;
const PLACES = ['core', 'ports', 'functions', 'ws-relay', 'client', 'local', 'cli'];

const filesUnder = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\/(?:dist|package)\b/.test(entry.parentPath))
    .map((entry) => posix.join(entry.parentPath.slice(ROOT.length), entry.name));

const importsOf = (file: string): Import[] => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = [...text.matchAll(/^(?:import|export)\b([^;'"=]*?)\bfrom\s+['"]([^'"]+)['"]/gm), ...text.matchAll(/^import()\s+['"]([^'"]+)['"]/gm)];
  const dynamic = [...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)];
  return [
    ...found.map(([, what = '', specifier = '']) => ({ from: file, specifier, typeOnly: isTypeOnly(what) })),
    ...dynamic.map(([, specifier = '']) => ({ from: file, specifier, typeOnly: false })),
  ];
};

/** `import type ...`, or braces in which every name is a type. */
const isTypeOnly = (what: string): boolean => {
  const names = what.trim();
  if (names.startsWith('type ')) return true;
  return names.startsWith('{') && names.replace(/[{}]/g, '').split(',').map((name) => name.trim()).filter((name) => name !== '').every((name) => name.startsWith('type '));
};

const isAllowed = ({ from, specifier, typeOnly }: Import, rule: Rule): boolean => {
  if (!specifier.startsWith('.')) return rule.packages.some((name) => (typeof name === 'string' ? name === specifier : name.test(specifier)));
  const target = posix.join(posix.dirname(from), specifier);
  return /\.tsx?$/.test(target) ? [...rule.imports, ...(typeOnly ? (rule.types ?? []) : [])].some((allowed) => allowed.test(target)) : /\.(html|css|json)$/.test(target);
};

const all = PLACES.flatMap(filesUnder);

describe('the import picture', () => {
  it.each(PLACES)('holds in %s', (place) => {
    const files = all.filter((file) => file.startsWith(`${place}/`));
    const wrong = files.flatMap((file) => {
      const rule = RULES.find((candidate) => candidate.files.test(file));
      if (rule === undefined) return [`${file}: no rule for it`];
      return importsOf(file).filter((one) => !isAllowed(one, rule)).map((one) => `${file} imports ${one.specifier}`);
    });
    expect(files.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });

  it('notices a forbidden import, at run time and as a type', () => {
    const judged = (from: string, specifier: string, typeOnly: boolean): boolean => {
      const rule = RULES.find((candidate) => candidate.files.test(from));
      return rule !== undefined && isAllowed({ from, specifier, typeOnly }, rule);
    };
    expect(judged('core/domain/x.ts', '../../ports/runtime.ts', true)).toBe(false);
    expect(judged('core/domain/x.ts', 'node:fs', false)).toBe(false);
    expect(judged('functions/x.ts', '../ports/call-log.ts', true)).toBe(true);
    expect(judged('functions/x.ts', '../ports/call-log.ts', false)).toBe(false);
    expect(judged('functions/x.ts', '../ports/call-log.sqlite.ts', true)).toBe(false);
    expect(judged('client/x.ts', '../core/protocol/frames.ts', false)).toBe(false);
    expect(judged('client/x.ts', '../core/protocol/frames.ts', true)).toBe(true);
  });

  it('reads imports of every form', () => {
    const forms: readonly (readonly [string, boolean])[] = [[' type { A } ', true], [' { type A, type B } ', true], [' { type A, b } ', false], [' a ', false], [' * as a ', false], [' ', false]];
    expect(forms.map(([what]) => isTypeOnly(what))).toEqual(forms.map(([, typeOnly]) => typeOnly));
  });
});
