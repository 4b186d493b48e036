import { describe, expect, it } from 'vitest';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';

describe('a part of the page that fails', () => {
  const open = useBrowser();

  it('says so in its place, and leaves the rest of the page alive', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url, { expected: /TypeError/ });
    await signInOn(page);
    // What no API of ours answers: a list of nothing that can be drawn.
    await page.route(/\/calls(\?|$)/, (route) => route.fulfill({ json: { calls: [null], next_cursor: null } }));
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('alert').getByText(/has failed and shows nothing any more/).waitFor();
    await page.getByRole('link', { name: 'Live calls' }).click();
    await page.getByText(/no calls now/i).waitFor();
    expect(await page.getByText(/has failed/).count()).toBe(0);
  });
});
