/** Signing in with user name and password: the same answer and the same time whether nobody has the name or the password is wrong. */
import { afterFailure, NO_FAILURES, secondsToWait, type SignInFailures } from '../../core/domain/sign-in.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { Directory, User } from '../../ports/directory.ts';
import type { TokenIssuer } from '../../ports/identity.ts';
import type { Passwords } from '../../ports/password.ts';
import type { Runtime } from '../../ports/runtime.ts';

interface SignInParts {
  readonly directory: Directory;
  readonly passwords: Passwords;
  readonly issuer: TokenIssuer;
  readonly runtime: Runtime;
}

export type IssuedToken = Awaited<ReturnType<TokenIssuer['issue']>>;

/** Names that nobody has rest like accounts do, or the rest would tell which exist. As many as this are remembered. */
const UNKNOWN_NAMES_MAX_COUNT = 10_000;

/**
 * Makes the one function that signs in. It throws EarshotError `credentials_invalid`, `too_many_attempts` (with the seconds to wait),
 * `rate_limited`, `store_unavailable`.
 */
export const passwordSignIn = (parts: SignInParts): ((username: string, password: string) => Promise<IssuedToken>) => {
  const { directory, passwords, runtime } = parts;
  const unknownNames = new Map<string, SignInFailures>();
  const failuresOf = (user: User | null, name: string): SignInFailures => user ?? unknownNames.get(name) ?? NO_FAILURES;

  const noteFailure = async (user: User | null, name: string): Promise<void> => {
    if (user !== null) {
      await directory.changeUser(user.user, (found) => ({ ...found, ...afterFailure(found, runtime.now()) }));
      return;
    }
    const failures = afterFailure(failuresOf(null, name), runtime.now());
    unknownNames.delete(name);
    const oldest = unknownNames.keys().next();
    if (unknownNames.size >= UNKNOWN_NAMES_MAX_COUNT && oldest.done !== true) unknownNames.delete(oldest.value);
    unknownNames.set(name, failures);
  };

  return async (username, password) => {
    const name = runtime.sha256(username);
    let user: User | null = null;
    const matches = await passwords.verify(password, async () => {
      // Read when it is this attempt's turn: failures of those that went before count already.
      user = await directory.userByName(username);
      const seconds = secondsToWait(failuresOf(user, name), runtime.now());
      if (seconds > 0) throw new EarshotError('too_many_attempts', { retryAfterSeconds: seconds });
      return user?.password ?? null;
    });
    const found = user as User | null;
    if (!matches || found === null || found.disabled) {
      await noteFailure(found, name);
      throw new EarshotError('credentials_invalid');
    }
    if (found.failed_sign_ins > 0) await directory.changeUser(found.user, (before) => ({ ...before, ...NO_FAILURES }));
    return startSignIn(parts, found);
  };
};

/** A token of a new sign-in. */
export const startSignIn = ({ issuer, runtime }: Pick<SignInParts, 'issuer' | 'runtime'>, user: User): Promise<IssuedToken> =>
  issuer.issue({
    user: user.user,
    username: user.username,
    tenant: user.tenant,
    roles: user.roles,
    sid: runtime.randomHex(16),
    signed_in_at: Math.floor(runtime.now() / 1000),
  });
