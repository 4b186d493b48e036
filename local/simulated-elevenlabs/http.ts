import type { IncomingMessage, ServerResponse } from 'node:http';

/** Nothing that a dial carries comes near it. */
const BODY_MAX_BYTES = 256 * 1024;

/** An answer of the simulator's. */
export interface Answer {
  readonly status: number;
  readonly content_type: string;
  readonly body: string | Buffer;
}

/** A JSON answer. */
export const json = (status: number, value: unknown): Answer => ({ status, content_type: 'application/json', body: JSON.stringify(value) });

/** ElevenLabs' usual error: `{"detail": {"status", "message"}}`. */
export const problem = (status: number, word: string, message: string): Answer => json(status, { detail: { status: word, message } });

/** Writes an answer; nothing where the caller has left. */
export const write = (response: ServerResponse, answer: Answer): void => {
  if (response.destroyed) return;
  response.writeHead(answer.status, { 'content-type': answer.content_type, 'content-length': Buffer.byteLength(answer.body) });
  response.end(answer.body);
};

/**
 * Reads a JSON body.
 * @returns the value (`{}` for an empty body), or the answer that refuses it
 */
export const readJson = async (request: IncomingMessage): Promise<{ readonly value: unknown } | { readonly refusal: Answer }> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_MAX_BYTES) return { refusal: problem(413, 'payload_too_large', 'The body is too large.') };
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return { value: {} };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { refusal: json(422, { detail: [{ type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error' }] }) };
  }
};
