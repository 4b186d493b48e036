import { describe, expect, it, onTestFinished } from 'vitest';
import { FIRST_DRIVER, FIRST_LOGIN } from '../../client/first-call.ts';
import { serveExamples } from '../../scripts/examples.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { startDashboard, tokenOf } from '../fixtures/dashboard.ts';

describe('the examples, against what `npm start` runs', () => {
  const open = useBrowser();

  it.each(['plain-html', 'react'])('%s says why it could not sign in, signs in, follows a call, shows its words and the proof', async (name) => {
    const { url, server } = await serveExamples(0);
    onTestFinished(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    const product = await startDashboard({ ALLOWED_ORIGINS: url });
    const { page } = await open(`${url}/${name}/?api=${product.url}`, { friends: [product.url] });
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('credentials_invalid').waitFor();
    await page.getByLabel('Password').fill(FIRST_LOGIN.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('status').getByText('live').waitFor();
    const headers = { authorization: `Bearer ${await tokenOf(product)}`, 'content-type': 'application/json' };
    const dialled = await fetch(`${product.url}/driver_data/call-elevenlabs`, { method: 'POST', headers, body: JSON.stringify({ driver_ids: [FIRST_DRIVER], violation_types: ['speeding'] }) });
    const { call_sid } = (await dialled.json()) as { call_sid: string };
    await page.locator('#board button').first().click();
    await page.getByText('Complete: nothing is missing.').waitFor();
    const logged = (await (await fetch(`${product.url}/calls/${encodeURIComponent(call_sid)}/events`, { headers })).json()) as { events: { type: string; turn_id: string; state: string; speaker: string; text: string; index: number }[] };
    const standing = new Map(logged.events.filter(({ type }) => type === 'transcription').map((turn) => [turn.turn_id, turn]));
    const words = [...standing.values()].filter(({ state }) => state !== 'retracted').sort((a, b) => a.index - b.index).map(({ speaker, text }) => `${speaker}: ${text}`);
    expect(words.length).toBeGreaterThan(3);
    expect(await page.locator('#words li').allInnerTexts()).toEqual(words);
  });
});
