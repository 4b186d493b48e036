import { createElement, type FunctionComponent } from 'react';
import { renderToString } from 'react-dom/server';
import { describe, expect, it, vi } from 'vitest';
import { connect, type Feed } from '../../client/index.ts';
import { useBoard, useCall, useConnection } from '../../client/react.ts';

describe('React components on a server', () => {
  const App: FunctionComponent<{ readonly feed: Feed | null }> = ({ feed }) => {
    const { view, version } = useCall(feed, 'EL_1');
    return createElement('p', null, [useConnection(feed).state, String(view.callSid), version, view.items.length, useBoard(feed) === null].join(' '));
  };

  it('show that nothing has come yet, without a feed', () => {
    expect(renderToString(createElement(App, { feed: null }))).toBe('<p>connecting null 0 0 true</p>');
  });

  it('follow nothing, also where there is a feed', () => {
    const open = vi.fn();
    vi.stubGlobal('WebSocket', open);
    const feed = connect({ url: 'ws://relay.example', token: () => 'x' });
    const [call, board, onConnection] = [vi.spyOn(feed, 'call'), vi.spyOn(feed, 'board'), vi.spyOn(feed, 'onConnection')];
    expect(renderToString(createElement(App, { feed }))).toBe('<p>connecting null 0 0 true</p>');
    feed.close();
    vi.unstubAllGlobals();
    for (const asked of [call, board, onConnection, open]) expect(asked).not.toHaveBeenCalled();
  });
});
