import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { beginCalls } from '../fixtures/busy-board.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';
import { entry, finished, newCall, turn } from '../fixtures/facts.ts';
import type { Product } from '../../local/product.ts';

const open = useBrowser();

const SIGNS = { tenant: 'local', workspace: 'local', agent_id: 'agent_local' } as const;
let made = 0;

/** A call that goes on, with these last words. */
const begin = async ({ parts }: Product, driverName: string, words: string, createdAt = Date.now()): Promise<string> => {
  const driver = { driverId: `d${++made}`, driverName, phoneNumber: '+15550100123' };
  const { call } = await parts.callLog.adopt(`conv_${made}`, newCall({ ...SIGNS, call_sid: `EL_d${made}_x`, driver, created_at: createdAt }), [entry({ kind: 'dialing', attempt: 1 }), entry({ kind: 'progress', status: 'in_progress', reason: null }), entry(turn('driver', words, { turn_id: 't1' }))]);
  return call.call_sid;
};
const end = async ({ parts }: Product, callSid: string, failed = false): Promise<void> => {
  const outcome = failed ? ({ status: 'failed', reason: 'no-answer', started_at: null, call_duration_seconds: null } as const) : { started_at: Date.now() - 20_000, call_duration_seconds: 12 };
  await parts.callLog.append(callSid, [entry(finished({ transcript: null, ...outcome }, Date.now()))]);
};

const drivers = (page: Page): Promise<string[]> => page.locator('[data-call] .c-driver a').allInnerTexts();
const showsDrivers = (page: Page, names: readonly string[]): Promise<void> => expect.poll(() => drivers(page), { timeout: 20_000 }).toEqual(names);
const chosen = (page: Page): Promise<string | null> => page.getByRole('grid').evaluate((grid) => (document.activeElement === grid ? decodeURIComponent((grid.getAttribute('aria-activedescendant') ?? '').replace('row-', '')) : null));
/** The call at the top of what is in sight, and where it stands. */
const topmost = (page: Page): Promise<{ call: string | undefined; y: number } | undefined> =>
  page.evaluate(() => {
    const head = document.querySelector('.board .head')?.getBoundingClientRect().bottom ?? 0;
    const row = [...document.querySelectorAll<HTMLElement>('[data-call]')].find((one) => one.getBoundingClientRect().bottom > head + 1);
    return row === undefined ? undefined : { call: row.dataset['call'], y: Math.round(row.getBoundingClientRect().top) };
  });

describe('the board', () => {
  it('says that there are no calls, shows them as they come, the newest on top, and lets none jump because somebody speaks', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    await signInOn(page);
    await page.getByText('No calls now.').waitFor();
    const now = Date.now();
    const first = await begin(product, 'Test Driver Two', 'I am at the dock.', now - 60_000);
    await begin(product, 'Test Driver Three', 'Hello?', now - 30_000);
    await showsDrivers(page, ['Test Driver Three', 'Test Driver Two']);
    await product.parts.callLog.append(first, [entry(turn('driver', 'I am on the road again.', { turn_id: 't2' }))]);
    await page.locator('[data-call]').filter({ hasText: 'I am on the road again.' }).waitFor();
    expect(await drivers(page)).toEqual(['Test Driver Three', 'Test Driver Two']);
    await end(product, first);
    const row = page.locator('[data-call]', { hasText: 'Test Driver Two' });
    await row.getByText('Completed').waitFor();
    expect(await row.locator('.c-lasted').innerText()).toBe('0:12');
    expect(await barriers(page)).toEqual([]);
    expect([await row.getAttribute('class'), await page.getByRole('grid').getAttribute('aria-rowcount')]).toEqual([expect.stringContaining('over'), '3']);
  });

  it('is narrowed by status, agent and words, by an address that can be kept', async () => {
    const product = await startDashboard();
    const now = Date.now();
    const failed = await begin(product, 'Test Driver Four', 'Who is this?', now - 3_000);
    await end(product, failed, true);
    const over = await begin(product, 'Test Driver Five', 'Goodbye.', now - 2_000);
    await end(product, over);
    await begin(product, 'Test Driver Six', 'The scale house is closed.', now - 1_000);
    const { page } = await open(`${product.url}/#/board?status=attention`);
    await signInOn(page);
    await showsDrivers(page, ['Test Driver Four']);
    await page.locator('[data-call]', { hasText: 'Who is this?' }).waitFor();
    await page.getByText('1 of 3 calls').waitFor();
    await page.getByRole('button', { name: 'Active' }).click();
    await showsDrivers(page, ['Test Driver Six']);
    await page.getByRole('button', { name: /^All/ }).click();
    await page.getByRole('searchbox').fill('scale HOUSE');
    await showsDrivers(page, ['Test Driver Six']);
    expect(new URL(page.url()).hash).toBe('#/board?q=scale+HOUSE');
    await page.reload();
    await showsDrivers(page, ['Test Driver Six']);
    await page.getByRole('searchbox').fill('nobody says this');
    await page.getByText('No call fits.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await showsDrivers(page, ['Test Driver Six', 'Test Driver Five', 'Test Driver Four']);
  });

  it('is moved through by keys, opens a call, and keeps the chosen row whatever comes', async () => {
    const product = await startDashboard();
    await beginCalls(product, 60);
    const { page } = await open(product.url);
    await signInOn(page);
    await page.getByText('60 calls').waitFor();
    const calls = [...(await product.parts.callLog.active('local', 0))].sort((a, b) => b.created_at - a.created_at || (a.call_sid < b.call_sid ? 1 : -1)).map(({ call_sid }) => call_sid);
    await page.getByRole('grid').focus();
    const isAt = async (key: string, index: number): Promise<void> => {
      await page.keyboard.press(key);
      await expect.poll(() => chosen(page), { message: key }).toBe(calls[index]);
    };
    for (const [key, index] of [['ArrowDown', 0], ['ArrowDown', 1], ['ArrowUp', 0], ['End', 59], ['ArrowDown', 59], ['ArrowUp', 58], ['Home', 0], ['ArrowDown', 1]] as const) await isAt(key, index);
    await page.keyboard.press('PageDown');
    await expect.poll(() => chosen(page).then((call) => calls.indexOf(call ?? ''))).toBeGreaterThan(8);
    await page.keyboard.press('PageUp');
    await expect.poll(() => chosen(page)).toBe(calls[1]);
    await begin(product, 'Test Driver Seven', 'I have just come.');
    await page.getByText('61 calls').waitFor();
    expect(await chosen(page)).toBe(calls[1]);
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: /call/i }).last().waitFor();
    expect(decodeURIComponent(new URL(page.url()).hash)).toBe(`#/board/calls/${calls[1] ?? ''}`);
  });

  it('stays where it was scrolled to when calls come above, and says how many', async () => {
    const product = await startDashboard();
    await beginCalls(product, 150);
    const { page } = await open(product.url);
    await signInOn(page);
    await page.getByText('150 calls').waitFor();
    const grid = page.getByRole('grid');
    await grid.evaluate((element) => (element.scrollTop = 1_010));
    await expect.poll(() => topmost(page).then((top) => top?.y ?? 0)).toBeGreaterThan(0);
    // Two frames later nothing moves any more.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const before = await topmost(page);
    for (const name of ['Test Driver Eight', 'Test Driver Nine', 'Test Driver Ten']) await begin(product, name, 'Above.');
    await page.getByRole('button', { name: '3 new calls above' }).waitFor();
    expect(await topmost(page)).toEqual(before);
    await page.getByRole('button', { name: '3 new calls above' }).click();
    await page.locator('[data-call]', { hasText: 'Test Driver Ten' }).waitFor();
    expect(await page.getByRole('button', { name: /new calls? above/ }).count()).toBe(0);
    expect(await grid.evaluate((element) => document.activeElement === element)).toBe(true);
    // Of a hundred and fifty rows those in sight are there, and a few around them.
    expect(await page.locator('[data-call]').count()).toBeLessThan(45);
  });

  it('does not lie about how fresh it is while there is no connection', async () => {
    const product = await startDashboard();
    await begin(product, 'Test Driver Two', 'I am at the dock.');
    const { page } = await open(product.url);
    await signInOn(page);
    const updated = page.locator('[data-call] .c-updated');
    await expect.poll(() => updated.innerText(), { timeout: 30_000 }).toMatch(/^(?:now|\d+ s)$/);
    await page.context().setOffline(true);
    await page.getByText(/^Not live\. The board is as it was at/).waitFor();
    expect(await updated.innerText()).toBe('?');
    const lasted = await page.locator('[data-call] .c-lasted').innerText();
    // Long enough for a clock of seconds to have gone on.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 2_100)));
    expect(await page.locator('[data-call] .c-lasted').innerText()).toBe(lasted);
    await page.context().setOffline(false);
    await page.getByText(/^Not live/).waitFor({ state: 'detached', timeout: 40_000 });
    await expect.poll(() => updated.innerText()).toMatch(/^\d+ s$/);
  });

  it('fills a display on the wall with few calls, and keeps many in sight', async () => {
    const product = await startDashboard();
    await beginCalls(product, 12);
    const { page } = await open(product.url, { viewport: { width: 2560, height: 1440 } });
    await signInOn(page);
    const heights = (): Promise<number[]> => page.locator('[data-call]').evaluateAll((rows) => [...new Set(rows.map((row) => row.getBoundingClientRect().height))]);
    await expect.poll(heights).toEqual([96]);
    expect(await page.locator('[data-call]').count()).toBe(12);
    expect(await page.locator('[data-last-line]').first().evaluate((element) => getComputedStyle(element).fontSize)).toBe('38.4px');
    await beginCalls(product, 20);
    await expect.poll(heights).toEqual([60]);
    expect(await page.locator('[data-call]').count()).toBe(20);
    expect(await barriers(page)).toEqual([]);
  });

  it('says that it cannot find the live calls while the server does not tell where they are, and finds them by itself', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    let answers = false;
    await page.route('**/discovery', (route) => (answers ? route.continue() : route.abort()));
    await signInOn(page);
    await page.getByText('Live calls cannot be shown.', { exact: true }).waitFor();
    expect(await barriers(page)).toEqual([]);
    answers = true;
    await page.getByText('No calls now.').waitFor();
  });
});
