import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ask, askFile } from '../../client/dashboard/api.ts';
import { dial } from '../../client/dashboard/dial.ts';
import { signIn, signInEnded } from '../../client/dashboard/session.ts';

const payload = { username: 'anna', tenant: 't1', roles: ['dispatcher'], auth_time: 0, iat: 0, exp: 3_600 };
const token = `head.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.signature`;

let answer: (init: RequestInit) => Promise<Response>;
beforeEach(async () => {
  vi.stubGlobal('sessionStorage', { getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
  vi.stubGlobal('fetch', (_path: string, init: RequestInit) => answer(init));
  answer = () => Promise.resolve(Response.json({ access_token: token }));
  await signIn('anna', 'secret');
});
afterEach(() => {
  vi.useRealTimers();
  signInEnded();
  vi.unstubAllGlobals();
});

describe('an answer of the API', () => {
  it.each([
    ['that breaks off', '{"call_sid":"EL_'],
    ['that is a page of somebody in between', '<!doctype html>'],
  ])('%s is none: whoever started a call by it is told to press again, which calls nobody twice', async (_what, body) => {
    answer = () => Promise.resolve(new Response(body));
    await expect(dial({ number: '+15550100123' }, 'key')).rejects.toMatchObject({ code: 'no_answer', status: null });
  });

  it('without content is null', async () => {
    answer = () => Promise.resolve(new Response(null, { status: 204 }));
    expect(await ask('/calls/EL_1', { method: 'DELETE' })).toBeNull();
  });

  it('that does not begin within half a minute is none, of a file within ten minutes', async () => {
    vi.useFakeTimers();
    answer = ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(new DOMException('Aborted', 'AbortError'));
        });
      });
    const ended: string[] = [];
    const noted = (name: string, asked: Promise<unknown>): Promise<unknown> => asked.catch((error: unknown) => ended.push(`${name}: ${(error as { readonly code: string }).code}`));
    const both = [noted('call', ask('/calls/EL_1')), noted('file', askFile('/calls.csv'))];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(ended).toEqual(['call: no_answer']);
    await vi.advanceTimersByTimeAsync(570_000);
    await Promise.all(both);
    expect(ended).toEqual(['call: no_answer', 'file: no_answer']);
  });

  it('that nobody wants any more is given up, also while its content comes in', async () => {
    const control = new AbortController();
    answer = ({ signal }) => {
      const content = new ReadableStream({
        pull: () => {
          control.abort();
        },
        start: (stream) => {
          signal?.addEventListener('abort', () => {
            stream.error(new DOMException('Aborted', 'AbortError'));
          });
        },
      }, { highWaterMark: 0 });
      return Promise.resolve(new Response(content));
    };
    const asked = ask('/stats/hours', { signal: control.signal });
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });
});
