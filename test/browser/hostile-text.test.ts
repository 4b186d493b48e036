import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, wordsOn } from '../fixtures/dashboard.ts';
import { agentEvent, entry, finished, newCall, turn } from '../fixtures/facts.ts';

/** What a caller may say, or a driver be called: it stays words. */
const WORDS: readonly (readonly [string, string])[] = [
  ['a script', '<script>globalThis.owned = true</script>'],
  ['an image with a handler', '<img src=x onerror="globalThis.owned = true">'],
  ['an entity', '&lt;b&gt;bold&lt;/b&gt; &amp; &nbsp;'],
  ['a template', '{{constructor.constructor("globalThis.owned = true")()}} ${globalThis.owned = true}'],
  ['a link that runs', 'javascript:globalThis.owned=true'],
  ['the end of an attribute', '"><svg/onload=globalThis.owned=true>'],
  ['a comment and CDATA', '<!-- --> <![CDATA[ x ]]> ]]>'],
  ['a prototype', '__proto__ constructor hasOwnProperty'],
  ['spaces of every kind', 'a \u00a0\u2003\u3000 b'],
  ['emoji and joined ones', '\u{1f69a}\u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u{1f1e9}\u{1f1ea}'],
  ['accents piled up', `Z${'\u0336\u0301\u0300\u0302'.repeat(40)}algo`],
  ['Arabic and Hebrew', '\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd 123'],
];
const OVERRIDE = 'pay \u202e05$ \u2066first\u2069 now\u202c \u200e\u200f\u061c';
const LONG = 'stop at the scale house and wait there '.repeat(2_700);
const UNBROKEN = 'x'.repeat(20_000);

const adopt = async (product: Product): Promise<string> => {
  const name = '<b onmouseover=globalThis.owned=true>Bold</b> \u202eevil';
  const call = { ...newCall({ workspace: 'local', tenant: 'local', agent_id: 'agent_local' }), driver: { driverId: 'd<1>', driverName: name, phoneNumber: '+15550100999' } };
  const { callLog } = product.parts;
  const said = [...WORDS.map(([, words]) => words), OVERRIDE, LONG, UNBROKEN];
  const adopted = await callLog.adopt('conv_<i>hostile', call, [
    entry({ kind: 'progress', status: 'in_progress', reason: '<u>why</u>' }),
    ...said.map((words, place) => entry(turn(place % 2 === 0 ? 'agent' : 'driver', words, { turn_id: `t${place}"><i>`, time_in_call_secs: place }))),
    entry(agentEvent('tool_executing', { tool_name: '<script>tool</script>', tool_call_id: '<1>' })),
    entry(agentEvent('tool_completed', { tool_name: '<script>tool</script>', tool_call_id: '<1>', is_error: true, detail: '<img src=x onerror=globalThis.owned=true>' })),
  ]);
  return adopted.call.call_sid;
};

/** Elements that nobody put there, and whether anything of the words ran. */
const intruders = (page: Page): Promise<unknown> =>
  page.evaluate(() => ({
    owned: (globalThis as { owned?: unknown }).owned ?? null,
    elements: [...document.querySelectorAll('#app script, #app img, #app svg[onload], #app b[onmouseover], #app u, #app i, #app [onerror]')].map((element) => element.outerHTML.slice(0, 100)),
    handlers: [...document.querySelectorAll('#app *')].flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith('on')),
    links: [...document.querySelectorAll<HTMLAnchorElement>('#app a')].map(({ protocol }) => protocol).filter((protocol) => !['http:', 'https:', 'blob:'].includes(protocol)),
  }));
const NOTHING = { owned: null, elements: [], handlers: [], links: [] };

describe('text', () => {
  const open = useBrowser();

  it('is only ever text, whoever said it: words, names, tools, summaries, evaluations, ids', async () => {
    const product = await startDashboard();
    const callSid = await adopt(product);
    const { page } = await open(`${product.url}/#/board/calls/${encodeURIComponent(callSid)}`);
    let dialogs = 0;
    page.on('dialog', (dialog) => {
      dialogs++;
      void dialog.dismiss();
    });
    await signInOn(page);
    await expect.poll(() => wordsOn(page).then(({ length }) => length)).toBe(WORDS.length + 3);
    const shown = await page.locator('.transcript [data-words]').evaluateAll((all) => all.map((element) => element.textContent));
    for (const [place, [what, words]] of WORDS.entries()) expect([what, shown[place]]).toEqual([what, words]);
    // What would turn the order of its neighbours around is not let through as it is; every word that it stood between is there.
    expect(shown[WORDS.length]).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    for (const word of ['pay', '05$', 'first', 'now']) expect(shown[WORDS.length]).toContain(word);
    // Too long for a frame: its beginning, and a way to all of it.
    const long = shown[WORDS.length + 1] ?? '';
    expect(LONG.startsWith(long.slice(0, 1_000))).toBe(true);
    expect(await intruders(page)).toEqual(NOTHING);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);

    await page.getByRole('button', { name: /show all/i }).first().click();
    await expect.poll(() => page.locator('.transcript [data-words]').nth(WORDS.length + 1).evaluate((element) => element.textContent.length)).toBe(LONG.length);

    const evil = '<iframe srcdoc="<script>parent.owned=true</script>"></iframe>';
    await product.parts.callLog.append(callSid, [
      entry(finished({ transcript_summary: evil, call_summary_title: evil, outcome: 'success', termination_reason: evil, agent_id: 'agent_local', evaluation_results: { a: { criteria_id: evil, result: evil, rationale: evil } }, collection_results: { b: { data_collection_id: evil, value: evil } } })),
    ]);
    await page.getByText(evil).first().waitFor();
    expect(await intruders(page)).toEqual(NOTHING);
    expect(await page.locator('#app iframe').count()).toBe(0);
    for (const view of ['history', 'figures', 'board']) {
      await page.goto(`${product.url}/#/${view}`);
      await page.getByRole('navigation', { name: 'Views' }).waitFor();
      expect([view, await intruders(page)]).toEqual([view, NOTHING]);
    }
    expect(dialogs).toBe(0);
  });
});
