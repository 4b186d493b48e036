/**
 * `npm run pictures`: a picture of every view, light and dark, in docs/pictures: the README's. Made on the fly from the product itself, in
 * the Chromium and with the font of the tests, so that only what changed on the screen changes in them.
 */
import { mkdirSync } from 'node:fs';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Product } from '../../local/product.ts';
import { launchChromium, unpackChromium } from '../fixtures/chromium.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';
import { beginShift, newDay, type Shift } from '../fixtures/shift.ts';

const FOLDER = new URL('../../docs/pictures/', import.meta.url).pathname;
const DESK = { width: 1440, height: 900 } as const;
const PHONE = { width: 390, height: 844 } as const;

export interface Scene {
  readonly name: string;
  readonly size: { readonly width: number; readonly height: number };
  /** Brings a signed-in page to the view. */
  readonly show: (page: Page, shift: Shift, product: Product) => Promise<void>;
}

const at = async (page: Page, product: Product, hash: string, shown: string | RegExp): Promise<void> => {
  await page.goto(`${product.url}/${hash}`);
  await page.getByText(shown).filter({ visible: true }).first().waitFor();
};

/** Every view there is. */
export const SCENES: readonly Scene[] = [
  {
    name: 'live',
    size: DESK,
    show: async (page, shift, product) => {
      await at(page, product, `#/board/calls/${encodeURIComponent(shift.live)}`, 'asleep in the cab');
      // The board has these words too, perhaps earlier; what is being spoken reaches only whoever follows the call.
      await page.locator('.transcript').getByText('asleep in the cab').waitFor();
      await shift.speak();
      await page.getByText('and somebody will').first().waitFor();
    },
  },
  { name: 'ended', size: DESK, show: (page, shift, product) => at(page, product, `#/board/calls/${encodeURIComponent(shift.ended)}`, 'Complete, proved') },
  { name: 'board', size: DESK, show: (page, _shift, product) => at(page, product, '#/board', 'Test Driver Two') },
  { name: 'history', size: DESK, show: (page, _shift, product) => at(page, product, '#/history', 'Test Driver Two') },
  {
    name: 'figures',
    size: DESK,
    show: async (page, shift, product) => {
      await at(page, product, '#/figures', /calls per hour/i);
      // Before that nothing is measured.
      await page.locator('.connection').getByText(/^Live,/).first().waitFor();
      await shift.murmur();
      await page.getByText('not measured yet').waitFor({ state: 'hidden' });
      await page.locator('canvas').nth(2).waitFor();
    },
  },
  { name: 'quarantine', size: DESK, show: (page, _shift, product) => at(page, product, '#/quarantine', 'conv_stranger_0') },
  {
    name: 'start-call',
    size: DESK,
    show: async (page, _shift, product) => {
      await at(page, product, '#/board', 'Test Driver Two');
      await page.getByRole('button', { name: /start a call/i }).click();
      await page.getByRole('dialog').getByText('Test Driver Three').waitFor();
    },
  },
  { name: 'phone-board', size: PHONE, show: (page, _shift, product) => at(page, product, '#/board', 'Test Driver Two') },
  { name: 'phone-call', size: PHONE, show: (page, shift, product) => at(page, product, `#/board/calls/${encodeURIComponent(shift.live)}`, 'asleep in the cab') },
];

export const THEMES = ['light', 'dark'] as const;

/** As every picture is taken: the same zone and language on every machine, nothing in motion. */
export const asInPictures = (theme: (typeof THEMES)[number], size: Scene['size']): BrowserContextOptions => ({ locale: 'en-US', timezoneId: 'America/Chicago', viewport: size, colorScheme: theme, reducedMotion: 'reduce' });

const takeAll = async (only: readonly string[]): Promise<void> => {
  mkdirSync(FOLDER, { recursive: true });
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const day = newDay();
    const product = await startDashboard({}, (end) => void ends.push(end), day.runtime);
    const browser = await launchChromium(await unpackChromium());
    ends.push(() => browser.close());
    const shift = await beginShift(product, day);
    for (const theme of THEMES) {
      const first = await browser.newContext(asInPictures(theme, DESK));
      const page = await first.newPage();
      await page.goto(product.url);
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      await page.screenshot({ path: `${FOLDER}sign-in-${theme}.png` });
      await signInOn(page);
      for (const { name, size, show } of SCENES.filter((scene) => only.length === 0 || only.includes(scene.name))) {
        await page.setViewportSize(size);
        // The dialog of the scene before: an address alone does not close it.
        if ((await page.getByRole('dialog').count()) > 0) await page.keyboard.press('Escape');
        await show(page, shift, product);
        // Whatever was loaded on the way is painted.
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
        await page.screenshot({ path: `${FOLDER}${name}-${theme}.png` });
        process.stdout.write(`docs/pictures/${name}-${theme}.png\n`);
      }
      await first.close();
    }
  } finally {
    for (const end of ends.reverse()) await end();
  }
};

if (import.meta.main) await takeAll(process.argv.slice(2));
