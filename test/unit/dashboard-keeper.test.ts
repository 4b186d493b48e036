import { describe, expect, it } from 'vitest';
import { createKeeper, type Keeper } from '../../client/dashboard/keeper.ts';
import { ApiProblem } from '../../client/dashboard/http.ts';

const HOUR = 3_600;

/** A token as the API makes them; nobody here checks its signature. */
const tokenOf = (claims: object): string => `head.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;

interface Stage {
  readonly keeper: Keeper;
  readonly kept: Map<string, string>;
  readonly asked: string[];
  readonly startedOver: number;
  /** What the API answers to the next requests; the last one stays. */
  answers: (() => Response | 'none')[];
  /** Lets time pass, in steps of a second, and whatever waits for it happen. */
  pass(seconds: number): Promise<void>;
  /** The API's token of this moment. */
  fresh(more?: object): string;
  /** The machine sleeps: only the wall clock goes on. */
  sleep(seconds: number): void;
  /** Another page of the same tab. */
  reloaded(): Stage;
}

/** @param skewSeconds how far the page's clock is ahead of the API's */
const stage = (kept = new Map<string, string>(), clock = { seconds: 1_000_000 }, skewSeconds = 0): Stage => {
  const waiting: { at: number; run: () => void }[] = [];
  const asked: string[] = [];
  let startedOver = 0;
  const fresh = (more: object = {}): string => {
    const signedIn = { username: 'anna', tenant: 't1', roles: ['dispatcher'], auth_time: 1_000_000, iat: clock.seconds, exp: clock.seconds + HOUR, ...more };
    return tokenOf({ ...signedIn, exp: Math.min(signedIn.exp, signedIn.auth_time + 12 * HOUR) });
  };
  let began = clock.seconds;
  const self: Stage = {
    keeper: createKeeper({
      send: async (path, init) => {
        asked.push(`${path} ${new Headers(init.headers).get('authorization') ?? ''}`.trim());
        const answer = (self.answers.length > 1 ? self.answers.shift() : self.answers[0])?.() ?? 'none';
        if (answer === 'none') throw new ApiProblem({ code: 'no_answer', title: '', detail: 'The server cannot be reached.', retryable: true }, null);
        return Promise.resolve(answer);
      },
      kept: { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => void kept.set(name, value), removeItem: (name) => void kept.delete(name) },
      monotonic: () => (clock.seconds - began) * 1000,
      now: () => (clock.seconds + skewSeconds) * 1000,
      after: (ms, run) => void waiting.push({ at: clock.seconds + ms / 1000, run }),
      startOver: () => {
        startedOver++;
      },
    }),
    kept,
    asked,
    get startedOver() {
      return startedOver;
    },
    answers: [() => Response.json({ access_token: fresh() })],
    pass: async (seconds) => {
      for (let second = 0; second < seconds; second++) {
        clock.seconds++;
        for (const due of waiting.filter(({ at }) => at <= clock.seconds)) {
          waiting.splice(waiting.indexOf(due), 1);
          due.run();
        }
        // What they asked for is answered at once.
        for (let turns = 0; turns < 8; turns++) await Promise.resolve();
      }
    },
    fresh,
    sleep: (seconds) => {
      clock.seconds += seconds;
      began += seconds;
    },
    reloaded: () => stage(kept, clock, skewSeconds),
  };
  return self;
};

const problem = (status: number, code: string, headers: Record<string, string> = {}) => (): Response => Response.json({ code, title: code, detail: `${code}.`, retryable: false }, { status, headers });

/** An answer that has begun, and whose content is still on its way. */
const late = (): { readonly answer: Response; comes(token: string): void } => {
  let comes: (token: string) => void = () => undefined;
  const content = new Promise<{ readonly access_token: string }>((resolve) => {
    comes = (access_token) => {
      resolve({ access_token });
    };
  });
  return {
    answer: Object.assign(new Response(), { json: () => content }),
    comes: (token) => {
      comes(token);
    },
  };
};

const signedIn = async (skewSeconds = 0): Promise<Stage> => {
  const made = stage(new Map(), { seconds: 1_000_000 }, skewSeconds);
  made.keeper.resume();
  await made.keeper.signIn('anna', 'secret');
  made.asked.length = 0;
  return made;
};

describe('a sign-in', () => {
  it.each([0, 7_200, -7_200])('is renewed at half the life of its token while the page is open, whatever the clock of the page says (%i s off)', async (skew) => {
    const made = await signedIn(skew);
    const first = await made.keeper.accessToken();
    await made.pass(HOUR / 2 - 5);
    expect(made.asked).toEqual([]);
    await made.pass(40);
    expect(made.asked).toEqual([`/auth/refresh Bearer ${first}`]);
    expect(await made.keeper.accessToken()).not.toBe(first);
  });

  it('lasts a shift of 12 hours by itself, is not renewed past it, and then says why it is over', async () => {
    const made = await signedIn();
    await made.pass(12 * HOUR - 60);
    const renewals = made.asked.length;
    expect(renewals).toBeGreaterThanOrEqual(22);
    expect(renewals).toBeLessThan(30);
    expect(made.keeper.ended.value).toBeNull();
    await made.pass(61);
    expect(made.asked).toHaveLength(renewals);
    made.keeper.signInEnded('token_expired');
    expect(made.keeper.ended.value).toBe('A sign-in lasts 12 hours, and yours is over. Sign in again to go on where you were.');
  });

  it('goes on with the token it has while the API does not answer, and asks again', async () => {
    const made = await signedIn();
    const first = await made.keeper.accessToken();
    made.answers = [() => 'none'];
    await made.pass(HOUR / 2 + 20);
    expect(await made.keeper.accessToken()).toBe(first);
    expect(made.asked.length).toBeGreaterThan(1);
    made.answers = [problem(503, 'store_unavailable')];
    await made.pass(10);
    expect(made.keeper.session.value?.username).toBe('anna');
    made.answers = [() => Response.json({ access_token: made.fresh() })];
    await made.pass(10);
    expect(await made.keeper.accessToken()).not.toBe(first);
  });

  it('does not keep anybody waiting for a renewal that is not answered', async () => {
    const made = await signedIn();
    await made.pass(HOUR / 2 - 10);
    const first = await made.keeper.accessToken();
    made.answers = [() => new Promise<Response>(() => undefined) as unknown as Response];
    await made.pass(15);
    let given: string | null = null;
    void made.keeper.accessToken().then((token) => {
      given = token;
    });
    await made.pass(4);
    expect(given).toBeNull();
    await made.pass(2);
    expect(given).toBe(first);
  });

  it('is taken up by a reload of the tab, and its token renewed at its first use', async () => {
    const made = await signedIn();
    const first = await made.keeper.accessToken();
    await made.pass(300);
    const again = made.reloaded();
    again.keeper.resume();
    expect(again.keeper.session.value).toEqual({ username: 'anna', tenant: 't1', roles: ['dispatcher'], signedInAt: 1_000_000_000 });
    expect(await again.keeper.accessToken()).not.toBe(first);
    expect(again.asked).toEqual([`/auth/refresh Bearer ${first}`]);
  });

  it('that is ended elsewhere leaves the page to the person, and nothing in the tab', async () => {
    const made = await signedIn();
    made.answers = [problem(401, 'sign_in_ended')];
    await made.pass(HOUR / 2 + 20);
    expect(made.keeper.session.value).toBeNull();
    expect(made.keeper.person.value?.username).toBe('anna');
    expect(made.keeper.ended.value).toBe('Your sign-in has ended. Sign in again to go on where you were.');
    expect(made.kept.size).toBe(0);
    await expect(made.keeper.accessToken()).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('is renewed after a sleep in which the monotonic clock stood still, before the token runs out', async () => {
    const made = await signedIn();
    const first = await made.keeper.accessToken();
    await made.pass(HOUR / 3);
    made.sleep(HOUR / 2);
    expect(await made.keeper.accessToken()).not.toBe(first);
    expect(made.asked).toEqual([`/auth/refresh Bearer ${first}`]);
  });

  it('that was ended by somebody is not said to have lasted its 12 hours, however wrong the clock of the page is', async () => {
    const made = await signedIn(2 * 24 * HOUR);
    made.keeper.signInEnded('sign_in_ended');
    expect(made.keeper.ended.value).toBe('Your sign-in has ended. Sign in again to go on where you were.');
  });

  it('that was left is not brought back by an answer that was under way', async () => {
    const made = await signedIn();
    await made.pass(HOUR / 2 - 10);
    const body = late();
    made.answers = [() => body.answer];
    await made.pass(50);
    expect(made.asked).toHaveLength(1);
    made.keeper.signOut();
    body.comes(made.fresh());
    await made.pass(1);
    expect([made.kept.size, made.keeper.session.value, made.startedOver]).toEqual([0, null, 1]);

    const other = await signedIn();
    other.keeper.signInEnded();
    const signing = late();
    other.answers = [() => signing.answer];
    const signedInLate = other.keeper.signIn('anna', 'secret');
    other.keeper.signOut();
    signing.comes(other.fresh());
    await signedInLate;
    expect([other.kept.size, other.keeper.session.value]).toEqual([0, null]);
  });

  it('that ended while its renewal was under way stays ended', async () => {
    const made = await signedIn();
    await made.pass(HOUR / 2 - 10);
    const renewal = late();
    made.answers = [() => renewal.answer];
    await made.pass(20);
    made.keeper.signInEnded('access_revoked');
    renewal.comes(made.fresh());
    await made.pass(1);
    expect([made.keeper.session.value, made.kept.size]).toEqual([null, 0]);
    expect(made.keeper.ended.value).toBe('Your access was taken away or changed. Sign in again to go on where you were.');
  });

  it('that was taken away at its end is not said to be over by its time', async () => {
    const made = await signedIn();
    await made.pass(12 * HOUR + 1);
    made.keeper.signInEnded('access_revoked');
    expect(made.keeper.ended.value).toBe('Your access was taken away or changed. Sign in again to go on where you were.');
  });

  it('by a token that the API does not renew, since another house issued it, goes on with it', async () => {
    const made = await signedIn();
    const first = await made.keeper.accessToken();
    made.answers = [problem(403, 'forbidden')];
    await made.pass(HOUR / 2 + 20);
    expect(made.asked.length).toBeGreaterThan(0);
    expect([await made.keeper.accessToken(), made.keeper.ended.value]).toEqual([first, null]);
  });

  it('of a minute ago is not renewed by a reload', async () => {
    const made = await signedIn();
    const first = await made.keeper.accessToken();
    await made.pass(30);
    const again = made.reloaded();
    again.keeper.resume();
    expect([await again.keeper.accessToken(), again.asked]).toEqual([first, []]);
  });

  it('under the same name in another tenant is that of somebody else', async () => {
    const made = await signedIn();
    made.keeper.signInEnded();
    made.answers = [() => Response.json({ access_token: made.fresh({ tenant: 't2' }) })];
    await made.keeper.signIn('anna', 'secret');
    expect([made.startedOver, made.keeper.session.value]).toEqual([1, null]);
  });

  it('is renewed again after an answer that broke off', async () => {
    const made = await signedIn();
    const first = await made.keeper.accessToken();
    made.answers = [() => new Response('{"access_tok')];
    await made.pass(HOUR / 2 + 5);
    expect(await made.keeper.accessToken()).toBe(first);
    made.answers = [() => Response.json({ access_token: made.fresh() })];
    await made.pass(60);
    expect(await made.keeper.accessToken()).not.toBe(first);
    expect(made.keeper.ended.value).toBeNull();
  });

  it('works in a browser that keeps nothing, until the page is left', async () => {
    const refused = (): never => {
      throw new DOMException('The operation is insecure.', 'SecurityError');
    };
    let startedOver = 0;
    const keeper = createKeeper({
      send: () => Promise.resolve(Response.json({ access_token: tokenOf({ username: 'anna', tenant: 't1', roles: [], auth_time: 0, iat: 0, exp: HOUR }) })),
      kept: { getItem: refused, setItem: refused, removeItem: refused },
      monotonic: () => 0,
      now: () => 0,
      after: () => undefined,
      startOver: () => {
        startedOver++;
      },
    });
    keeper.resume();
    expect(keeper.person.value).toBeNull();
    await keeper.signIn('anna', 'secret');
    expect(keeper.session.value?.username).toBe('anna');
    keeper.signOut();
    expect([keeper.session.value, startedOver]).toEqual([null, 1]);
  });

  it('of the same person goes on where it was; of another the page begins anew, and shows nothing in between', async () => {
    const made = await signedIn();
    made.keeper.signInEnded();
    await made.keeper.signIn('anna', 'secret');
    expect([made.keeper.ended.value, made.keeper.session.value?.username, made.startedOver]).toEqual([null, 'anna', 0]);
    made.keeper.signInEnded();
    made.answers = [() => Response.json({ access_token: made.fresh({ username: 'theo', tenant: 't2' }) })];
    await made.keeper.signIn('theo', 'secret');
    expect(made.startedOver).toBe(1);
    expect(made.keeper.session.value).toBeNull();
    const theirs = made.reloaded();
    theirs.keeper.resume();
    expect(theirs.keeper.session.value?.username).toBe('theo');
  });

  it('is not ended by a refusal of a token that has been renewed since', async () => {
    const made = await signedIn();
    const old = await made.keeper.accessToken();
    await made.pass(HOUR / 2 + 40);
    made.keeper.signInEnded('token_expired', old);
    expect(made.keeper.ended.value).toBeNull();
    made.keeper.signInEnded('token_expired', await made.keeper.accessToken());
    expect(made.keeper.ended.value).not.toBeNull();
  });

  it('is signed out here and at the API, and leaves nothing', async () => {
    const made = await signedIn();
    const token = await made.keeper.accessToken();
    made.keeper.signOut();
    expect(made.asked).toEqual([`/auth/logout Bearer ${token}`]);
    expect([made.kept.size, made.keeper.session.value, made.startedOver]).toEqual([0, null, 1]);
  });

  it('with a role taken away by the next token shows it', async () => {
    const made = await signedIn();
    made.answers = [() => Response.json({ access_token: made.fresh({ roles: ['admin'] }) })];
    await made.pass(HOUR / 2 + 40);
    expect(made.keeper.session.value?.roles).toEqual(['admin']);
  });

  it('that is refused is a problem with the seconds to wait, and nobody is in', async () => {
    const made = stage();
    made.answers = [problem(429, 'too_many_attempts', { 'retry-after': '25' })];
    await expect(made.keeper.signIn('anna', 'wrong')).rejects.toMatchObject({ code: 'too_many_attempts', message: 'too_many_attempts.', retryAfterSeconds: 25 });
    expect(made.keeper.person.value).toBeNull();
  });

  it('is none where what the tab kept is no token', () => {
    const made = stage(new Map([['earshot.token', 'what.ever.this']]));
    made.keeper.resume();
    expect(made.keeper.person.value).toBeNull();
    expect(made.kept.size).toBe(0);
  });
});
