import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchPage, type PageWatch } from '../../client/page.ts';
import { ClientRig } from '../fixtures/client-relay.ts';

/** A browser's document, as far as sleep shows in it. */
class Page extends EventTarget {
  hidden = false;
  show(visible: boolean): void {
    this.hidden = !visible;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

describe('a page that was asleep', () => {
  let page: Page;
  let window: EventTarget;
  let told: string[];
  let watch: PageWatch;
  beforeEach(() => {
    vi.useFakeTimers();
    page = new Page();
    window = new EventTarget();
    vi.stubGlobal('document', page);
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
    told = [];
    watch = watchPage((what) => told.push(what));
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  /** Time goes on, and no timer runs. */
  const sleep = (ms: number): void => {
    vi.setSystemTime(Date.now() + ms);
  };

  it('says so with its next timer, once', () => {
    vi.advanceTimersByTime(10_000);
    expect(told).toEqual([]);
    sleep(6_000);
    vi.advanceTimersByTime(10_000);
    expect(told).toEqual(['wake']);
  });

  it('says so before it takes what came in, where that is sooner than any timer', () => {
    sleep(7_000);
    watch.look();
    expect(told).toEqual(['wake']);
    vi.advanceTimersByTime(5_000);
    expect(told).toEqual(['wake']);
  });

  it('did not sleep where it was hidden and its timers ran once a minute, as long as something came in', () => {
    page.show(false);
    for (let beat = 0; beat < 8; beat++) {
      sleep(15_000);
      watch.look();
    }
    page.show(true);
    expect(told).toEqual([]);
  });

  it('says so when it is looked at again, where nothing came in while it was hidden', () => {
    page.show(false);
    sleep(31_000);
    page.show(true);
    expect(told).toEqual(['wake']);
  });

  it('is measured as any other once it is looked at again', () => {
    page.show(false);
    page.show(true);
    sleep(7_000);
    watch.look();
    expect(told).toEqual(['wake']);
  });

  it('says so when it is thawed, and when it is brought back from the cache of pages', () => {
    page.dispatchEvent(new Event('resume'));
    window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }));
    expect(told).toEqual(['wake']);
    window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
    expect(told).toEqual(['wake', 'wake']);
  });

  it('tells of the network, and of nothing once it is stopped', () => {
    window.dispatchEvent(new Event('offline'));
    window.dispatchEvent(new Event('online'));
    expect(told).toEqual(['offline', 'online']);
    watch.stop();
    for (const target of [window, page]) for (const type of ['online', 'offline', 'resume']) target.dispatchEvent(new Event(type));
    sleep(60_000);
    page.show(true);
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual(['offline', 'online']);
  });
});

describe('a client that polls', () => {
  it('is not live after a sleep before it has polled anew, and tries a socket at once', () => {
    const rig = new ClientRig();
    rig.do('start');
    for (const link of [1, 2, 3]) {
      rig.pass(30_000);
      rig.do('closed', link, 1006);
    }
    rig.answerPoll();
    expect(rig.machine.connection.state).toBe('live');
    const [polls, links] = [rig.polls.length, rig.links.size];
    rig.do('wake');
    expect([rig.machine.connection.state, rig.aborted, rig.polls.length, rig.links.size]).toEqual(['unverified', 1, polls + 1, links + 1]);
    rig.answerPoll();
    expect(rig.machine.connection.state).toBe('live');
  });
});
