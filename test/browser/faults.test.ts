import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { useBrowser } from '../fixtures/browser.ts';
import { signInOn, waitForConnection, waitForWords, wordsOn } from '../fixtures/dashboard.ts';
import { ANNA, deployedPage, meanwhile, type DeployedPage } from '../fixtures/deployed-page.ts';
import { tokenOf } from '../fixtures/stored-data.ts';

const CALL = 'EL_conv_1';
const open = useBrowser();

/** What was said so far, and a way to say more. */
interface Speech {
  readonly said: string[];
  say(count: number): Promise<void>;
  /** Goes on speaking until it is stopped. */
  keepOn(): { stop(): Promise<number> };
}

const speechOf = (stage: DeployedPage): Speech => {
  const said: string[] = [];
  const one = async (): Promise<void> => {
    const words = `words ${said.length}`;
    await stage.say('conv_1', words);
    said.push(words);
  };
  return {
    said,
    say: async (count) => {
      for (let more = 0; more < count; more++) await one();
    },
    keepOn: () => meanwhile(one),
  };
};

/** Signed in as anna, with the call open and its words on the page. */
const watching = async (stage: DeployedPage): Promise<{ readonly page: Page; readonly speech: Speech }> => {
  const speech = speechOf(stage);
  await speech.say(3);
  const { page } = await open(`${stage.url}/#/board/calls/${CALL}`, { friends: [stage.front.url] });
  await signInOn(page, ANNA);
  await waitForWords(page, speech.said);
  await waitForConnection(page, /^Live/);
  return { page, speech };
};

const endsProved = async (stage: DeployedPage, page: Page, speech: Speech): Promise<void> => {
  await waitForWords(page, speech.said);
  await stage.finish('conv_1', speech.said);
  await page.getByText('Complete, proved').first().waitFor();
  expect(await wordsOn(page)).toEqual(speech.said);
};

describe('under an open page', () => {
  it('a relay is killed in the middle of a call and another takes its place: nothing is missing, nothing comes twice, and the page says what happened', async () => {
    const stage = await deployedPage();
    const { page, speech } = await watching(stage);
    const speaking = speech.keepOn();
    await stage.relay.end('SIGKILL');
    await waitForConnection(page, /lost/i);
    expect(await wordsOn(page)).toEqual(speech.said.slice(0, (await wordsOn(page)).length));
    await stage.newRelay();
    await waitForConnection(page, /^(?:Back|Live|Restored)/);
    await speaking.stop();
    await endsProved(stage, page, speech);
    await waitForConnection(page, /^Live/);
  });

  it('the network is away for ten seconds: the page says so, and goes on where it was', async () => {
    const stage = await deployedPage();
    const { page, speech } = await watching(stage);
    await page.context().setOffline(true);
    stage.front.open = false;
    stage.front.cut();
    await waitForConnection(page, /offline|lost/i);
    const speaking = speech.keepOn();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await speaking.stop();
    stage.front.open = true;
    await page.context().setOffline(false);
    await endsProved(stage, page, speech);
    await waitForConnection(page, /^Live/);
  });

  it('the tab is frozen while words are spoken and its socket is cut: thawed, it misses nothing', async () => {
    const stage = await deployedPage();
    const { page, speech } = await watching(stage);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
    await speech.say(20);
    stage.front.cut();
    await speech.say(20);
    await devtools.send('Page.setWebLifecycleState', { state: 'active' });
    await endsProved(stage, page, speech);
  });

  it('the address of the machine changes, and the socket of before is dead without a word: the next is opened, and nothing is missing', async () => {
    const stage = await deployedPage();
    const { page, speech } = await watching(stage);
    stage.front.mute();
    await speech.say(5);
    // What a browser says when it has another network.
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await endsProved(stage, page, speech);
    await waitForConnection(page, /^Live/);
  });

  it('two tabs of one browser see the same, each once and in order, though one came late', async () => {
    const stage = await deployedPage();
    const { page, speech } = await watching(stage);
    const speaking = speech.keepOn();
    const second = await page.context().newPage();
    await second.goto(`${stage.url}/#/board/calls/${CALL}`);
    await signInOn(second, ANNA);
    await expect.poll(() => wordsOn(second).then(({ length }) => length)).toBeGreaterThan(3);
    await speaking.stop();
    await endsProved(stage, page, speech);
    await waitForWords(second, speech.said);
    await second.getByText('Complete, proved').first().waitFor();
  });

  it('sockets are refused: the page lives by polling and says so', async () => {
    const stage = await deployedPage();
    const speech = speechOf(stage);
    await speech.say(3);
    const { page } = await open('about:blank', { friends: [stage.url, stage.front.url] });
    await page.routeWebSocket(/.*/, (socket) => void socket.close({ code: 1011 }));
    await page.goto(`${stage.url}/#/board/calls/${CALL}`);
    await signInOn(page, ANNA);
    await waitForWords(page, speech.said);
    await waitForConnection(page, /polling/i);
    await speech.say(5);
    await endsProved(stage, page, speech);
  });

  it('the token comes near its end: it is renewed in band, on the same socket', async () => {
    const stage = await deployedPage();
    const speech = speechOf(stage);
    await speech.say(3);
    // Forty seconds are left of its hour.
    const token = await tokenOf(stage.dataDir, 'anna', 't1', ['dispatcher'], Math.floor(Date.now() / 1000) - 3560);
    const { page } = await open('about:blank', { friends: [stage.url, stage.front.url] });
    const opened: string[] = [];
    const sent: string[] = [];
    page.on('websocket', (socket) => {
      opened.push(socket.url());
      socket.on('framesent', ({ payload }) => sent.push(String(payload)));
    });
    await page.addInitScript((kept) => sessionStorage.setItem('earshot.token', kept), token);
    let renewals = 0;
    // At first it does not work, as with a server that is being deployed: the socket opens with the old token.
    await page.route('**/auth/refresh', async (route) => {
      if (opened.length === 0) await route.abort();
      else {
        renewals++;
        await route.continue();
      }
    });
    await page.goto(`${stage.url}/#/board/calls/${CALL}`);
    await waitForWords(page, speech.said);
    await expect.poll(() => sent.filter((text) => text.startsWith('{"auth":')).length, { timeout: 30_000 }).toBeGreaterThan(0);
    await speech.say(2);
    await endsProved(stage, page, speech);
    expect(opened).toHaveLength(1);
    expect(renewals).toBeGreaterThan(0);
  });

  it('the sign-in is ended elsewhere: the page asks for another over what it shows, and goes on from there', async () => {
    const stage = await deployedPage();
    const { page, speech } = await watching(stage);
    // As from another tab that has the same sign-in.
    const token = await page.evaluate(() => sessionStorage.getItem('earshot.token'));
    const answer = await fetch(`${stage.url}/auth/logout`, { method: 'POST', headers: { authorization: `Bearer ${token ?? ''}` } });
    expect(answer.status).toBe(204);
    await page.getByRole('dialog', { name: /sign in/i }).waitFor({ timeout: 75_000 });
    expect(await wordsOn(page)).toEqual(speech.said);
    await speech.say(4);
    await signInOn(page, ANNA);
    await endsProved(stage, page, speech);
  });
});
