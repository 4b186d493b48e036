/** Signing in and out, tickets for WebSockets, the public keys. */
import { createRoute } from '@hono/zod-openapi';
import { EarshotError } from '../../core/protocol/codes.ts';
import { SIGN_IN_LIFE_SECONDS, TICKET_LIFE_SECONDS } from '../../core/protocol/limits.ts';
import { KeySetAnswer, LoginRequest, SimulateRequest, TicketAnswer, TokenAnswer as TokenAnswerSchema } from '../../core/protocol/rest.ts';
import { answer, body, byToken, named, otherwise } from './describe.ts';
import type { Api } from './services.ts';
import { passwordSignIn, startSignIn, type IssuedToken } from './sign-in.ts';

const TokenAnswer = named('Token', TokenAnswerSchema);
const asAnswer = ({ token, expires_in }: IssuedToken) => ({ access_token: token, token_type: 'Bearer' as const, expires_in });

/** Adds `/auth/...` and `/.well-known/jwks.json`. */
export const authRoutes = (api: Api): void => {
  const { app, parts, signedIn } = api;
  const { directory, issuer, runtime } = parts;
  const signIn = passwordSignIn(parts);

  app.openapi(
    createRoute({ method: 'post', path: '/auth/login', tags: ['auth'], summary: 'Sign in', request: { body: body(LoginRequest) }, responses: { 200: answer(TokenAnswer, 'an access token'), ...otherwise } }),
    async (c) => {
      const { username, password } = c.req.valid('json');
      return c.json(asAnswer(await signIn(username, password)), 200);
    },
  );

  app.openapi(
    createRoute({ method: 'post', path: '/auth/refresh', tags: ['auth'], summary: 'A new token for a good one, up to 12 hours after the sign-in', middleware: signedIn, security: byToken, responses: { 200: answer(TokenAnswer, 'an access token'), ...otherwise } }),
    async (c) => {
      const asker = c.get('asker');
      // Whoever signs people in elsewhere also renews their tokens there.
      if (!asker.local) throw new EarshotError('forbidden');
      return c.json(asAnswer(await issuer.issue(asker)), 200);
    },
  );

  app.openapi(
    createRoute({ method: 'post', path: '/auth/logout', tags: ['auth'], summary: 'End this sign-in with all its tokens', middleware: signedIn, security: byToken, responses: { 204: { description: 'ended' }, ...otherwise } }),
    async (c) => {
      const asker = c.get('asker');
      const untilSeconds = asker.local ? asker.signed_in_at + SIGN_IN_LIFE_SECONDS : asker.expires_at;
      await directory.endSignIn(asker.sid, untilSeconds * 1000);
      // A hint: sessions look for themselves soon.
      if (asker.tenant !== null) await parts.bus.publish({ kind: 'rights', tenant: asker.tenant, user: asker.user }).catch(() => undefined);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({ method: 'post', path: '/auth/ticket', tags: ['auth'], summary: 'A ticket for one WebSocket, good once and for 30 seconds', middleware: signedIn, security: byToken, responses: { 200: answer(TicketAnswer, 'the ticket'), ...otherwise } }),
    async (c) => {
      const ticket = runtime.randomHex(32);
      await directory.putTicket({ hash: runtime.sha256(ticket), principal: JSON.stringify(c.get('asker')), expires_at: runtime.now() + TICKET_LIFE_SECONDS * 1000 });
      return c.json({ ticket, expires_in: TICKET_LIFE_SECONDS }, 200);
    },
  );

  app.openapi(createRoute({ method: 'get', path: '/.well-known/jwks.json', tags: ['auth'], summary: 'The keys that verify access tokens', responses: { 200: answer(KeySetAnswer, 'a JWK set'), ...otherwise } }), async (c) => {
    const { keys } = await issuer.publicKeys();
    c.header('cache-control', 'public, max-age=300');
    return c.json({ keys: keys.map((key) => ({ ...key })) }, 200);
  });

  if (parts.settings.e2eAuthKey !== null) simulateRoute(api, parts.settings.e2eAuthKey);
};

/** Signs a user of the directory in by the key of the tests instead of a password. */
const simulateRoute = ({ app, parts }: Api, key: string): void => {
  app.openapi(
    createRoute({ method: 'post', path: '/auth/simulate', tags: ['auth'], summary: 'Sign in by the key of the tests; not in production', request: { body: body(SimulateRequest) }, responses: { 200: answer(TokenAnswer, 'an access token'), ...otherwise } }),
    async (c) => {
      const request = c.req.valid('json');
      // Hashes compared: how long it takes says nothing of the key.
      const opens = parts.runtime.sha256(request.key) === parts.runtime.sha256(key);
      const user = opens ? await parts.directory.userByName(request.username) : null;
      if (user === null || user.disabled) throw new EarshotError('credentials_invalid');
      return c.json(asAnswer(await startSignIn(parts, user)), 200);
    },
  );
};
