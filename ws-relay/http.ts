/** The relay's small HTTP side: refusals and health. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from 'node:http';
import { ERRORS, type ErrorCode } from '../core/protocol/codes.ts';
import type { Hub } from './hub.ts';
import type { RelayParts } from './parts.ts';
import { problem, refusalHeaders } from './upgrade.ts';

/** Answers with a problem document. */
export const answerProblem = (res: ServerResponse, code: ErrorCode, headers: Record<string, string> = {}): void => {
  const body = problem(code);
  res.writeHead(ERRORS[code].status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...refusalHeaders(code), ...headers });
  res.end(body);
};

/** Answers with JSON. */
export const answerJson = (res: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void => {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  res.end(body);
};

/** Refuses an upgrade: the socket has no response object any more. */
export const refuseUpgrade = (socket: Duplex, code: ErrorCode): void => {
  const body = problem(code);
  const { status } = ERRORS[code];
  const headers = { 'content-type': 'application/problem+json', 'content-length': String(Buffer.byteLength(body)), connection: 'close', ...refusalHeaders(code) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // Whoever is refused may not hold the connection by never closing its half.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
};

/** What `/health` says: never a token asked, never a failure, so that a probe tells a sick store from a dead process. */
export const health = async ({ callLog, directory, options }: RelayParts, hub: Pick<Hub, 'verifiedAt' | 'serves'>, state: string): Promise<string> => {
  const word = (check: Promise<void>): Promise<string> => check.then(() => 'ok', () => 'failed');
  const [log, users] = await Promise.all([word(callLog.check()), word(directory.check())]);
  const checks = { call_log: log, directory: users, relay: state === 'ready' ? 'ok' : 'failed' };
  const well = Object.values(checks).every((result) => result === 'ok');
  const verifiedAt = hub.verifiedAt();
  const { version, revision } = options;
  const which = revision === null ? {} : { revision, serving: hub.serves() };
  return JSON.stringify({ status: well ? 'ok' : 'unavailable', version, checks, verified_at: verifiedAt === null ? null : new Date(verifiedAt).toISOString(), ...which });
};
