import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, tokenOf, waitForConnection } from '../fixtures/dashboard.ts';
import { beginShift, newDay } from '../fixtures/shift.ts';
import type { HourlyFigures } from '../../core/protocol/rest.ts';

const open = useBrowser();

const tile = (page: Page, name: string): Promise<string> => page.locator('.tile', { hasText: name }).locator('strong').first().innerText();

/** Colours that are painted in the chart of that name, by how many pixels. */
const painted = (page: Page, name: string): Promise<number> =>
  page
    .locator('figure', { hasText: name })
    .locator('canvas')
    .evaluate((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const { data } = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height) ?? { data: [] };
      const colours = new Set<string>();
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) colours.add(`${data[at] ?? 0},${data[at + 1] ?? 0},${data[at + 2] ?? 0}`);
      return colours.size;
    });

describe('figures', () => {
  it('are what the API counted, as tiles, as charts and as numbers, in both themes', async () => {
    const day = newDay();
    const product = await startDashboard({}, undefined, day.runtime);
    await beginShift(product, day);
    const { page } = await open(`${product.url}/#/figures`);
    await signInOn(page);
    await page.locator('canvas').nth(2).waitFor();
    const answer = await fetch(`${product.url}/stats/hours?hours=24`, { headers: { authorization: `Bearer ${await tokenOf(product)}` } });
    const { totals, hours } = (await answer.json()) as HourlyFigures;
    expect([await tile(page, 'Calls'), await tile(page, 'Cost')]).toEqual([String(totals.calls), `$${totals.cost.toFixed(2)}`]);
    for (const name of ['Calls per hour', 'How long calls lasted', 'Cost per hour, dollars']) expect([name, (await painted(page, name)) > 1]).toEqual([name, true]);
    await page.getByText('All figures as numbers').click();
    const told = await page.locator('.number-tables table').first().locator('tbody tr').allInnerTexts();
    expect(told).toHaveLength(24);
    expect(told.map((line) => Number(line.split('\t')[1])).reverse()).toEqual(hours.map(({ calls }) => calls));
    expect(await barriers(page)).toEqual([]);

    await page.getByRole('button', { name: '7 days' }).click();
    await expect.poll(() => page.locator('.number-tables table').first().locator('tbody tr').count()).toBe(168);
    expect(new URL(page.url()).hash).toBe('#/figures?hours=168');
    await page.setViewportSize({ width: 360, height: 640 });
    await expect.poll(() => page.locator('canvas').first().evaluate((canvas) => canvas.clientWidth)).toBeLessThan(345);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  });

  it('of another time are not shown where those that were asked for cannot be had; and a call that failed without a word makes no other longer', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    const none = { calls: 0, completed: 0, failed: 0, active: 0, cost: 0, cost_credits: 0, priced: 0, priced_in_credits: 0, seconds: 0 };
    let isDown = false;
    await page.route('**/stats/hours?*', (route) => {
      if (isDown) return route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ code: 'store_unavailable', title: 'x', detail: 'The store does not answer.', retryable: true }) });
      const at = '2026-11-22T10:00:00.000Z';
      const figures: HourlyFigures = {
        since: at, counted_at: at, complete: true, counted_since: at,
        totals: { ...none, calls: 4, completed: 1, failed: 3, seconds: 180 },
        hours: Array.from({ length: 24 }, () => ({ at, ...none })),
        outcomes: { successful: 1, unsuccessful: 0, not_judged: 0, failed: 3 },
        durations: [{ up_to_seconds: 60, calls: 2 }, { up_to_seconds: null, calls: 1 }],
      };
      return route.fulfill({ json: figures });
    });
    await signInOn(page);
    await page.getByRole('link', { name: 'Figures' }).click();
    await expect.poll(() => page.locator('.tile', { hasText: 'Time on the phone' }).innerText()).toMatch(/3:00\s+1:00 a call/);
    isDown = true;
    await page.getByRole('button', { name: '7 days' }).click();
    await page.getByText('There are no figures just now.').waitFor();
    expect(await page.locator('.tile').count()).toBe(0);
    isDown = false;
    await page.getByRole('button', { name: '24 hours' }).click();
    await page.locator('.tile').first().waitFor();
  });

  it('say that there is nothing yet where there is nothing', async () => {
    const product = await startDashboard();
    const { page } = await open(`${product.url}/#/figures`);
    await signInOn(page);
    for (const words of ['No calls in this time.', 'No call has ended in this time.', 'No call in this time has a price yet.']) await page.getByText(words).waitFor();
    expect(await page.locator('canvas').count()).toBe(0);
    expect(await tile(page, 'Delay to this screen')).toBe('not measured yet');
    expect(await barriers(page)).toEqual([]);
  });

  it('measure how late this screen is: by what changes while it watches, never by what was there', async () => {
    const day = newDay();
    const product = await startDashboard({}, undefined, day.runtime);
    const shift = await beginShift(product, day);
    const { page } = await open(`${product.url}/#/figures`);
    await signInOn(page);
    await waitForConnection(page, /^Live/);
    await page.locator('canvas').nth(2).waitFor();
    await shift.murmur();
    await expect.poll(() => tile(page, 'Delay to this screen')).toMatch(/^\d+ ms$|^\d\.\d s$/);
    // Ten calls stood on the board when it came. A job may have changed one since.
    const told = await page.getByText(/half of \d+ changes? in 15 minutes/).innerText();
    expect(Number(/half of (\d+) /.exec(told)?.[1])).toBeLessThan(5);
  });

  it('are drawn also where the browser has no language that anybody knows', async () => {
    const day = newDay();
    const product = await startDashboard({}, undefined, day.runtime);
    await beginShift(product, day);
    const { page } = await open('about:blank', { friends: [product.url] });
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'language', { configurable: true, get: () => 'en-US@posix' }));
    await page.goto(`${product.url}/#/figures`);
    await signInOn(page);
    await page.locator('canvas').nth(2).waitFor();
    expect(await page.evaluate(() => navigator.language)).toBe('en-US@posix');
    expect(await painted(page, 'Calls per hour')).toBeGreaterThan(1);
  });
});
