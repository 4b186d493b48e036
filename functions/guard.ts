/**
 * Stands in front of every HTTP server of ours, functions-framework's included: that one would inflate a gzip body to 1 GB and
 * buffer whatever comes. Here a compressed body is refused before a byte is inflated, a body over the limit before it is buffered,
 * and the body parser behind finds the stream already read (`rawBody`).
 */
import { createHash, createHmac } from 'node:crypto';
import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { ERRORS, type ErrorCode } from '../core/protocol/codes.ts';
import { BODY_ARRIVAL_MAX_MS, REST_BODY_MAX_BYTES, WEBHOOK_BODY_KEPT_BYTES, WEBHOOK_BODY_MAX_BYTES } from '../core/protocol/limits.ts';
import { parseSignatureHeader } from '../core/domain/elevenlabs/signature.ts';
import { problemOf } from '../core/protocol/problem.ts';

/** What is left of a body larger than what is kept: enough to verify it and to tell it from others. */
export interface PassedBody {
  readonly bytes: number;
  readonly sha256: string;
  /** HMAC over `<timestamp>.<body>` with each of the secrets, as hex, in their order. */
  readonly digests: readonly string[];
}

/** A request as it reaches what stands behind the guard. */
export interface GuardedRequest extends IncomingMessage {
  rawBody?: Buffer;
  passedBody?: PassedBody;
}

export interface GuardOptions {
  /** Secrets that a large delivery may be signed with; asked for only when one comes. A rejection is answered 503. */
  readonly secrets: () => Promise<readonly string[]>;
  /** Milliseconds a body may take; tests shorten it. */
  readonly arrivalMaxMs?: number;
}

/** Whether a request goes to a webhook. Its target may be a whole URL (RFC 9112, 3.2.2). */
export const isWebhook = ({ url = '/' }: IncomingMessage): boolean => /^(https?:\/\/[^/?#]*)?\/webhooks\//i.test(url);

/** @returns a listener that answers 408, 413, 415 and 503 itself and hands everything else on, its body read */
export const guard = (inner: RequestListener, options: GuardOptions): RequestListener => (request, response) => {
  const encoding = request.headers['content-encoding'];
  const maxBytes = isWebhook(request) ? WEBHOOK_BODY_MAX_BYTES : REST_BODY_MAX_BYTES;
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') refuse(request, response, 'encoding_not_supported');
  else if (Number(request.headers['content-length'] ?? 0) > maxBytes) refuse(request, response, 'payload_too_large');
  else void readBody(request, response, maxBytes, options).then((read) => read && inner(request, response));
};

/** Resolves to whether the request goes on; otherwise it was answered or has gone. */
const readBody = (request: GuardedRequest, response: ServerResponse, maxBytes: number, options: GuardOptions): Promise<boolean> =>
  new Promise((resolve) => {
    const kept: Buffer[] = [];
    let bytes = 0;
    let passing: PassingHash | null = null;
    const timer = setTimeout(() => stop('body_timeout'), options.arrivalMaxMs ?? BODY_ARRIVAL_MAX_MS);
    const settle = (goesOn: boolean): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      resolve(goesOn);
    };
    const stop = (code: ErrorCode): void => {
      settle(false);
      refuse(request, response, code);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) stop('payload_too_large');
      else if (passing !== null) passing.update(chunk);
      else if (bytes <= WEBHOOK_BODY_KEPT_BYTES) kept.push(chunk);
      else pass(chunk);
    };
    const pass = (chunk: Buffer): void => {
      request.pause();
      options.secrets().then(
        (secrets) => {
          passing = new PassingHash(request, secrets);
          for (const part of [...kept.splice(0), chunk]) passing.update(part);
          request.resume();
        },
        () => stop('secret_unavailable'),
      );
    };
    const onEnd = (): void => {
      const [only] = kept;
      if (passing === null) request.rawBody = only !== undefined && kept.length === 1 ? only : Buffer.concat(kept, bytes);
      else {
        request.rawBody = Buffer.alloc(0);
        request.passedBody = passing.result(bytes);
      }
      settle(true);
    };
    const onClose = (): void => settle(false);
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });

class PassingHash {
  readonly #hash = createHash('sha256');
  readonly #signatures: ReturnType<typeof createHmac>[];

  constructor(request: IncomingMessage, secrets: readonly string[]) {
    const header = request.headers['elevenlabs-signature'];
    const parsed = parseSignatureHeader(typeof header === 'string' ? header : null);
    this.#signatures = parsed === null ? [] : secrets.map((secret) => createHmac('sha256', secret).update(`${parsed.timestamp}.`));
  }

  update(chunk: Buffer): void {
    this.#hash.update(chunk);
    for (const signature of this.#signatures) signature.update(chunk);
  }

  result(bytes: number): PassedBody {
    return { bytes, sha256: this.#hash.digest('hex'), digests: this.#signatures.map((signature) => signature.digest('hex')) };
  }
}

/** What a refused sender may still send before its connection is cut: cutting at once would often lose it the answer. */
const DISCARD_MAX_BYTES = 64 * 1024 * 1024;
const DISCARD_MAX_MS = 2_000;

const refuse = (request: IncomingMessage, response: ServerResponse, code: ErrorCode): void => {
  const body = JSON.stringify(problemOf(code));
  response.writeHead(ERRORS[code].status, { 'content-type': 'application/problem+json', 'content-length': Buffer.byteLength(body), connection: 'close' });
  response.write(body);
  let discarded = 0;
  let timer: NodeJS.Timeout | null = null;
  const end = (): void => {
    if (timer !== null) clearTimeout(timer);
    response.end();
  };
  if (request.complete) {
    end();
    return;
  }
  timer = setTimeout(end, DISCARD_MAX_MS);
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > DISCARD_MAX_BYTES) end();
  });
  request.once('end', end).once('close', end).once('error', end);
  request.resume();
};

export interface NextServer extends GuardOptions {
  /**
   * Answers in the place of what the server was to be created with. functions-framework runs a function behind a dozen of Express' layers and
   * five body parsers, in a domain whose hooks follow every promise: more than the receiving of a delivery itself takes
   * (`npm run bench -- webhook`), and nothing of it is used behind the guard. Left out: its own listener answers.
   */
  readonly answer?: RequestListener | undefined;
  /** Is told of that server before it listens. */
  readonly created?: (server: Server) => void;
}

/**
 * Puts the guard in front of the next HTTP server that this process creates: functions-framework looks `http.createServer` up when
 * it starts, after it has loaded the functions (pinned 5.0.5; a test sends gzip through its real command).
 */
export const guardNextServer = ({ answer, created, ...options }: NextServer): void => {
  const original = http.createServer;
  http.createServer = ((...args: unknown[]) => {
    http.createServer = original;
    const last = args.length - 1;
    args[last] = guard(answer ?? (args[last] as RequestListener), options);
    const server = (original as (...all: unknown[]) => Server)(...args);
    created?.(server);
    return server;
  });
};
