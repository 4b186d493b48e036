/**
 * Reads an upgrade request. Wrong path, version or origin and a full or closing relay are refused by HTTP; everything else
 * completes the upgrade, because a browser cannot read why an upgrade was refused.
 */
import type { IncomingMessage } from 'node:http';
import type { Offer } from '../core/domain/relay/effects.ts';
import { readTraceparent } from '../core/domain/trace-context.ts';
import { ERRORS, type ErrorCode } from '../core/protocol/codes.ts';
import { problemOf } from '../core/protocol/problem.ts';
import type { LogFields } from '../ports/log.ts';

/** Where sockets are taken. */
export const SOCKET_PATHS: readonly string[] = ['/ws/calls/transcriptions', '/ws', '/websocket'];

const PROTOCOL = 'earshot.v1';
const BEARER = 'bearer.';

/** The request's path and query; null where its target is none. It may be a whole URL (RFC 9112, 3.2.2). */
export const targetOf = ({ url = '/' }: IncomingMessage): URL | null => {
  try {
    return new URL(url.startsWith('/') ? `http://relay${url}` : url);
  } catch {
    return null;
  }
};

/** Whether a browser may come from there. No Origin: not a browser. */
export const originAllowed = (req: IncomingMessage, allowed: readonly string[]): boolean =>
  req.headers.origin === undefined || allowed.includes(req.headers.origin);

/** The subprotocols that the request offers, in order. */
export const offeredProtocols = (req: IncomingMessage): readonly string[] =>
  (req.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');

/** What is selected: ours; else the first one offered, be it good or not, since a browser drops an upgrade that selects none. */
export const selectProtocol = (offered: readonly string[]): string | false => (offered.includes(PROTOCOL) ? PROTOCOL : (offered[0] ?? false));

/** What the request offers to say who it is: subprotocol first, then ticket, then the query's token. */
export const offerOf = (req: IncomingMessage, query: URLSearchParams, allowQueryToken: boolean): Offer => {
  const offered = offeredProtocols(req);
  const bearer = offered.find((word) => word.startsWith(BEARER));
  if (bearer !== undefined) return { kind: 'token', token: bearer.slice(BEARER.length) };
  const [only] = offered;
  if (offered.length === 1 && only !== undefined && only !== PROTOCOL && only.includes('.')) return { kind: 'token', token: only };
  const ticket = query.get('ticket');
  if (ticket !== null) return { kind: 'ticket', ticket };
  const token = query.get('token');
  if (token !== null && allowQueryToken) return { kind: 'token', token };
  return { kind: 'none' };
};

/** The trace that the platform has begun for the request, for the lines that tell of it; nothing where it has none. */
export const traceOf = ({ headers }: IncomingMessage): LogFields => {
  const header = headers['traceparent'];
  const trace = typeof header === 'string' ? readTraceparent(header) : null;
  return trace === null ? {} : { trace_id: trace.trace_id, span_id: trace.span_id, trace_sampled: trace.sampled };
};

/** The code of why this request cannot be upgraded here, or null. */
export const refusalOf = (req: IncomingMessage, path: string, allowedOrigins: readonly string[]): ErrorCode | null => {
  if (!SOCKET_PATHS.includes(path)) return 'not_found';
  // An Upgrade in an HTTP/1.0 request is to be ignored (RFC 9110, 7.8).
  const webSocket = req.httpVersion === '1.1' && req.method === 'GET' && req.headers.upgrade?.toLowerCase() === 'websocket' && req.headers['sec-websocket-version'] === '13';
  if (!webSocket) return 'upgrade_required';
  return originAllowed(req, allowedOrigins) ? null : 'origin_not_allowed';
};

/** A problem document (RFC 9457) as JSON text. */
export const problem = (code: ErrorCode): string => JSON.stringify(problemOf(code));

/** Headers that a refusal carries beside its problem document. */
export const refusalHeaders = (code: ErrorCode): Record<string, string> => {
  if (code === 'upgrade_required') return { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' };
  if (ERRORS[code].status === 401) return { 'www-authenticate': 'Bearer' };
  return ERRORS[code].status === 503 ? { 'retry-after': '1' } : {};
};
