/** The first call of a new user, as a line to paste: shown by the terminal, by the page at `/` and by the README. */

/** The login that a first start makes; it opens this machine only. */
export const FIRST_LOGIN = { username: 'dispatcher@example.com', password: 'earshot-local' } as const;
export const FIRST_DRIVER = 'test_driver_123';

/**
 * True as pasted into a POSIX shell, with nothing but curl and sed.
 * @param origin such as `http://127.0.0.1:8080`
 */
export const firstCallLine = (origin: string): string =>
  [
    `TOKEN=$(curl -s ${origin}/auth/login -H 'content-type: application/json' -d '${JSON.stringify(FIRST_LOGIN)}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `curl -s ${origin}/driver_data/call-elevenlabs -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '${JSON.stringify({ driver_ids: [FIRST_DRIVER], violation_types: ['speeding'] })}'`,
  ].join(' && ') + '; echo';
