import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, waitForWords, wordsOn } from '../fixtures/dashboard.ts';
import { spokenCall } from '../fixtures/spoken-call.ts';

describe('what was asked for and is no longer what is shown', () => {
  const open = useBrowser();
  const ends: (() => Promise<unknown>)[] = [];
  let product: Product;
  beforeAll(async () => {
    product = await startDashboard({}, (end) => void ends.push(end));
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  it('is not shown: the whole of a long text gives way to its correction', async () => {
    const call = spokenCall(product, 'conv_long_corrected');
    const long = `Begin ${'mile '.repeat(6_000)}`;
    await call.say('agent', `${long}end`, { turn_id: 'a', rev: 1 });
    const { page } = await open(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page);
    const all = page.getByRole('button', { name: /show all/ });
    await all.click();
    await expect.poll(async () => (await wordsOn(page))[0]?.trim().endsWith('end')).toBe(true);
    expect(await all.count()).toBe(0);
    await call.say('agent', `Corrected ${long}finally`, { turn_id: 'a', rev: 2 });
    await expect.poll(async () => (await wordsOn(page))[0]?.slice(0, 15)).toBe('Corrected Begin');
    await all.click();
    await expect.poll(async () => (await wordsOn(page))[0]?.trim().endsWith('finally')).toBe(true);
    await call.say('agent', 'Short', { turn_id: 'a', rev: 3 });
    await waitForWords(page, ['Short']);
    expect(await all.count()).toBe(0);
  });
});
