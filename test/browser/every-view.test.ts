import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';
import { beginShift, newDay, type Shift } from '../fixtures/shift.ts';
import { asInPictures, SCENES, THEMES } from './pictures.ts';

/** What axe finds that keeps somebody out. */
const barriers = async (page: Page): Promise<string[]> => {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
};

/** Pixels that stand out to the right of the screen. */
const overhang = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe('every view', () => {
  const open = useBrowser();
  const ends: (() => Promise<unknown>)[] = [];
  let product: Product;
  let shift: Shift;
  beforeAll(async () => {
    const day = newDay();
    product = await startDashboard({}, (end) => void ends.push(end), day.runtime);
    shift = await beginShift(product, day);
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  it.each(THEMES)('can be used by everybody, %s', async (theme) => {
    const { page } = await open(product.url, asInPictures(theme, { width: 1440, height: 900 }));
    const found: string[] = (await barriers(page)).map((barrier) => `sign-in: ${barrier}`);
    await signInOn(page);
    for (const { name, size, show } of SCENES) {
      await page.setViewportSize(size);
      await show(page, shift, product);
      found.push(...(await barriers(page)).map((barrier) => `${name}: ${barrier}`));
      if ((await overhang(page)) > 0) found.push(`${name}: stands out to the right`);
    }
    expect(found).toEqual([]);
  });

  it('fits a narrow phone, and a page at twice its size', async () => {
    const { page } = await open(product.url, asInPictures('light', { width: 360, height: 640 }));
    await signInOn(page);
    const found: string[] = [];
    for (const { name, show } of SCENES) {
      await page.setViewportSize({ width: 360, height: 640 });
      await show(page, shift, product);
      const over = await overhang(page);
      if (over > 0) found.push(`${name} at 360: ${over}`);
      // 1280 pixels at 200 %.
      await page.setViewportSize({ width: 640, height: 400 });
      const zoomed = await overhang(page);
      if (zoomed > 0) found.push(`${name} at 640: ${zoomed}`);
    }
    expect(found).toEqual([]);
  });
});
