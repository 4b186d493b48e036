/** `earshot e2e --connections N`: many at once, with their times. */
import { CLOSE_CODES } from '../core/protocol/codes.ts';
import type { Api } from './api.ts';
import type { Checks } from './checks.ts';
import { asCliError } from './exit-codes.ts';
import { isGreeting, openSocket, protocolsFor, socketUrl } from './socket.ts';

export interface ConnectionsOptions {
  readonly api: Api;
  readonly checks: Checks;
  readonly say: (line: string) => void;
  readonly count: number;
  /** Limit of each. */
  readonly waitMs: number;
}

type Result = 'successful' | 'auth_required' | 'timeouts' | 'errors';

/** Figures for the document. */
export type ConnectionFigures = Readonly<Record<'connections', Readonly<Record<Result | 'total' | 'total_ms' | 'average_ms', number>>>>;

export const connections = async ({ api, checks, say, count, waitMs }: ConnectionsOptions): Promise<ConnectionFigures> => {
  const url = socketUrl(await api.relayUrl());
  const token = await api.token();
  const counted: Record<Result, number> = { successful: 0, auth_required: 0, timeouts: 0, errors: 0 };
  const ids = new Set<string>();
  const began = performance.now();
  const times = await Promise.all(
    Array.from({ length: count }, async () => {
      const from = performance.now();
      const { result, id } = await connectOnce(url, token, waitMs);
      counted[result] += 1;
      if (id !== null) ids.add(id);
      return performance.now() - from;
    }),
  );
  const total = Math.round(performance.now() - began);
  const average = Math.round((times.reduce((sum, time) => sum + time, 0) / count) * 10) / 10;
  say(`Total connections: ${count}`);
  say(`Successful: ${counted.successful}`);
  say(`Auth required: ${counted.auth_required}`);
  say(`Timeouts: ${counted.timeouts}`);
  say(`Errors: ${counted.errors}`);
  say(`Total time: ${total} ms`);
  say(`Average time: ${average} ms`);
  checks.note(`${count} of ${count} connected`, counted.successful === count, counted.successful === count ? '' : `${counted.successful} did`);
  checks.note('each is a connection of its own', ids.size === counted.successful, `${ids.size} ids`);
  return { connections: { total: count, ...counted, total_ms: total, average_ms: average } };
};

/** Connects, is greeted, leaves. */
const connectOnce = async (url: string, token: string, waitMs: number): Promise<{ result: Result; id: string | null }> => {
  try {
    const socket = await openSocket(url, protocolsFor(token), waitMs);
    try {
      const { body } = await socket.next('the first frame', () => true, waitMs);
      if (isGreeting(body)) return { result: 'successful', id: (body['data'] as { connection_id: string }).connection_id };
      const code = await socket.closed(waitMs);
      const asked: readonly number[] = [CLOSE_CODES.token_missing.code, CLOSE_CODES.token_invalid.code, CLOSE_CODES.token_expired.code];
      return { result: asked.includes(code) ? 'auth_required' : 'errors', id: null };
    } finally {
      socket.close();
    }
  } catch (error) {
    return { result: asCliError(error).code === 'timed_out' ? 'timeouts' : 'errors', id: null };
  }
};
