import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, waitForConnection, waitForWords, wordsOn } from '../fixtures/dashboard.ts';
import { spokenCall } from '../fixtures/spoken-call.ts';
import { addUser, PASSWORD } from '../fixtures/stored-data.ts';

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

  it('is not guessed at: a call of which nothing has come is not said to go on, to arrive, or to be silent', async () => {
    const call = spokenCall(product, 'conv_opened_late');
    await call.say('agent', 'Said before', { turn_id: 'a' });
    await call.finish([{ role: 'agent', message: 'Said before' }]);
    const { page } = await open(product.url);
    await signInOn(page);
    await waitForConnection(page, /^Live/);
    await page.context().setOffline(true);
    await waitForConnection(page, /^Offline/);
    await page.getByRole('link', { name: 'History' }).click();
    await page.evaluate((id) => {
      location.hash = `#/history/calls/${id}`;
    }, call.id);
    const panel = page.locator('section.call');
    await expect.poll(() => panel.getByRole('status').allInnerTexts()).toEqual(['There is no connection. The call comes when it is back.']);
    await page.context().setOffline(false);
    await waitForWords(page, ['Said before']);
    await page.getByText(/Complete, proved/i).first().waitFor();
  });

  it('is not guessed at where no relay can be reached from the beginning, however often it is tried', async () => {
    const call = spokenCall(product, 'conv_out_of_reach');
    await call.say('agent', 'Said before', { turn_id: 'a' });
    let reachable = false;
    let tried = 0;
    const { page } = await open(product.url);
    await page.routeWebSocket(/transcriptions/, (socket) => {
      tried++;
      if (reachable) socket.connectToServer();
      else void socket.close({ code: 1013 });
    });
    await page.route('**/poll', (route) => (reachable ? route.continue() : route.abort()));
    await signInOn(page);
    await page.evaluate((id) => {
      location.hash = `#/board/calls/${id}`;
    }, call.id);
    const panel = page.locator('section.call');
    await panel.getByText('Opening the call ...').waitFor();
    await expect.poll(() => tried, { timeout: 20_000 }).toBeGreaterThan(3);
    expect([await panel.getByRole('status').allInnerTexts(), await panel.locator('.seal').count()]).toEqual([['Opening the call ...'], 0]);
    reachable = true;
    await waitForWords(page, ['Said before']);
  });

  it('is not waited for where it cannot come: an operator sees no calls, and is told so', async () => {
    await addUser(product.parts.directory, 'olga', null, ['operator']);
    const { page } = await open(`${product.url}/#/quarantine/calls/EL_1`);
    await signInOn(page, { username: 'olga', password: PASSWORD });
    await page.locator('section.call').getByText('This account sees no calls.').waitFor();
  });
});
