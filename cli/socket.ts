/** A WebSocket to a relay by hand, frame by frame: what the client library hides, doctor and e2e want to see. */
import WebSocket from 'ws';
import { asRecord } from '../core/domain/elevenlabs/json.ts';
import { CliError } from './exit-codes.ts';

export interface Frame {
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface RelaySocket {
  /** The subprotocol that was selected. */
  readonly protocol: string;
  readonly frames: readonly Frame[];
  send(message: unknown): void;
  /** The next frame, from the first on, that fits and was not given out before it. Throws CliError `timed_out`, `connection_closed`. */
  next(what: string, fits: (body: Frame['body']) => boolean, ms: number): Promise<Frame>;
  /** The close code. Throws CliError `timed_out`. */
  closed(ms: number): Promise<number>;
  close(): void;
}

/** Where sockets are taken, under a relay's address. */
export const socketUrl = (relay: string): string => {
  const url = new URL(relay.replace(/^http/, 'ws'));
  if (url.pathname === '/') url.pathname = '/ws/calls/transcriptions';
  return url.href;
};

/** Opens one; `protocols` as the client offers them. Throws CliError `upgrade_refused` with the status, `unreachable`, `timed_out`. */
export const openSocket = (url: string, protocols: readonly string[], ms: number): Promise<RelaySocket> =>
  new Promise((resolve, reject) => {
    const ws = new WebSocket(url, [...protocols], { handshakeTimeout: ms, perMessageDeflate: false });
    const socket = over(ws);
    ws.once('open', () => resolve(socket));
    ws.once('unexpected-response', (_request, response) => {
      reject(new CliError('upgrade_refused', `The upgrade was answered with HTTP ${response.statusCode ?? 0}.`, 'failed'));
      response.destroy();
      ws.terminate();
    });
    ws.on('error', (error) => {
      const late = /handshake has timed out/.test(error.message);
      reject(late ? timedOut('the upgrade', ms) : new CliError('unreachable', `No WebSocket could be opened at ${new URL(url).origin} (${(error as { code?: string }).code ?? 'the upgrade failed'}).`, 'unreachable'));
    });
  });

const timedOut = (what: string, ms: number): CliError => new CliError('timed_out', `Nothing within ${ms / 1000} s: ${what}.`, 'failed');

const over = (ws: WebSocket): RelaySocket => {
  const frames: Frame[] = [];
  const watchers = new Set<() => void>();
  let given = 0;
  let code: number | null = null;
  const tell = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  ws.on('message', (data) => {
    const text = (data as Buffer).toString('utf8');
    frames.push({ text, body: asRecord(parsed(text)) });
    tell();
  });
  ws.on('close', (closeCode) => {
    code = closeCode;
    tell();
  });

  /** Looks now and whenever something happens, until there is an answer or the time is over. */
  const until = <T>(what: string, ms: number, look: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(limit);
        watchers.delete(watcher);
      };
      const watcher = (): void => {
        try {
          const found = look();
          if (found === undefined) return;
          end();
          resolve(found);
        } catch (error) {
          end();
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const limit = setTimeout(() => {
        watchers.delete(watcher);
        reject(timedOut(what, ms));
      }, ms);
      watchers.add(watcher);
      watcher();
    });

  return {
    get protocol() {
      return ws.protocol;
    },
    frames,
    send: (message) => ws.send(JSON.stringify(message)),
    next: (what, fits, ms) =>
      until(what, ms, () => {
        for (; given < frames.length; given++) {
          const frame = frames[given];
          if (frame === undefined || !fits(frame.body)) continue;
          given++;
          return frame;
        }
        if (code !== null) throw new CliError('connection_closed', `The relay closed the connection (${code}) before ${what}.`, 'failed');
        return undefined;
      }),
    closed: (ms) => until('the close', ms, () => code ?? undefined),
    close: () => ws.close(1000),
  };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
};

/** The subprotocols of a client of today. */
export const protocolsFor = (token: string): string[] => ['earshot.v1', `bearer.${token}`];

/** Whether the frame is the relay's first. */
export const isGreeting = (body: Frame['body']): boolean => body['type'] === 'system_message' && asRecord(body['data'])['event'] === 'connection_established';
