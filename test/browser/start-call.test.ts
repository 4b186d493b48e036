import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';

const open = useBrowser();

const begun = async (product: Product): Promise<{ name: string | null; number: string | null }[]> =>
  (await product.parts.callLog.list({ tenant: 'local', limit: 100 })).calls.map(({ driver, to_number }) => ({ name: driver?.driverName ?? null, number: to_number })).sort((a, b) => String(a.name).localeCompare(String(b.name)));

/** Signed in, with the dialog open and the drivers there. */
const dialogOn = async (page: Page) => {
  await signInOn(page);
  await page.getByRole('button', { name: 'Start a call' }).click();
  const dialog = page.getByRole('dialog', { name: 'Start a call' });
  await dialog.getByText('Test Driver Three').waitFor();
  return dialog;
};

describe('starting a call', () => {
  it('by a double click dials once and opens the call', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    const dialog = await dialogOn(page);
    await dialog.getByRole('searchbox').fill('three');
    await dialog.getByRole('checkbox', { name: /Test Driver Three/ }).check();
    await dialog.getByRole('button', { name: 'Call', exact: true }).dblclick();
    await page.waitForURL(/#\/board\/calls\/EL_test_driver_125_/);
    await dialog.waitFor({ state: 'detached' });
    expect(await begun(product)).toEqual([{ name: 'Test Driver Three', number: '+15550100125' }]);
  });

  it('again after an answer that was lost dials once', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    const keys: (string | undefined)[] = [];
    await page.route('**/calls', async (route) => {
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length > 1) return route.continue();
      await route.fetch();
      return route.abort();
    });
    const dialog = await dialogOn(page);
    await dialog.getByRole('checkbox', { name: /Test Driver Two/ }).check();
    await dialog.getByRole('button', { name: 'Call', exact: true }).click();
    await dialog.getByText('No answer came. Press the button again: nobody is called twice.').waitFor();
    await dialog.getByRole('button', { name: 'Call', exact: true }).click();
    await page.waitForURL(/#\/board\/calls\//);
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0]]);
    expect(await begun(product)).toEqual([{ name: 'Test Driver Two', number: '+15550100124' }]);
  });

  it('again after an answer that was lost dials once also where the dialog was closed in between, and a call that was answered can be made again', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    let answers: 'none' | 'all' = 'none';
    await page.route('**/calls', async (route) => {
      if (answers === 'all') return route.continue();
      await route.fetch();
      return route.abort();
    });
    const dialog = await dialogOn(page);
    const wish = async (): Promise<void> => {
      await dialog.getByRole('checkbox', { name: /Test Driver Two/ }).check();
      await dialog.getByRole('button', { name: 'Call', exact: true }).click();
    };
    await wish();
    await dialog.getByText('No answer came.').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    answers = 'all';
    await page.getByRole('button', { name: 'Start a call' }).click();
    await wish();
    await page.waitForURL(/#\/board\/calls\//);
    const first = page.url();
    expect(await begun(product)).toHaveLength(1);
    await page.getByRole('button', { name: 'Start a call' }).click();
    await wish();
    await page.waitForURL((url) => url.href !== first);
    expect(await begun(product)).toHaveLength(2);
  });

  it('cannot be closed while it is under way, since what was sent is not taken back; it says what became of it', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    await page.route('**/driver_data/call-elevenlabs', async (route) => {
      await held;
      await route.continue();
    });
    const dialog = await dialogOn(page);
    for (const name of [/Test Driver Two/, /Test Driver Three/]) await dialog.getByRole('checkbox', { name }).check();
    await dialog.getByRole('button', { name: 'Call 2 drivers' }).click();
    await dialog.getByRole('button', { name: 'Dialing ...' }).waitFor();
    for (let press = 0; press < 3; press++) await page.keyboard.press('Escape');
    expect(await dialog.getByRole('button', { name: 'Cancel' }).isDisabled()).toBe(true);
    goOn();
    await page.getByRole('dialog', { name: 'What became of it' }).getByText('2 calls started').waitFor();
    expect(await begun(product)).toHaveLength(2);
  });

  it('of several drivers goes back to those who were not called, and to nobody else', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    const dialog = await dialogOn(page);
    for (const name of [/Test Driver Three/, /Test Driver Four/]) await dialog.getByRole('checkbox', { name }).check();
    await dialog.getByRole('checkbox', { name: 'speeding', exact: true }).check();
    await dialog.getByRole('button', { name: 'Call 2 drivers' }).click();
    const became = page.getByRole('dialog', { name: 'What became of it' });
    await became.getByRole('button', { name: 'Back' }).click();
    await dialog.getByText('Chosen: Test Driver Four', { exact: true }).waitFor();
    await dialog.getByRole('button', { name: 'Call', exact: true }).click();
    await page.waitForURL(/#\/board\/calls\/EL_test_driver_126_/);
    expect((await begun(product)).map(({ name }) => name)).toEqual(['Test Driver Four', 'Test Driver Three']);
  });

  it('of several drivers says what became of each, in words', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    const dialog = await dialogOn(page);
    for (const name of [/Test Driver \+/, /Test Driver Three/, /Test Driver Four/]) await dialog.getByRole('checkbox', { name }).check();
    await dialog.getByRole('checkbox', { name: 'speeding', exact: true }).check();
    await dialog.getByRole('button', { name: 'Call 3 drivers' }).click();
    const became = page.getByRole('dialog', { name: 'What became of it' });
    await became.getByText('2 calls started').waitFor();
    expect(await became.getByRole('listitem').filter({ hasText: 'Test Driver Four' }).innerText()).toContain('Has no violation of the chosen kinds.');
    expect(await barriers(page)).toEqual([]);
    expect((await begun(product)).map(({ name }) => name)).toEqual(['Test Driver', 'Test Driver Three']);
    await became.getByRole('link', { name: 'Open' }).first().click();
    await page.waitForURL(/#\/board\/calls\//);
  });

  it('shows violations, the time where the driver is, and who cannot be called', async () => {
    const product = await startDashboard();
    await product.parts.directory.putDriver({ tenant: 'local', driverId: 'test_driver_129', driverName: 'Test Driver Six', phoneNumber: null, triggers: [{ type: 'harsh_braking', occurred_at: '2026-11-20T18:00:00Z', detail: 'near Amarillo' }], do_not_call: false, time_zone: 'No/Where' });
    const { page } = await open(product.url);
    const dialog = await dialogOn(page);
    const row = (name: string) => dialog.getByRole('listitem').filter({ hasText: name });
    expect((await row('Test Driver Three').innerText()).replaceAll(/\s+/g, ' ')).toMatch(/^Test Driver Three \+15550100125 \w{3} \d+:\d\d [AP]M there missed inspection speeding: 71 in a 55 zone$/);
    expect((await row('Test Driver Six').innerText()).replaceAll(/\s+/g, ' ')).toBe('Test Driver Six No phone number harsh braking Nov 20: near Amarillo');
    expect(await row('Test Driver Five').innerText()).toContain('Do not call');
    expect([await row('Test Driver Six').getByRole('checkbox').isDisabled(), await row('Test Driver Five').getByRole('checkbox').isDisabled()]).toEqual([true, true]);
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByRole('button', { name: 'Start a call' }).evaluate((button) => document.activeElement === button)).toBe(true);
    expect(await begun(product)).toEqual([]);
  });

  it('of a bare number takes it as people write it, and says why not in words', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url);
    const dialog = await dialogOn(page);
    await dialog.getByRole('button', { name: 'A number' }).click();
    const number = dialog.getByLabel('Phone number');
    const problem = dialog.getByRole('alert');
    await number.fill('555 0100');
    await number.press('Enter');
    await expect.poll(() => problem.innerText()).toMatch(/^The number is not complete/);
    await number.fill('+49 30 5550100');
    await number.press('Enter');
    await expect.poll(() => problem.innerText()).toBe('Numbers that begin like this one may not be called from here.');
    expect(await begun(product)).toEqual([]);
    await number.fill('+1 (555) 010-0199');
    await number.press('Enter');
    await page.waitForURL(/#\/board\/calls\/EL_call_/);
    expect(await begun(product)).toEqual([{ name: null, number: '+15550100199' }]);
  });
});
