/**
 * The board in a real Chromium with 2,000 calls of which 50 speak every second: frames, long tasks, and what an update costs the page.
 * The baseline makes the whole list anew at each change, as pages do that nobody thought about; it follows the same feed.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { beginCalls, talk } from '../fixtures/busy-board.ts';
import { launchChromium, unpackChromium } from '../fixtures/chromium.ts';
import { signInOn, startDashboard, tokenOf } from '../fixtures/dashboard.ts';
import type { Product } from '../../local/product.ts';
import type { Bench, Measured } from './harness/figures.ts';

const CALLS = 2_000;
const PER_SECOND = 50;
const SECONDS = 10;
const ROOT = new URL('../../', import.meta.url).pathname;

/** The page of the baseline and its script, on an origin of its own. */
const naiveServer = async (): Promise<{ readonly url: string; close(): Promise<void> }> => {
  const { outputFiles } = await build({ absWorkingDir: ROOT, entryPoints: ['test/bench/naive-page/page.ts'], bundle: true, minify: true, format: 'esm', write: false });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url?.startsWith('/page.js') === true;
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
    response.end(isScript ? script : '<!doctype html><title>Calls</title><script type="module" src="/page.js"></script><ul></ul>');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

interface Watched {
  readonly framesPerSecond: number;
  readonly longTasks: number;
  readonly longTaskMs: number;
  /** Of the page's main thread. */
  readonly msPerUpdate: number;
}

/** Counts frames and long tasks while the calls speak. */
const watch = async (page: Page, product: Product, random: () => number): Promise<Watched> => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  const taskSeconds = async (): Promise<number> => (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN;
  await page.evaluate(() => {
    const seen = { frames: 0, longTasks: 0, longTaskMs: 0, began: performance.now() };
    Object.assign(globalThis, { seen });
    const frame = (): void => {
      seen.frames++;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        seen.longTasks++;
        seen.longTaskMs += duration;
      }
    }).observe({ type: 'longtask' });
  });
  const before = await taskSeconds();
  await talk(product, { calls: CALLS, perSecond: PER_SECOND, seconds: SECONDS, random }).done;
  const after = await taskSeconds();
  const seen = await page.evaluate(() => {
    const { frames, longTasks, longTaskMs, began } = (globalThis as unknown as { seen: { frames: number; longTasks: number; longTaskMs: number; began: number } }).seen;
    return { framesPerSecond: frames / ((performance.now() - began) / 1000), longTasks, longTaskMs };
  });
  return { ...seen, msPerUpdate: ((after - before) * 1000) / (PER_SECOND * SECONDS) };
};

const onPage = async <T>(browser: Browser, use: (page: Page) => Promise<T>): Promise<T> => {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 900 } });
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
};

export const screenBench: Bench = {
  name: 'screen',
  what: `the board with ${CALLS} calls, ${PER_SECOND} updates a second, in Chromium; beside a page that makes its list anew at each change`,
  together: true,
  run: async (rounds, say) => {
    const ends: (() => Promise<unknown>)[] = [];
    const ours: Watched[] = [];
    const theirs: Watched[] = [];
    try {
      const naive = await naiveServer();
      ends.push(() => naive.close());
      const product = await startDashboard({ ALLOWED_ORIGINS: naive.url }, (end) => void ends.push(end));
      const browser = await launchChromium(await unpackChromium());
      ends.push(() => browser.close());
      say(`${CALLS} calls begin ...`);
      await beginCalls(product, CALLS);
      let chance = 11;
      const random = (): number => (chance = (chance * 16_807) % 2_147_483_647) / 2_147_483_647;
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: ${SECONDS} s each`);
        ours.push(
          await onPage(browser, async (page) => {
            await page.goto(product.url);
            await signInOn(page);
            await page.getByText('2,000').first().waitFor();
            return watch(page, product, random);
          }),
        );
        const token = await tokenOf(product);
        theirs.push(
          await onPage(browser, async (page) => {
            await page.goto(`${naive.url}/#${new URLSearchParams({ relay: product.url, token }).toString()}`);
            await page.locator('li').nth(CALLS - 1).waitFor({ state: 'attached' });
            return watch(page, product, random);
          }),
        );
      }
    } finally {
      for (const end of ends.reverse()) await end();
    }
    const measured = (what: string, unit: string, of: keyof Watched): Measured => ({
      what,
      unit,
      ours: ours.map((watched) => watched[of]),
      baseline: { name: 'list made anew', values: theirs.map((watched) => watched[of]) },
    });
    return {
      bench: 'screen',
      measured: [
        measured('frames', 'per second', 'framesPerSecond'),
        measured('tasks over 50 ms', `in ${SECONDS} s`, 'longTasks'),
        measured('time in them', `ms in ${SECONDS} s`, 'longTaskMs'),
        measured('main thread', 'ms per update', 'msPerUpdate'),
      ],
      notes: [`${CALLS} calls, ${PER_SECOND} updates a second for ${SECONDS} s; both pages follow the same feed.`],
    };
  },
};
