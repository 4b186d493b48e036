/**
 * Extracts from the generated packages `@cdktf/provider-google` and `@cdktf/provider-google-beta` what Terraform's Google
 * providers take: the resource types that `infra/` uses, with attributes, nesting, types and what is required, into
 * `infra/provider-schema.json`. The test of `infra/` reads that file, so no provider has to be fetched to run it.
 *
 * `node scripts/provider-schema.ts [folder]` - the folder holds both packages unpacked, as `provider-google` and
 * `provider-google-beta`; without it they are fetched with `npm pack`. To be run when `infra/` takes up a new type.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A block as the provider declares it. An attribute is `string`, `number`, `bool`, `map(string)`, `list(string)` ...; `!` marks a required one. */
interface BlockSchema {
  readonly attributes: Readonly<Record<string, string>>;
  readonly blocks: Readonly<Record<string, NestedSchema>>;
  /** What can be read of it besides. */
  readonly computed: readonly string[];
}

interface NestedSchema extends BlockSchema {
  /** More than one may stand in a row. */
  readonly many: boolean;
  readonly required: boolean;
}

const ROOT = new URL('../', import.meta.url).pathname;
const PACKAGES = [
  { name: 'provider-google', version: '16.12.1', prefix: '' },
  // Its folders and classes begin with `google-`; its types have the same names as the other's.
  { name: 'provider-google-beta', version: '16.12.1', prefix: 'google-' },
] as const;
const NOTICE =
  'Extracted by scripts/provider-schema.ts from @cdktf/provider-google and @cdktf/provider-google-beta, Copyright (c) HashiCorp, Inc., licensed under the Mozilla Public License 2.0 (https://mozilla.org/MPL/2.0/). This file stays under that licence.';

const texts = readdirSync(join(ROOT, 'infra')).filter((name) => name.endsWith('.tf')).map((name) => readFileSync(join(ROOT, 'infra', name), 'utf8'));

/** `google_pubsub_topic` and `data.google_project`, as they stand in the text of `infra/`. */
const typesUsed = (): string[] => {
  const found = texts.flatMap((text) => [...text.matchAll(/^(resource|data) "(google_\w+)"/gm)].map(([, kind, type]) => `${kind === 'data' ? 'data.' : ''}${type ?? ''}`));
  return [...new Set(found)].sort();
};

const fetched = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'provider-schema-'));
  for (const { name, version } of PACKAGES) {
    const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', `@cdktf/${name}@${version}`], { cwd: folder, encoding: 'utf8' })) as { readonly filename: string }[];
    if (packed === undefined) throw new Error(`npm packed nothing of ${name}`);
    mkdirSync(join(folder, name));
    execFileSync('tar', ['xzf', packed.filename, '--strip-components=1', '-C', name], { cwd: folder });
  }
  return folder;
};

/** One generated type: its JavaScript tells names and nesting, its declarations what is optional. */
class Generated {
  readonly #js: string;
  readonly #declarations: string;
  readonly className: string;

  constructor(folder: string) {
    this.#js = readFileSync(join(folder, 'index.js'), 'utf8');
    this.#declarations = readFileSync(join(folder, 'index.d.ts'), 'utf8');
    const name = /class (\w+) extends cdktf\.Terraform(?:Resource|DataSource) /.exec(this.#js)?.[1];
    if (name === undefined) throw new Error(`${folder} holds no type`);
    this.className = name;
  }

  /** `hashicorp/google 6.50.0`, as the links in its comments say. */
  provider(): string {
    const [, owner, version] = /providers\/(hashicorp\/[\w-]+)\/([\d.]+)\//.exec(this.#declarations) ?? [];
    return `${owner ?? ''} ${version ?? ''}`;
  }

  resource(): BlockSchema {
    return this.#block(this.#between(this.#classText(this.className), 'synthesizeHclAttributes() {', '\n    }'), `${this.className}Config`, this.className);
  }

  #nested(converter: string): BlockSchema {
    const text = this.#between(this.#js, `function ${converter}(struct) {`, '\n}');
    const name = `${converter.charAt(0).toUpperCase()}${converter.slice(1, -'ToHclTerraform'.length)}`;
    return this.#block(text, name, `${name}OutputReference`);
  }

  /**
   * @param text the function that names each attribute and nested block
   * @param declared the interface of what may be written
   * @param reference the class of what may be read
   */
  #block(text: string, declared: string, reference: string): BlockSchema {
    const required = this.#required(declared);
    const attributes: Record<string, string> = {};
    const blocks: Record<string, NestedSchema> = {};
    for (const [, name = '', value = '', isBlock, kind, stored = ''] of text.matchAll(/^ +(\w+): \{\n +value: (.*),\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "(\w+)",/gm)) {
      const written = /(?:struct\.|this\._)(\w+)/.exec(value)?.[1] ?? '';
      if (isBlock === 'true') {
        const converter = /(\w+ToHclTerraform)[,(]/.exec(value)?.[1];
        if (converter === undefined) throw new Error(`${declared}.${name} has no converter`);
        blocks[name] = { many: value.includes('listMapperHcl'), required: required.has(written), ...this.#nested(converter) };
      } else {
        attributes[name] = `${typeOf(kind ?? '', stored)}${required.has(written) ? '!' : ''}`;
      }
    }
    const readable = [...this.#classText(reference).matchAll(/(?:Attribute\(|new [\w.]+\(this, )['"](\w+)['"]/g)].map(([, name]) => name ?? '');
    const computed = [...new Set(readable)].filter((name) => !(name in attributes) && !(name in blocks)).sort();
    return { attributes: sorted(attributes), blocks: sorted(blocks), computed };
  }

  #required(declared: string): Set<string> {
    const text = this.#between(this.#declarations, new RegExp(`export interface ${declared} (?:extends [\\w.]+ )?\\{`), '\n}');
    return new Set([...text.matchAll(/^ {4}readonly (\w+): /gm)].map(([, name]) => name ?? ''));
  }

  #classText(name: string): string {
    return this.#between(this.#js, new RegExp(`class ${name} extends [\\w.]+ \\{`), '\n}');
  }

  #between(text: string, start: string | RegExp, end: string): string {
    const at = typeof start === 'string' ? text.indexOf(start) : (start.exec(text)?.index ?? -1);
    if (at < 0) throw new Error(`${this.className}: ${String(start)} not found`);
    return text.slice(at, text.indexOf(end, at));
  }
}

const sorted = <T>(entries: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));

const typeOf = (kind: string, stored: string): string => {
  if (kind === 'simple') return stored === 'boolean' ? 'bool' : stored;
  const [, element = 'any'] = /^(string|number|boolean)(?:List|Map|Set)$/.exec(stored) ?? [];
  return `${kind}(${element === 'boolean' ? 'bool' : element})`;
};

/** Blocks that `infra/` does not use stay by their names alone: what they hold would be most of the file. */
const withoutUnused = ({ blocks, ...schema }: BlockSchema): object => ({
  ...schema,
  blocks: Object.fromEntries(Object.entries(blocks).map(([name, { many, required, ...nested }]) => [name, { many, required, ...(isUsed(name) ? withoutUnused(nested) : {}) }])),
});

const isUsed = (name: string): boolean => texts.some((text) => new RegExp(`^ *(?:dynamic "${name}"|${name}) \\{`, 'm').test(text));

const folderOf = (packages: string, type: string): string => {
  const data = type.startsWith('data.');
  const words = type.replace(/^data\./, '').replace(/^google_/, '').replaceAll('_', '-');
  for (const { name, prefix } of PACKAGES) {
    const folder = join(packages, name, 'lib', `${data ? 'data-google-' : ''}${prefix}${words}`);
    if (existsSync(folder)) return folder;
  }
  throw new Error(`neither package knows ${type}`);
};

const [given] = process.argv.slice(2);
const packages = given ?? fetched();
try {
  const types = typesUsed().map((type) => ({ type, generated: new Generated(folderOf(packages, type)) }));
  const document = {
    notice: NOTICE,
    providers: [...new Set(types.map(({ generated }) => generated.provider()))].sort(),
    types: Object.fromEntries(types.map(({ type, generated }) => [type, withoutUnused(generated.resource())])),
  };
  // One line for each attribute, and short lists in one: small, and a change of the provider is a readable difference.
  const text = JSON.stringify(document, null, 1).replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, inner: string) => `[${inner.replaceAll(/\s*\n\s*/g, ' ')}]`);
  writeFileSync(join(ROOT, 'infra/provider-schema.json'), `${text}\n`);
} finally {
  if (given === undefined) rmSync(packages, { recursive: true, force: true });
}
