import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { firstCallLine } from '../../client/first-call.ts';
import { projectFiles, textOf as text } from '../fixtures/tree.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const documents = projectFiles().filter((path) => path.endsWith('.md'));

describe('the documents', () => {
  it('point only at files that are there', () => {
    const dead = documents.flatMap((path) =>
      [...text(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, target]) => posix.join(posix.dirname(path), target ?? '')).filter((target) => !existsSync(`${ROOT}${target}`)).map((target) => `${path} -> ${target}`),
    );
    expect(documents.length).toBeGreaterThan(10);
    expect(dead).toEqual([]);
  });

  it('name only files and folders of the tree that are there', () => {
    const named = documents.flatMap((path) => [...text(path).matchAll(/`((?:core|ports|functions|ws-relay|client|local|cli|test|docs|infra)\/[\w./-]+)`/g)].map(([, target]) => ({ path, target: target ?? '' })));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ target }) => !existsSync(`${ROOT}${target}`) && !target.includes('dist'))).toEqual([]);
  });

  it('show the line that starts a first call as it is printed', () => {
    expect(text('README.md')).toContain(firstCallLine('http://127.0.0.1:8080'));
  });

  it('name in .env.example only settings that there are', () => {
    const known = new Set([...text('docs/generated/settings.md').matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name));
    const shown = [...text('.env.example').matchAll(/^#?\s*([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name);
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.filter((name) => !known.has(name))).toEqual([]);
  });
});
