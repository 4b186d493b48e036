import { describe, expect, it } from 'vitest';
import { FIRST_LOGIN } from '../../client/first-call.ts';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';
import { beginShift, newDay } from '../fixtures/shift.ts';

const open = useBrowser();

describe('the quarantine', () => {
  it('says that it is good to be empty', async () => {
    const product = await startDashboard();
    const { page } = await open(`${product.url}/#/quarantine`);
    await signInOn(page);
    await page.getByText('Nothing is in quarantine.').waitFor();
    await page.getByText('That is good: every delivery that came was used.').waitFor();
    expect(await page.getByRole('button', { name: /again/ }).count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
  });

  it('says why each delivery waits, and what became of it when it was tried again', async () => {
    const day = newDay();
    const product = await startDashboard({}, undefined, day.runtime);
    await beginShift(product, day);
    const { page } = await open(`${product.url}/#/quarantine`);
    await signInOn(page);
    const delivery = (conversation: string) => page.getByRole('listitem').filter({ hasText: conversation });
    const first = delivery('conv_stranger_0');
    expect(await first.innerText()).toContain('Its agent is not known, so it is not known whose it is. Whoever runs Earshot has to name the agent (earshot agents add); then try again.');
    await first.getByRole('button', { name: 'Try again' }).click();
    await first.getByText('Still here. Its agent is not known').waitFor();
    await page.getByText('3 deliveries').waitFor();

    await product.parts.directory.putAgent({ agent_id: 'agent_new', workspace: 'local', tenant: 'local', name: 'New agent' });
    await page.getByRole('button', { name: 'Try all 3 shown again' }).click();
    for (const place of [0, 1, 2]) await delivery(`conv_stranger_${place}`).getByText('Used: its call has it now.').waitFor();
    await page.getByText('0 deliveries').waitFor();
    expect(await barriers(page)).toEqual([]);
    expect(await delivery('conv_stranger_1').getByRole('button').count()).toBe(0);
    await delivery('conv_stranger_1').getByRole('link', { name: 'Open the call' }).click();
    await page.waitForURL(/#\/quarantine\/calls\/EL_conv_stranger_1/);
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByText('Nothing is in quarantine.').waitFor();
  });

  it('is read page by page', async () => {
    const product = await startDashboard();
    const secret = { workspace: 'local', tenant: 'local', reach_tenant: null } as const;
    for (let place = 0; place < 60; place++) {
      await product.parts.rawStore.put({ ...secret, id: `d${String(place).padStart(3, '0')}`, route: 'post-call', type: 'new_type', reason: 'unknown_type', conversation_id: `conv_${place}`, agent_id: null, call_sid: null, received_at: Date.now(), body: '{}' });
    }
    const { page } = await open(`${product.url}/#/quarantine`);
    await signInOn(page);
    await page.getByText('50 deliveries, more below').waitFor();
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('60 deliveries', { exact: true }).waitFor();
    expect(await page.locator('.deliveries > li').count()).toBe(60);
  });

  it('is not shown to whoever may not see it', async () => {
    const product = await startDashboard();
    const user = await product.parts.directory.userByName(FIRST_LOGIN.username);
    if (user === null) throw new Error('there is no first user');
    await product.parts.directory.putUser({ ...user, roles: ['dispatcher'] });
    const { page } = await open(product.url);
    await signInOn(page);
    expect(await page.getByRole('link', { name: 'Quarantine' }).count()).toBe(0);
    await page.goto(`${product.url}/#/quarantine`);
    await page.getByText('Your role does not allow this.').waitFor();
  });
});
