import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Product } from '../../local/product.ts';
import { barriers } from '../fixtures/barriers.ts';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, startDashboard, waitForConnection, waitForWords, wordsOn } from '../fixtures/dashboard.ts';
import { entry, newCall, turn } from '../fixtures/facts.ts';
import { newDay } from '../fixtures/shift.ts';
import { spokenCall } from '../fixtures/spoken-call.ts';
import { addUser, PASSWORD } from '../fixtures/stored-data.ts';

const DISPATCHER = { username: 'anna', password: PASSWORD };

type Login = typeof DISPATCHER;

const open = useBrowser();
const ends: (() => Promise<unknown>)[] = [];
const day = newDay();
let product: Product;
beforeAll(async () => {
  product = await startDashboard({}, (end) => void ends.push(end), day.runtime);
  await addUser(product.parts.directory, 'anna', 'local', ['dispatcher']);
  await addUser(product.parts.directory, 'theo', 'elsewhere', ['dispatcher']);
});
afterAll(async () => {
  for (const end of ends) await end();
});

/** A page signed in - as the admin of this machine where nobody else is named -, with this call open. */
const opened = async (id: string, login?: Login): Promise<Page> => {
  const { page } = await open(`${product.url}/#/board/calls/${encodeURIComponent(id)}`);
  await signInOn(page, login);
  return page;
};

describe('the panel of a call', () => {
  const lines = (page: Page): Promise<string[]> => page.locator('.transcript .line').evaluateAll((all) => all.map((line) => [...line.children].map((part) => part.textContent.trim()).filter((text) => text !== '').join(' | ').replace(/\d+:\d\d:\d\d.[AP]M/g, 'then')));
  const adopt = async (conversation: string, entries: Parameters<Product['parts']['callLog']['adopt']>[2]): Promise<string> =>
    (await product.parts.callLog.adopt(conversation, newCall({ call_sid: `EL_${conversation}`, workspace: 'local', tenant: 'local', agent_id: 'agent_local' }), entries)).call.call_sid;

  it('shows a call as it is spoken, and what became of it', async () => {
    const call = spokenCall(product, 'conv_spoken');
    await call.say('agent', 'Hello, dispatch here.', { turn_id: 'a', time_in_call_secs: 1 });
    const page = await opened(call.id);
    await waitForWords(page, ['Hello, dispatch here.']);
    await page.getByText('Talking').last().waitFor();
    await page.getByText('Record: still arriving').waitFor();

    // What is being spoken is seen, and not read out.
    await call.say('driver', 'I was a', { turn_id: 'b', state: 'interim', time_in_call_secs: 4 });
    const spoken = page.getByRole('list', { name: 'Being spoken' });
    await expect.poll(() => spoken.innerText()).toContain('I was a');
    expect(await page.getByRole('log').innerText()).not.toContain('I was a');
    expect(await page.getByRole('log').getAttribute('aria-live')).toBe('polite');
    await call.say('driver', 'I was a sleep.', { turn_id: 'b', time_in_call_secs: 4 });
    await expect.poll(() => page.getByRole('log').innerText()).toContain('I was a sleep.');
    expect(await spoken.count()).toBe(0);

    await call.does('tool_executing', { tool_name: 'get_log', tool_call_id: 't1' });
    await page.getByText('Agent is using get log ...').waitFor();
    await call.does('tool_completed', { tool_name: 'get_log', tool_call_id: 't1', duration_ms: 840, detail: '212 miles' });
    await call.does('agent_thinking', { event_id: 'e1' });
    await page.getByText('Agent is thinking ...').waitFor();
    await call.say('agent', 'One moment.', { turn_id: 'c', time_in_call_secs: 9 });
    await waitForWords(page, ['Hello, dispatch here.', 'I was a sleep.', 'One moment.']);
    expect(await lines(page)).toEqual(['Picked up, then', '0:01 | Agent | Hello, dispatch here.', '0:04 | Driver | I was a sleep.', 'Tool | get log done, 840 ms: 212 miles', '0:09 | Agent | One moment.']);
    expect(await barriers(page)).toEqual([]);

    await call.finish([
      { role: 'agent', message: 'Hello, dispatch here.', time_in_call_secs: 1 },
      { role: 'user', message: 'I was asleep.', time_in_call_secs: 4 },
      { role: 'user', message: 'Goodbye.', time_in_call_secs: 20 },
    ], { analysis: { evaluation_criteria_results: { driver_reached: { criteria_id: 'driver_reached', result: 'success', rationale: 'He answered.' } }, data_collection_results: { reason: { data_collection_id: 'reason', value: 'parked', rationale: null } } } });
    await page.getByText('Complete, proved').waitFor();
    const ended = await lines(page);
    expect(ended).toContain('0:04 | Driver | I was asleep.Corrected. What it wasI was a sleep.');
    expect(ended).toContain('0:09 | Agent | One moment.Taken back: the final transcript does not have these words.');
    expect(ended).toContain('0:20 | Driver | Goodbye.Added afterwards: these words came with the final transcript.');
    expect(ended.at(-1)).toBe('Call ended, then');
    expect(await page.locator('.line del').allInnerTexts()).toEqual(['One moment.']);
    const was = page.getByText('I was a sleep.');
    expect(await was.isVisible()).toBe(false);
    await page.getByText('Corrected. What it was').click();
    expect(await was.isVisible()).toBe(true);

    const outcome = page.getByRole('region', { name: 'Outcome' });
    const said = (await outcome.innerText()).replace(/\s+/g, ' ');
    for (const text of ['Speeding event', 'The driver was parked.', 'Outcome Succeeded', 'Duration 0:41', 'Cost $0.10', 'driver reached: success', 'He answered.', 'reason: parked']) expect(said).toContain(text);
    await call.finish([
      { role: 'agent', message: 'Hello, dispatch here.', time_in_call_secs: 1 },
      { role: 'user', message: 'I was asleep.', time_in_call_secs: 4 },
      { role: 'user', message: 'Goodbye.', time_in_call_secs: 20 },
    ], { metadata: { cost_fiat: 0.12 }, event_timestamp: Math.floor(Date.now() / 1000) + 60 });
    await page.getByText('Changed after the call: cost from $0.10 to $0.12').waitFor();
    await expect.poll(() => page.locator('.seal').innerText()).toBe('Record: complete, proved');
    expect(await barriers(page)).toEqual([]);
  });

  it('says that a silence is a silence', async () => {
    day.setBack(40_000);
    const id = await adopt('conv_silent', [entry({ kind: 'progress', status: 'in_progress', reason: null })]);
    day.setBack(0);
    const { page } = await open('about:blank', { friends: [product.url] });
    // The clock of the desk is three hours ahead: what counts is the server's.
    await page.addInitScript(() => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + 3 * 3_600_000;
    });
    await page.goto(`${product.url}/#/board/calls/${id}`);
    await signInOn(page);
    await page.getByText('Nobody has said anything yet.').waitFor();
    await expect.poll(() => page.locator('.now').innerText(), { timeout: 30_000 }).toMatch(/^No words for 4\d s\. The connection is fine\.$/);
    expect(await barriers(page)).toEqual([]);
  });

  it('says where all words came at the end that nobody passed them on', async () => {
    const call = spokenCall(product, 'conv_afterwards');
    await call.finish([{ role: 'agent', message: 'Hello' }, { role: 'user', message: 'Hi' }]);
    const page = await opened(call.id);
    await waitForWords(page, ['Hello', 'Hi']);
    await page.getByText('These words came when the call was over: nobody passed them on while it was spoken.').waitFor();
    expect(await page.getByText(/Added afterwards/).count()).toBe(0);
    expect(await page.getByText('Agent', { exact: true }).count()).toBeGreaterThan(0);
  });

  it('is read at its end while one is there, and left alone while one reads further up', async () => {
    const id = await adopt('conv_scrolled', Array.from({ length: 200 }, (_, place) => entry(turn(place % 2 === 0 ? 'agent' : 'driver', `words ${place}`, { turn_id: `t${place}` }))));
    const page = await opened(id);
    const call = spokenCall(product, 'conv_scrolled');
    const body = page.locator('.call-body');
    const fromEnd = (): Promise<number> => body.evaluate((at) => Math.round(at.scrollHeight - at.scrollTop - at.clientHeight));
    await expect.poll(() => wordsOn(page).then(({ length }) => length)).toBe(200);
    await expect.poll(fromEnd).toBeLessThan(5);
    await call.say('agent', 'the newest', { turn_id: 'n1' });
    await page.getByText('the newest').last().waitFor();
    await expect.poll(fromEnd).toBeLessThan(5);
    expect(await page.getByRole('button', { name: 'New words below' }).count()).toBe(0);

    await body.hover();
    await page.mouse.wheel(0, -600);
    await expect.poll(fromEnd).toBeGreaterThan(400);
    const reading = await body.evaluate((at) => at.scrollTop);
    await call.say('driver', 'newer still', { turn_id: 'n2' });
    const below = page.getByRole('button', { name: 'New words below' });
    await below.waitFor();
    expect(await body.evaluate((at) => at.scrollTop)).toBe(reading);
    expect(await barriers(page)).toEqual([]);
    await below.click();
    await expect.poll(fromEnd).toBeLessThan(5);
    expect(await below.count()).toBe(0);
  });

  it('of thousands of turns opens in a few paints, and one more word paints one more line', async () => {
    const count = 3_000;
    const id = await adopt('conv_long', Array.from({ length: count }, (_, place) => entry(turn(place % 2 === 0 ? 'agent' : 'driver', `We have been talking for a long while, and this is line ${place}.`, { turn_id: `t${place}`, time_in_call_secs: place }))));
    const { page } = await open(product.url);
    await signInOn(page);
    await page.evaluate(() => {
      const seen = { paints: 0, lines: 0 };
      Object.assign(globalThis, { seen });
      new MutationObserver((records) => {
        const added = records.flatMap(({ addedNodes }) => [...addedNodes]).flatMap((node) => (node instanceof Element ? [...(node.matches('.line') ? [node] : []), ...node.querySelectorAll('.line')] : []));
        if (added.length > 0) seen.paints++;
        seen.lines += added.length;
      }).observe(document.body, { childList: true, subtree: true });
    });
    const seen = (): Promise<{ paints: number; lines: number }> => page.evaluate(() => (globalThis as unknown as { seen: { paints: number; lines: number } }).seen);
    await page.evaluate((hash) => (location.hash = hash), `#/board/calls/${encodeURIComponent(id)}`);
    await expect.poll(async () => (await seen()).lines, { timeout: 30_000 }).toBe(count + 1);
    expect((await seen()).paints).toBeLessThan(20);
    expect((await wordsOn(page)).at(-1)).toBe(`We have been talking for a long while, and this is line ${count - 1}.`);
    await spokenCall(product, 'conv_long').say('driver', 'One more.', { turn_id: 'more' });
    await page.getByRole('log').getByText('One more.').waitFor();
    expect((await seen()).lines).toBe(count + 2);
    await expect.poll(() => page.locator('.call-body').evaluate((at) => Math.round(at.scrollHeight - at.scrollTop - at.clientHeight))).toBeLessThan(5);
  });

  it('says that something is missing where it is not what was sealed, and loads it again from the start', async () => {
    const call = spokenCall(product, 'conv_tampered');
    await call.say('agent', 'Take the next exit.', { turn_id: 'a' });
    await call.finish([{ role: 'agent', message: 'Take the next exit.' }]);
    const { page } = await open('about:blank', { friends: [product.url] });
    let honest = false;
    await page.routeWebSocket(/ws/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((text) => socket.send(honest ? text : String(text).replace('the next exit', 'the last exit')));
    });
    await page.goto(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page);
    await page.getByText('Something is missing').waitFor();
    await page.getByText('What came does not match the seal of the call.').waitFor();
    expect(await wordsOn(page)).toEqual(['Take the last exit.']);
    expect(await barriers(page)).toEqual([]);
    honest = true;
    await page.getByRole('button', { name: 'Load again from the start' }).click();
    await page.getByText('Complete, proved').waitFor();
    expect(await wordsOn(page)).toEqual(['Take the next exit.']);
  });

  it('names the events that are gone', async () => {
    const call = spokenCall(product, 'conv_gone');
    await call.say('agent', 'Hello', { turn_id: 'a' });
    await call.say('agent', 'Never seen', { turn_id: 'b' });
    await call.say('agent', 'Goodbye', { turn_id: 'c' });
    const { page } = await open('about:blank', { friends: [product.url] });
    await page.routeWebSocket(/ws/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((text) => {
        const frame = JSON.parse(String(text)) as { seq?: number; text?: string; epoch?: string };
        socket.send(frame.text === 'Never seen' ? JSON.stringify({ type: 'history_lost', call_sid: call.id, conversation_id: 'conv_gone', epoch: '', from_seq: frame.seq, to_seq: frame.seq }) : text);
      });
    });
    await page.goto(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page);
    await waitForWords(page, ['Hello', 'Goodbye']);
    await page.getByText('Event 5 cannot be had.').waitFor();
    await page.getByText('Something is missing').waitFor();
  });
});

describe('what may be done with a call', () => {
  it('it is ended only by whoever confirms it, and what cannot be ended is said plainly', async () => {
    const call = spokenCall(product, 'conv_to_end');
    await call.say('agent', 'Hello', { turn_id: 'a' });
    const page = await opened(call.id, DISPATCHER);
    const asked: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url().endsWith('/end')) asked.push(request.url());
    });
    await page.getByRole('button', { name: 'End the call' }).click();
    const dialog = page.getByRole('dialog', { name: 'End the call' });
    await dialog.waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    // The call itself stays open, and the focus is where it was.
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('End the call');
    expect(asked).toEqual([]);
    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'End the call' }).click();
    await page.getByText('This call cannot be ended from here: the phone service offers no way to do it.').waitFor();
    expect(asked).toHaveLength(1);
    expect(await barriers(page)).toEqual([]);
  });

  it('it is taken along as text and as events, as it is shown', async () => {
    const call = spokenCall(product, 'conv_to_take');
    await call.say('agent', 'Hello', { turn_id: 'a', time_in_call_secs: 1 });
    await call.finish([{ role: 'agent', message: 'Hello', time_in_call_secs: 1 }]);
    const page = await opened(call.id, DISPATCHER);
    await page.getByText('Complete, proved').waitFor();
    const saved = async (button: string): Promise<{ name: string; text: string }> => {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: button }).click();
      const file = await download;
      return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
    };
    const words = await saved('Save transcript');
    expect(words.name).toBe('EL_conv_to_take.txt');
    expect(words.text).toContain('Record: Complete, proved\n');
    expect(words.text).toContain('   0:01 AGENT: Hello\n');
    const events = await saved('Save events');
    expect(events.name).toBe('EL_conv_to_take.json');
    const log = await product.parts.callLog.read(call.id, 0, 100);
    expect((JSON.parse(events.text) as { events: unknown[] }).events).toEqual(log?.events.map(({ text }) => JSON.parse(text) as unknown));
  });

  it('it is erased by an admin who types that it is meant, and then the panel says so', async () => {
    const call = spokenCall(product, 'conv_to_erase');
    await call.say('agent', 'Forget me', { turn_id: 'a' });
    await call.finish([{ role: 'agent', message: 'Forget me' }]);
    const dispatcher = await opened(call.id, DISPATCHER);
    await dispatcher.getByText('Complete, proved').waitFor();
    expect(await dispatcher.getByRole('button', { name: 'Erase ...' }).count()).toBe(0);
    const page = await opened(call.id);
    await page.getByRole('button', { name: 'Erase ...' }).click();
    const dialog = page.getByRole('dialog', { name: 'Erase the call' });
    const erase = dialog.getByRole('button', { name: 'Erase for ever' });
    expect(await erase.isDisabled()).toBe(true);
    await dialog.getByLabel('Type erase to go on').fill('eras');
    expect(await erase.isDisabled()).toBe(true);
    expect(await barriers(page)).toEqual([]);
    await dialog.getByLabel('Type erase to go on').fill('Erase');
    await erase.click();
    await page.getByText('This call was erased. Nothing of it is kept.').waitFor();
    expect(await page.locator('.call').getByText('Forget me').count()).toBe(0);
    await expect.poll(() => page.getByText('Forget me').count(), { timeout: 15_000 }).toBe(0);
    expect(await product.parts.callLog.find(call.id)).toBe('erased');
    await page.reload();
    await page.getByText(/^(?:This call was erased|There is no such call)/).waitFor();
  });

  it('its recording is fetched only when it is asked for, played from this page, and forgotten with the panel', async () => {
    const call = spokenCall(product, 'conv_recorded');
    await call.finish([{ role: 'agent', message: 'Hello' }]);
    const { page } = await open('about:blank', { friends: [product.url] });
    await page.addInitScript(() => {
      const revoke = URL.revokeObjectURL.bind(URL);
      URL.revokeObjectURL = (url) => {
        document.title = `revoked ${url}`;
        revoke(url);
      };
    });
    await page.goto(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page, DISPATCHER);
    const asked: string[] = [];
    await page.route('**/audio', async (route) => {
      asked.push((await route.request().allHeaders())['authorization']?.slice(0, 7) ?? '');
      await route.fulfill({ contentType: 'audio/mpeg', body: Buffer.from('ID3') });
    });
    const listen = page.getByRole('button', { name: 'Listen to the recording' });
    await listen.waitFor();
    expect(asked).toEqual([]);
    await listen.click();
    const audio = page.locator('audio');
    await audio.waitFor();
    expect(asked).toEqual(['Bearer ']);
    const url = (await audio.getAttribute('src')) ?? '';
    expect(url).toMatch(/^blob:/);
    expect(await barriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Close' }).click();
    await audio.waitFor({ state: 'detached' });
    await expect.poll(() => page.title()).toBe(`revoked ${url}`);
  });

  it('where there is no recording, that is said', async () => {
    const call = spokenCall(product, 'conv_unrecorded');
    await call.finish([{ role: 'agent', message: 'Hello' }]);
    const page = await opened(call.id, DISPATCHER);
    await page.getByRole('button', { name: 'Listen to the recording' }).click();
    await page.getByText('There is no recording of this call.').waitFor();
  });

  it('its outcome is asked for again where it never came', async () => {
    const { callLog } = product.parts;
    await callLog.adopt('conv_without_end', newCall({ call_sid: 'EL_without_end', workspace: 'local', tenant: 'local', agent_id: 'agent_local' }), [entry({ kind: 'progress', status: 'processing', reason: null })]);
    const page = await opened('EL_without_end', DISPATCHER);
    await page.getByRole('button', { name: 'Ask ElevenLabs again' }).click();
    await page.getByText('ElevenLabs does not know this conversation.').waitFor();
    await spokenCall(product, 'conv_without_end').finish([{ role: 'agent', message: 'Hello' }]);
    await page.getByText('Complete, proved').waitFor();
    expect(await page.getByRole('button', { name: 'Ask ElevenLabs again' }).count()).toBe(0);
  });

  it('one that was joined with another leads there, by either name', async () => {
    const { callLog } = product.parts;
    const call = spokenCall(product, 'conv_joined');
    await call.say('driver', 'Who is there?', { turn_id: 'a' });
    const created = await callLog.create([newCall({ workspace: 'local', tenant: 'local', agent_id: 'agent_local' })], null);
    const dialled = created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
    await callLog.append(dialled, [entry({ kind: 'dialing', attempt: 1 })]);
    const page = await opened(dialled, DISPATCHER);
    await page.getByText('Dialing').last().waitFor();
    await callLog.append(dialled, [entry({ kind: 'dial_accepted', attempt: 1 }, 'conv_joined')]);
    await page.getByText(/^You asked for .+ It was joined with this call, which has all there is\.$/).waitFor({ timeout: 20_000 });
    await waitForWords(page, ['Who is there?']);
    await page.goto(`${product.url}/#/board/calls/${encodeURIComponent(dialled)}`);
    await page.getByText(/^You asked for .+ It was joined with this call, which has all there is\.$/).waitFor();
    await waitForWords(page, ['Who is there?']);
  });

  it.each([
    ['nobody has', 'EL_nobody_has_this', DISPATCHER],
    ["is somebody else's", 'EL_conv_not_theirs', { username: 'theo', password: PASSWORD }],
  ])('one that %s is not there', async (_whose, id, login) => {
    await spokenCall(product, 'conv_not_theirs').say('agent', 'Not for theo', { turn_id: 'a' });
    const page = await opened(id, login);
    await page.getByText('There is no such call, or it is not one that you may see.').waitFor();
    expect(await page.locator('.call').innerText()).not.toContain('Not for theo');
    expect(await barriers(page)).toEqual([]);
  });

  it('all of it can be reached by the keyboard, and Escape leads back to where one was', async () => {
    const call = spokenCall(product, 'conv_by_keyboard');
    await call.say('agent', 'Hello', { turn_id: 'a' });
    const { page } = await open(product.url);
    await signInOn(page, DISPATCHER);
    await waitForConnection(page, /^Live/);
    await page.getByRole('link', { name: 'History' }).focus();
    await page.evaluate((hash) => (location.hash = hash), `#/board/calls/${call.id}`);
    await waitForWords(page, ['Hello']);
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? '');
    await expect.poll(focused).toBe(call.id);
    const passed: string[] = [];
    for (let stop = 0; stop < 8; stop++) {
      await page.keyboard.press('Tab');
      passed.push(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''));
    }
    expect(passed.slice(0, 6)).toEqual(['Close', 'End the call', 'Save transcript', 'Save events', 'Copy call id', 'Copy conversation id']);
    await page.keyboard.press('Escape');
    await page.locator('.call').waitFor({ state: 'detached' });
    await expect.poll(focused).toBe('History');
  });

  it('its ids are copied', async () => {
    const call = spokenCall(product, 'conv_copied');
    await call.say('agent', 'Hello', { turn_id: 'a' });
    const { page } = await open(`${product.url}/#/board/calls/${call.id}`, { permissions: ['clipboard-read', 'clipboard-write'] });
    await signInOn(page, DISPATCHER);
    await page.getByRole('button', { name: 'Copy conversation id' }).click();
    await page.getByText('Copied', { exact: true }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('conv_copied');
  });
  it('its ids are not copied by a page without a clipboard, which says so', async () => {
    const call = spokenCall(product, 'conv_not_copied');
    await call.say('agent', 'Hello', { turn_id: 'a' });
    const { page } = await open('about:blank', { friends: [product.url] });
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'clipboard', { configurable: true, get: () => undefined }));
    await page.goto(`${product.url}/#/board/calls/${call.id}`);
    await signInOn(page, DISPATCHER);
    await page.getByRole('button', { name: 'Copy conversation id' }).click();
    await page.getByText('Cannot copy here', { exact: true }).waitFor();
  });
});
