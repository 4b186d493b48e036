/** One session of ElevenLabs' monitoring WebSocket. */
import type { WebSocket } from 'ws';
import { EarshotError } from '../core/protocol/codes.ts';
import type { MonitorSession } from './voice-provider.ts';

/**
 * Waits for a monitoring session to be open: ElevenLabs says `connected` first.
 * @param connect gives a socket on its way to be opened
 * @param maxMs how long to wait for `connected`
 * @param onEvent every event of the call, the replayed ones among them; `connected` and `history_complete` too
 * @param onClose once, after the session was open
 * @returns null where the monitor cannot be had: the upgrade was refused. Rejects with `provider_unavailable` where nobody answers.
 */
export const openMonitor = (connect: () => WebSocket, maxMs: number, onEvent: (event: unknown) => void, onClose: () => void): Promise<MonitorSession | null> =>
  new Promise((resolve, reject) => {
    const socket = connected(connect);
    let state: 'opening' | 'open' | 'over' = 'opening';
    const giveUp = (): void => {
      if (state !== 'opening') return;
      state = 'over';
      clearTimeout(timer);
      socket.terminate();
      reject(new EarshotError('provider_unavailable'));
    };
    const timer = setTimeout(giveUp, maxMs);
    socket.on('unexpected-response', (request, response) => {
      const refused = (response.statusCode ?? 500) < 500 && response.statusCode !== 429;
      response.resume();
      request.destroy();
      if (!refused) {
        giveUp();
        return;
      }
      state = 'over';
      clearTimeout(timer);
      resolve(null);
    });
    socket.on('error', giveUp);
    socket.on('message', (data) => {
      const event = parsed((data as Buffer).toString('utf8'));
      if (event === undefined || state === 'over') return;
      if (state === 'opening') {
        if (typeOf(event) !== 'connected') return;
        state = 'open';
        clearTimeout(timer);
        resolve(sessionOf(socket));
      }
      onEvent(event);
    });
    socket.on('close', () => {
      giveUp();
      if (state === 'open') onClose();
      state = 'over';
    });
  });

const sessionOf = (socket: WebSocket): MonitorSession => ({
  send: (command) =>
    new Promise((resolve, reject) => {
      socket.send(JSON.stringify(command), (error) => {
        if (error == null) resolve();
        else reject(new EarshotError('provider_unavailable'));
      });
    }),
  close: () => socket.close(1000),
});

/** A URL or key that no socket takes throws at once. */
const connected = (connect: () => WebSocket): WebSocket => {
  try {
    return connect();
  } catch {
    throw new EarshotError('provider_unavailable');
  }
};

const typeOf = (event: unknown): unknown => (typeof event === 'object' && event !== null && 'type' in event ? event.type : null);

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
