/** Claims of an access token of our own (RFC 9068). Times are seconds since 1970. */
import { z } from 'zod';

export const TokenClaims = z.object({
  sub: z.string().min(1).describe("the user's id"),
  tenant: z.string().min(1).nullable().describe('null: outside all tenants'),
  roles: z.array(z.enum(['dispatcher', 'admin', 'service', 'operator'])).min(1),
  sid: z.string().min(1).describe('the sign-in'),
  jti: z.string().min(1),
  username: z.string(),
  auth_time: z.int().describe('when the sign-in happened'),
  iat: z.int(),
  exp: z.int(),
});
