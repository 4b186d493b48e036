import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, waitForConnection } from '../fixtures/dashboard.ts';
import { beginShift, newDay, type Shift } from '../fixtures/shift.ts';
import { spokenCall } from '../fixtures/spoken-call.ts';

const rows = (page: Page): Promise<number> => page.locator('.history tbody tr').count();
const column = (page: Page, name: string): Promise<string[]> => page.locator(`.history tbody .${name}`).allInnerTexts();

describe('the history', () => {
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

  const historyOn = async (filter = '') => {
    const opened = await open(`${product.url}/#/history${filter}`);
    await signInOn(opened.page);
    await opened.page.locator('.history, .empty strong').first().waitFor();
    return opened.page;
  };

  it('is read page by page, the newest first, each call once', async () => {
    const all = (await product.parts.callLog.list({ tenant: 'local', limit: 1_000 })).calls.map(({ call_sid }) => `#/history/calls/${encodeURIComponent(call_sid)}`);
    expect(all.length > 100 && all.length <= 150).toBe(true);
    const page = await historyOn();
    await expect.poll(() => rows(page)).toBe(50);
    for (const count of [100, all.length]) {
      await page.getByRole('button', { name: 'Load more' }).click();
      await expect.poll(() => rows(page)).toBe(count);
    }
    await page.getByText(`${all.length} calls`, { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Load more' }).count()).toBe(0);
    expect(await page.locator('.history .h-driver a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual(all);
    await page.getByRole('columnheader', { name: 'Started (CST)' }).waitFor();
    expect(await barriers(page)).toEqual([]);
  });

  it('is searched and narrowed by an address that can be kept, and says when nothing fits', async () => {
    const page = await historyOn('?status=failed');
    await expect.poll(() => rows(page)).toBeGreaterThan(3);
    expect([new Set(await column(page, 'h-status')), new Set(await column(page, 'h-outcome'))]).toEqual([new Set(['Failed']), new Set(['Nobody picked up'])]);
    await page.getByRole('searchbox').fill('driver nine');
    await expect.poll(() => column(page, 'h-driver').then((names) => new Set(names))).toEqual(new Set(['Test Driver Nine']));
    await page.getByLabel('Status').selectOption('');
    await expect.poll(() => rows(page)).toBeGreaterThan(8);
    await page.getByLabel('Since').selectOption('7d');
    expect(new URL(page.url()).hash).toBe('#/history?q=driver+nine&since=7d');
    await page.getByRole('searchbox').fill('nobody has this name');
    await page.getByText('No call fits.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(() => rows(page)).toBe(50);
    expect(await page.getByRole('searchbox').inputValue()).toBe('');
    await page.evaluate(() => {
      location.hash = '#/history?q=driver+nine';
    });
    await expect.poll(() => page.getByRole('searchbox').inputValue()).toBe('driver nine');
  });

  it('shows no calls that do not fit, also where those that do cannot be read', async () => {
    const page = await historyOn();
    await expect.poll(() => rows(page)).toBe(50);
    await page.route('**/calls?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ code: 'store_unavailable', title: 'x', detail: 'The store does not answer: try again.', retryable: true }) }));
    await page.getByLabel('Status').selectOption('failed');
    await page.getByText('The calls could not be read.').waitFor();
    expect([await rows(page), await page.getByRole('button', { name: 'Load more' }).count()]).toEqual([0, 0]);
    await page.unroute('**/calls?*');
    await page.getByRole('button', { name: 'Refresh' }).click();
    await expect.poll(() => rows(page)).toBeGreaterThan(3);
    expect(new Set(await column(page, 'h-status'))).toEqual(new Set(['Failed']));
  });

  it('has the calls of today where the clock of the desk is of another day', async () => {
    const { page } = await open(product.url);
    await page.clock.install({ time: Date.now() + 3 * 24 * 3_600_000 });
    await page.reload();
    await signInOn(page);
    await waitForConnection(page, /^Live/);
    const asked = page.waitForRequest(/\/calls\?.*since=/);
    await page.evaluate(() => {
      location.hash = '#/history?since=today';
    });
    const since = new URL((await asked).url()).searchParams.get('since') ?? '';
    const ago = product.parts.runtime.now() - Date.parse(since);
    expect(ago >= 0 && ago < 25 * 3_600_000).toBe(true);
  });

  it('opens a call beside the list, by its row and by its address', async () => {
    const page = await historyOn();
    await page.locator('.history tbody tr', { hasText: 'Hours of service, with a reason' }).locator('.h-summary').click();
    await page.getByText('Complete, proved').first().waitFor();
    expect(decodeURIComponent(new URL(page.url()).hash)).toBe(`#/history/calls/${shift.ended}`);
    expect(await page.locator('.history tbody tr[aria-selected=true] .h-driver').innerText()).toBe('Test Driver Eleven');
    await page.reload();
    await page.getByText('Complete, proved').first().waitFor();
    await expect.poll(() => rows(page)).toBe(50);
  });

  it('is saved as a file with the same narrowing', async () => {
    const page = await historyOn('?status=failed');
    await expect.poll(() => rows(page)).toBeGreaterThan(3);
    const count = await rows(page);
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
    const lines = readFileSync(await saved.path(), 'utf8').trim().split('\r\n');
    expect([saved.suggestedFilename(), lines[0]?.split(',').slice(0, 3), lines.length]).toEqual([expect.stringMatching(/^calls-\d{4}-\d\d-\d\d\.csv$/), ['call_sid', 'conversation_id', 'status'], count + 1]);
    expect(lines.slice(1).every((line) => line.includes(',failed,'))).toBe(true);
  });

  it('says what went wrong, keeps what it has, and goes on where it was asked again', async () => {
    const page = await historyOn();
    await expect.poll(() => rows(page)).toBe(50);
    await page.route('**/calls?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ code: 'store_unavailable', title: 'x', detail: 'The store does not answer: try again.', retryable: true }) }));
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('The store does not answer: try again.').waitFor();
    expect(await rows(page)).toBe(50);
    await page.unroute('**/calls?*');
    await page.getByRole('button', { name: 'Load more' }).click();
    await expect.poll(() => rows(page)).toBe(100);
    expect(await page.getByText('The store does not answer: try again.').count()).toBe(0);
  });

  it('follows the calls that go on: none of them is said to talk when it is over', async () => {
    const call = spokenCall(product, 'conv_listed');
    await call.say('driver', 'I am at the dock.');
    const page = await historyOn('?q=conv_listed');
    const statusOf = (): Promise<string[]> => column(page, 'h-status');
    await expect.poll(statusOf).toEqual(['Talking']);
    await waitForConnection(page, /^Live/);
    await call.finish([{ role: 'user', message: 'I am at the dock.' }]);
    await expect.poll(statusOf).toEqual(['Completed']);
    expect([await column(page, 'h-record'), await column(page, 'h-summary')]).toEqual([['Complete'], ['Speeding event The driver was parked.']]);
  });

  it('lets go of a call that was erased', async () => {
    const call = spokenCall(product, 'conv_forgotten');
    await call.finish([{ role: 'user', message: 'Forget me.' }]);
    const page = await historyOn('?q=conv_forgotten');
    await page.locator('.history .h-driver a').click();
    await page.getByRole('button', { name: 'Erase ...' }).click();
    // Where whoever types finds themselves, without a click.
    await page.getByLabel('Type erase to go on').and(page.locator(':focus')).waitFor();
    await page.keyboard.type('erase');
    await page.keyboard.press('Enter');
    await page.getByText('This call was erased. Nothing of it is kept.').waitFor();
    await page.getByText('No call fits.').waitFor();
    expect(await rows(page)).toBe(0);
  });

  it('does not say that there are no calls where they could not be read, and reads them when the connection is back', async () => {
    const page = await historyOn();
    await waitForConnection(page, /^Live/);
    await page.getByRole('link', { name: 'Live calls' }).click();
    await page.context().setOffline(true);
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByText('The calls could not be read.').waitFor();
    expect(await page.getByText(/^No calls/).count()).toBe(0);
    await page.context().setOffline(false);
    await expect.poll(() => rows(page), { timeout: 40_000 }).toBe(50);
    expect(await page.getByText('The server cannot be reached.').count()).toBe(0);
  });
});
