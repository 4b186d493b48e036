import { describe, expect, it, onTestFinished } from 'vitest';
import { useBrowser } from '../fixtures/browser.ts';
import { startRelay, tokenOf, type RelayRig } from '../fixtures/relay.ts';
import { bundled, servePage } from '../fixtures/served-page.ts';

/** Two components that show one call, one that shows the board, one the connection; how often each was rendered stands in `window.rendered`. */
const scriptFor = (url: string): string => `
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { connect } from './client/index.ts';
import { useBoard, useCall, useConnection } from './client/react.ts';
window.rendered = { call: 0, board: 0, connection: 0 };
window.sent = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) { window.sent.push(JSON.parse(text)); send.call(this, text); };
const feed = connect({ url: ${JSON.stringify(url)}, token: () => ${JSON.stringify(tokenOf('ann'))} });
const Call = ({ id, name }) => {
  const { view } = useCall(feed, id);
  window.rendered.call++;
  return <p id={name}>{view.callSid ?? 'none'} {view.turnCount} {view.trust}</p>;
};
const Board = () => {
  const rows = useBoard(feed);
  window.rendered.board++;
  return <p id="board">{rows === null ? 'waiting' : rows.map((row) => row.call_sid).sort().join(' ')}</p>;
};
const State = () => {
  window.rendered.connection++;
  return <p id="state">{useConnection(feed).state}</p>;
};
const App = () => {
  const [id, setId] = useState('EL_1');
  const [both, setBoth] = useState(true);
  return <>
    <State /><Board /><Call name="one" id={id} />{both && <Call name="two" id={id} />}
    <button id="other" onClick={() => setId('EL_2')}>other</button>
    <button id="nothing" onClick={() => setId(null)}>nothing</button>
    <button id="single" onClick={() => setBoth(false)}>single</button>
  </>;
};
createRoot(document.getElementById('root')).render(<StrictMode><App /></StrictMode>);
`;

interface Seen {
  readonly rendered: Record<'call' | 'board' | 'connection', number>;
  readonly sent: Record<string, unknown>[];
}

describe('React components that show a feed', () => {
  const open = useBrowser();
  const start = async () => {
    let rig: RelayRig | null = null;
    const origin = await servePage(async (from) => {
      rig = await startRelay({ options: { allowedOrigins: [from] } });
      return bundled(scriptFor(rig.wsUrl));
    });
    const relay = rig as RelayRig | null;
    if (relay === null) throw new Error('no relay was started');
    onTestFinished(() => relay.close());
    relay.callLog.add('EL_1');
    relay.callLog.add('EL_2');
    const { page } = await open(origin, { friends: [relay.httpUrl] });
    const shows = async (id: string, text: string): Promise<void> => page.locator(`#${id}`, { hasText: new RegExp(`^${text}$`) }).waitFor();
    const seen = async (): Promise<Seen> => page.evaluate<Seen>('({ rendered: window.rendered, sent: window.sent })');
    return { relay, page, shows, seen };
  };

  it('share one subscription, render a burst of 3,000 events a few times, and show it proved', async () => {
    const { relay, shows, seen } = await start();
    await shows('state', 'live');
    await shows('board', 'EL_1 EL_2');
    await shows('two', 'EL_1 0 arriving');
    const before = await seen();
    await relay.say('EL_1', ...Array.from({ length: 3_000 }, (_, place) => `word ${place}`));
    await relay.publish('EL_1', relay.callLog.finish('EL_1'));
    for (const name of ['one', 'two']) await shows(name, 'EL_1 3000 complete');
    const after = await seen();
    // Two components, each rendered twice by StrictMode.
    expect((after.rendered.call - before.rendered.call) / 4).toBeLessThan(60);
    expect(after.sent.filter((message) => 'subscribe' in message)).toEqual([{ subscribe: [{ id: 'EL_1' }] }]);
    expect(after.sent.filter((message) => 'watch' in message)).toEqual([{ watch: 'board' }]);
  });

  it('leave a call with the last component that shows it, show another from its start, and nothing where none is wanted', async () => {
    const { relay, page, shows, seen } = await start();
    relay.callLog.say('EL_2', 'one', 'two');
    await shows('one', 'EL_1 0 arriving');
    await page.locator('#single').click();
    await relay.say('EL_1', 'hello');
    await shows('one', 'EL_1 1 arriving');
    const { sent } = await seen();
    expect(sent.filter((message) => 'unsubscribe' in message)).toEqual([]);
    await page.locator('#other').click();
    await shows('one', 'EL_2 2 arriving');
    await page.locator('#nothing').click();
    await shows('one', 'none 0 arriving');
    expect((await seen()).sent.filter((message) => 'unsubscribe' in message)).toEqual([{ unsubscribe: 'EL_1' }, { unsubscribe: 'EL_2' }]);
  });
});
