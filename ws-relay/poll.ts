/**
 * `POST /poll`: the same session machine over another transport. The answer holds what a socket would have got since the
 * positions given, as soon as there is something to tell; a heartbeat ends it, so that freshness can be judged.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EarshotError, ERRORS, type ErrorCode } from '../core/protocol/codes.ts';
import { BODY_ARRIVAL_MAX_MS, POLL_ANSWER_MAX_BYTES, REST_BODY_MAX_BYTES } from '../core/protocol/limits.ts';
import { PollRequest } from '../core/protocol/messages.ts';
import { bearerOf } from './asker.ts';
import { frameText, type Frame } from './frames.ts';
import { answerJson, answerProblem } from './http.ts';
import type { Connected, Hub } from './hub.ts';
import type { RelayParts } from './parts.ts';
import type { Transport } from './viewer.ts';

/** While answers are still being made they are waited for in steps of this. */
const STEP_MS = 20;
/** A store that does not answer holds a poll at most this much longer than it asked for. */
const PATIENCE_MS = 2_000;

/** Reads and answers one poll. `headers`: CORS. */
export const answerPoll = async (parts: RelayParts, hub: Hub, req: IncomingMessage, res: ServerResponse, headers: Record<string, string>): Promise<void> => {
  const bearer = bearerOf(req);
  if ('code' in bearer) {
    answerProblem(res, bearer.code, headers);
    return;
  }
  try {
    const request = PollRequest.safeParse(JSON.parse(await bodyOf(parts, req)) as unknown);
    if (request.success) await poll(parts, hub, bearer.token, request.data, res, headers);
    else answerProblem(res, 'invalid_request', headers);
  } catch (error) {
    answerProblem(res, error instanceof EarshotError ? error.code : 'invalid_json', headers);
  }
};

const bodyOf = ({ runtime }: RelayParts, req: IncomingMessage): Promise<string> =>
  new Promise((resolve, reject) => {
    if ((req.headers['content-encoding'] ?? 'identity') !== 'identity') {
      reject(new EarshotError('encoding_not_supported'));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const late = runtime.after(BODY_ARRIVAL_MAX_MS, () => reject(new EarshotError('body_timeout')));
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= REST_BODY_MAX_BYTES) chunks.push(chunk);
      else reject(new EarshotError('payload_too_large'));
    });
    req.on('end', () => {
      late.cancel();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    req.on('error', () => {
      late.cancel();
      reject(new EarshotError('invalid_request'));
    });
  });

const poll = ({ runtime }: RelayParts, hub: Hub, token: string, request: PollRequest, res: ServerResponse, headers: Record<string, string>): Promise<void> =>
  new Promise((resolve) => {
    const asked = new Map(request.calls.map(({ id, epoch, seq }) => [id, positionOf(epoch, seq)]));
    const wantedMark = typeof request.board === 'object' ? request.board.mark : undefined;
    const frames: string[] = [];
    const boardRows: unknown[] = [];
    let bytes = 0;
    let noteworthy = false;
    let established = false;
    let finished = false;
    let checking = false;
    let over = false;
    let refusal: ErrorCode = 'store_unavailable';
    let connected: Connected | null = null;

    const finish = (): void => {
      if (finished) return;
      if (established) connected?.beat();
      finished = true;
      connected?.closed(1000);
      if (res.destroyed) {
        resolve();
        return;
      }
      if (!established) answerProblem(res, refusal, headers);
      else {
        const mark = request.board === undefined || request.board === false ? '' : `,"board_mark":${JSON.stringify(markOf(boardRows))}`;
        answerJson(res, 200, `{"frames":[${frames.join(',')}]${mark}}`, headers);
      }
      resolve();
    };
    const markOf = (rows: unknown): string => runtime.sha256(JSON.stringify(rows));

    const check = (): void => {
      checking = false;
      if (finished || connected === null) return;
      const settled = established && connected.settled();
      if ((settled && (noteworthy || over)) || bytes >= POLL_ANSWER_MAX_BYTES) finish();
      else if (!settled) recheck(STEP_MS);
    };
    const recheck = (ms: number): void => {
      if (checking) return;
      checking = true;
      runtime.after(ms, check);
    };

    const begin = (): void => {
      established = true;
      const entries = request.calls.map(({ id }) => ({ id, since: asked.get(id) }));
      if (entries.length > 0) tell({ subscribe: entries });
      const { board } = request;
      if (board === true) tell({ watch: 'board' });
      else if (typeof board === 'object') tell({ watch: 'board', status: board.status, agent_id: board.agent_id, driver_id: board.driver_id });
    };
    const tell = (message: object): void => {
      const text = JSON.stringify(message);
      connected?.text(text, Buffer.byteLength(text));
    };

    /** Takes note of one frame. Answers whether it belongs in the answer. */
    const note = (frame: NotedFrame): boolean => {
      if (frame.type === 'system_message' && frame.data?.event === 'connection_established') {
        // The hub is still busy with this frame: what was asked for follows in its own turn.
        runtime.after(0, begin);
        return false;
      }
      if (frame.type === 'error' && !established && frame.code !== undefined && frame.code in ERRORS) refusal = frame.code as ErrorCode;
      if (frame.type === 'board_snapshot') {
        boardRows.push(...(frame.rows ?? []));
        if (frame.more !== true && markOf(boardRows) !== wantedMark) noteworthy = true;
      } else if (frame.type === 'subscription_confirmed') {
        // That a good position is good is no news: it would make a busy loop of quiet calls.
        if (frame.recovered !== true || asked.get(frame.ref ?? '') === undefined) noteworthy = true;
      } else if (frame.type !== 'heartbeat') noteworthy = true;
      return true;
    };

    const write = (frame: Frame): void => {
      if (finished) return;
      const text = frameText(frame);
      if (!note(JSON.parse(text) as NotedFrame)) return;
      frames.push(text);
      bytes += frame.length;
      recheck(0);
    };

    const transport: Transport = {
      write,
      feed: (some) => some.forEach(write),
      room: () => (finished ? 0 : POLL_ANSWER_MAX_BYTES - bytes),
      waiting: () => 0,
      taken: () => bytes,
      hold: () => undefined,
      ping: () => undefined,
      close: (_code, reason) => {
        if (reason === 'draining') refusal = 'draining';
        finish();
      },
    };
    res.on('close', finish);
    connected = hub.connect({ transport, offer: { kind: 'token', token }, replaces: null, kind: 'poll' });
    // Flags, not a look at the clock: a timer may be a fraction of a millisecond early by it.
    runtime.after(request.wait * 1000, () => {
      over = true;
      check();
    });
    runtime.after(request.wait * 1000 + PATIENCE_MS, finish);
    recheck(STEP_MS);
  });

interface NotedFrame {
  readonly type: string;
  readonly data?: { readonly event?: string };
  readonly code?: string;
  readonly recovered?: boolean;
  readonly ref?: string;
  readonly rows?: readonly unknown[];
  readonly more?: boolean;
}

/** A position as a subscription takes it; undefined: none was given. */
const positionOf = (epoch: string | null | undefined, seq: number | null | undefined): { epoch: string; seq: number } | undefined =>
  (epoch === null || epoch === undefined) && (seq === null || seq === undefined) ? undefined : { epoch: epoch ?? '', seq: seq ?? 0 };
