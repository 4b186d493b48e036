import { afterAll, beforeAll, expect, it } from 'vitest';
import { ERRORS } from '../../core/protocol/codes.ts';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';

/** As much of a browser's page as the script uses: text is only ever text here, as it is there. */
class FakeElement {
  readonly attributes: Record<string, string> = {};
  readonly children: (FakeElement | string)[] = [];
  textContent = '';
  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }
  append(...children: (FakeElement | string)[]): void {
    this.children.push(...children);
  }
  text(): string {
    return [this.textContent, ...this.children.map((child) => (typeof child === 'string' ? child : child.text()))].join(' ');
  }
  all(): FakeElement[] {
    return [this, ...this.children.flatMap((child) => (typeof child === 'string' ? [] : child.all()))];
  }
}

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

it('the docs page shows every route, its form, and every code under the name that problem documents point to', async () => {
  const script = await (await api.ask(null, 'GET', '/docs/page.js')).text();
  const places = { about: new FakeElement(), contents: new FakeElement(), routes: new FakeElement() };
  const document = { createElement: () => new FakeElement(), getElementById: (id: string) => (places as Record<string, FakeElement>)[id] ?? null };
  const { constructor: run } = Object.getPrototypeOf(async () => undefined) as { constructor: new (...text: string[]) => (...values: unknown[]) => Promise<void> };
  await new run('document', 'location', 'fetch', script)(document, { hash: '' }, (path: string) => fetch(api.url + path));

  const { body } = await api.json(null, 'GET', '/openapi.json');
  const ids = new Set(places.routes.all().map((element) => element.attributes['id']));
  for (const [path, methods] of Object.entries(body['paths'] as Record<string, object>)) for (const method of Object.keys(methods)) expect(ids).toContain(method + path);
  for (const code of Object.keys(ERRORS)) expect(ids).toContain(code);
  expect(places.about.textContent).toBe('Voice-agent calls within earshot of the people who answer for them. Version 0.0.0-test.');
  const shown = places.routes.text();
  expect(shown).toContain('"username": "string"');
  expect(shown).toContain('"direction": "outbound | inbound | null"');
  expect(shown).not.toMatch(/undefined|\[object Object\]/);
});
