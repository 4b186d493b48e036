import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { presentRow } from '../../core/domain/call/present.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { beginCalls, talk } from '../fixtures/busy-board.ts';
import { signInOn, startDashboard } from '../fixtures/dashboard.ts';

const CALLS = 2_000;
const PER_SECOND = 50;
const SECONDS = 8;

/** Every row of the board from top to bottom, scrolled through: call_sid and last line. */
const rowsOn = (page: Page): Promise<[string, string][]> =>
  page.evaluate(async () => {
    const scroller = document.querySelector<HTMLElement>('[data-board-scroller]');
    if (scroller === null) throw new Error('there is no board');
    const found = new Map<number, [string, string]>();
    for (let top = 0; ; top += scroller.clientHeight / 2) {
      scroller.scrollTop = top;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      for (const row of document.querySelectorAll<HTMLElement>('[data-call]')) found.set(Number(row.getAttribute('aria-rowindex')), [row.dataset['call'] ?? '', row.querySelector<HTMLElement>('[data-last-line]')?.innerText ?? '']);
      if (scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 1) break;
    }
    return [...found].sort(([a], [b]) => a - b).map(([, row]) => row);
  });

describe('a board of two thousand calls', () => {
  const open = useBrowser();

  it('with fifty of them speaking every second shows each with its last words, newest first, none twice', async () => {
    const product = await startDashboard();
    await beginCalls(product, CALLS);
    const { page } = await open(product.url);
    await signInOn(page);
    await page.getByText('2,000').first().waitFor();
    let chance = 7;
    const { done } = talk(product, { calls: CALLS, perSecond: PER_SECOND, seconds: SECONDS, random: () => (chance = (chance * 16_807) % 2_147_483_647) / 2_147_483_647 });
    // The viewer scrolls about meanwhile, as people do.
    await rowsOn(page);
    const said = await done;
    expect(said.size).toBeGreaterThan(200);
    const calls = (await product.parts.callLog.active('local', 0)).map((call) => presentRow(call));
    const expected = calls
      .sort((a, b) => (a.created_at === b.created_at ? (a.call_sid < b.call_sid ? 1 : -1) : a.created_at < b.created_at ? 1 : -1))
      .map(({ call_sid, conversation_id }): [string, string] => [call_sid, `Agent: ${said.get(conversation_id ?? '') ?? `call ${Number((conversation_id ?? '').slice(-5))} begins`}`]);
    await expect.poll(() => rowsOn(page), { timeout: 30_000 }).toEqual(expected);
    expect(expected).toHaveLength(CALLS);
  });
});
