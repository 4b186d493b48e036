import { describe, expect, it } from 'vitest';
import { FIRST_DRIVER } from '../../client/first-call.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, tokenOf } from '../fixtures/dashboard.ts';

describe('a dispatcher', () => {
  const open = useBrowser();

  it('signs in, sees a call come up, opens it and reads it to its end, proved', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    await signInOn(page);
    const token = await tokenOf(product);
    await fetch(`${product.url}/driver_data/call-elevenlabs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ driver_ids: [FIRST_DRIVER], violation_types: ['speeding'] }),
    });
    await page.locator('.board a').first().click();
    await page.getByText('complete').first().waitFor();
    expect(await page.locator('.transcript li').count()).toBeGreaterThan(3);
  });
});
