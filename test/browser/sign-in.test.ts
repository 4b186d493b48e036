import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIRST_LOGIN } from '../../client/first-call.ts';
import type { Product } from '../../local/product.ts';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, waitForConnection, waitForWords, wordsOn } from '../fixtures/dashboard.ts';
import { spokenCall } from '../fixtures/spoken-call.ts';
import { addUser, PASSWORD } from '../fixtures/stored-data.ts';

describe('signing in', () => {
  const open = useBrowser();
  const ends: (() => Promise<unknown>)[] = [];
  let product: Product;
  beforeAll(async () => {
    product = await startDashboard({}, (end) => void ends.push(end));
    for (const name of ['anna', 'bert', 'carl', 'dora']) await addUser(product.parts.directory, name, 'local', ['dispatcher']);
    await addUser(product.parts.directory, 'theo', 'elsewhere', ['dispatcher']);
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  const login = (username: string) => ({ username, password: PASSWORD });
  /** Ends all that this user has. @returns when a sign-in is good again */
  const endSignIns = async (id: string): Promise<number> => {
    const from = (Math.floor(Date.now() / 1000) + 1) * 1000;
    await product.parts.directory.changeUser(id, (user) => ({ ...user, tokens_valid_from: from }));
    return from;
  };
  const problem = /wrong|Too many|cannot be reached|try again/i;

  it('is said plainly where the password is wrong, the account rests, or the server cannot be reached; and by Enter it works', async () => {
    const { page } = await open(product.url);
    const said = page.getByRole('alert');
    await page.getByLabel('User name').fill('carl');
    await page.getByLabel('Password').fill('not it');
    await page.getByLabel('Password').press('Enter');
    await expect.poll(() => said.innerText()).toBe('User name or password is wrong.');
    expect(await barriers(page)).toEqual([]);
    for (let attempt = 0; attempt < 12 && !(await said.innerText()).startsWith('Too many'); attempt++) {
      await page.getByRole('button', { name: 'Sign in' }).click();
      await expect.poll(() => page.getByRole('button', { name: /^Sign in$/ }).count()).toBe(1);
      await expect.poll(() => said.innerText()).toMatch(problem);
    }
    expect(await said.innerText()).toBe('Too many failed sign-ins for this account: wait before the next.');
    await page.getByText(/^You can try again in \d+ s\.$/).waitFor();
    expect(await page.getByRole('button', { name: 'Sign in' }).isDisabled()).toBe(true);
    // Another account does not rest.
    await page.reload();
    await page.context().setOffline(true);
    await page.getByLabel('User name').fill('anna');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByLabel('Password').press('Enter');
    await expect.poll(() => said.innerText()).toBe('The server cannot be reached. Check your connection and try again.');
    await page.context().setOffline(false);
    await page.getByLabel('Password').press('Enter');
    await page.getByRole('navigation', { name: 'Views' }).waitFor();
  });

  it('of this machine is filled in and told', async () => {
    const { page } = await open(product.url);
    expect(await page.getByLabel('User name').inputValue()).toBe(FIRST_LOGIN.username);
    await page.getByText(`On this machine: ${FIRST_LOGIN.username} / ${FIRST_LOGIN.password}`).waitFor();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await waitForConnection(page, /^Live/);
    expect(await barriers(page)).toEqual([]);
  });

  it('outlives a reload of the tab, and no other tab has it', async () => {
    const { page, context } = await open(product.url);
    await signInOn(page, login('anna'));
    await page.reload();
    await page.getByRole('navigation', { name: 'Views' }).waitFor();
    await waitForConnection(page, /^Live/);
    const other = await context.newPage();
    await other.goto(product.url);
    await other.getByLabel('User name').waitFor();
  });

  it('that ended is asked for over the page, which keeps what it showed and goes on from there', async () => {
    const call = spokenCall(product, 'conv_ended_elsewhere');
    await call.say('agent', 'Hello', { turn_id: 'a' });
    const { page } = await open(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page, login('bert'));
    await waitForWords(page, ['Hello']);
    const from = await endSignIns('user-bert');
    // The end of the call has the page ask the API about it, which refuses.
    await call.finish([{ role: 'agent', message: 'Hello' }]);
    const dialog = page.getByRole('dialog', { name: 'Sign in again' });
    await dialog.waitFor();
    expect(await wordsOn(page)).toEqual(['Hello']);
    expect(await dialog.getByLabel('User name').inputValue()).toBe('bert');
    expect(await dialog.getByLabel('Password').evaluate((field) => field === document.activeElement)).toBe(true);
    expect(await barriers(page)).toEqual([]);
    // Nobody gets past it by Escape.
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    expect(await dialog.isVisible()).toBe(true);
    await waitForConnection(page, /^Stopped: sign in again$/);
    await page.getByText('What is shown may be old: nothing new comes in. To go on, sign in again.').waitFor();
    await expect.poll(() => Date.now()).toBeGreaterThan(from);
    await signInOn(page, login('bert'));
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('Complete, proved').waitFor();
    expect(await wordsOn(page)).toEqual(['Hello']);
    await waitForConnection(page, /^Live/);
    await page.getByText('The driver was parked.').waitFor();
  });

  it('as somebody else shows nothing of whoever was there before', async () => {
    const call = spokenCall(product, 'conv_of_local');
    await call.say('agent', 'Only for local', { turn_id: 'a' });
    const { page } = await open(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page, login('dora'));
    await waitForWords(page, ['Only for local']);
    const { directory } = product.parts;
    await directory.changeUser('user-dora', (dora) => ({ ...dora, disabled: true }));
    await call.finish([{ role: 'agent', message: 'Only for local' }]);
    await page.getByText('Your access was taken away or changed. Sign in again to go on where you were.').waitFor();
    expect(await wordsOn(page)).toEqual(['Only for local']);
    await signInOn(page, login('theo'));
    await waitForConnection(page, /^Live/);
    await page.getByText('No calls now.').waitFor();
    expect(await page.getByText('Only for local').count()).toBe(0);
    expect(new URL(page.url()).hash).toBe('#/board');
  });

  it('is undone by signing out: nothing is left in the page or the tab, and the token is worth nothing', async () => {
    const { page } = await open(product.url);
    await signInOn(page, login('anna'));
    await waitForConnection(page, /^Live/);
    const token = await page.evaluate(() => sessionStorage.getItem('earshot.token') ?? '');
    expect(token).not.toBe('');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('User name').waitFor();
    expect(await page.evaluate(() => [sessionStorage.length, document.cookie])).toEqual([0, '']);
    await expect.poll(async () => (await fetch(`${product.url}/calls`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  });
});

describe('colours', () => {
  const open = useBrowser();

  it('are as the system has them, or as they were chosen, and stay so over a reload', async () => {
    const product = await startDashboard();
    const { page } = await open(product.url, { colorScheme: 'dark' });
    await signInOn(page);
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.getByRole('button', { name: 'Colours: Auto' }).click();
    const light = await ground();
    expect(light).not.toBe(dark);
    await page.reload();
    await page.getByRole('button', { name: 'Colours: Light' }).waitFor();
    expect(await ground()).toBe(light);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.getByRole('button', { name: 'Colours: Light' }).click();
    expect(await ground()).toBe(dark);
    await page.getByRole('button', { name: 'Colours: Dark' }).click();
    expect(await ground()).toBe(light);
  });
});
