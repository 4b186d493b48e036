/** The need: keep passwords so that nobody who reads the directory learns them. */
export interface Passwords {
  /** What to keep of a password. Throws EarshotError `invalid_request` for one that is empty or longer than PASSWORD_MAX_BYTES. */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the one that was kept. `readKept` runs when it is this password's turn, and may refuse by throwing; null
   * (nobody has that name) costs the same time and answers false. Throws EarshotError `rate_limited` when too many wait.
   */
  verify(password: string, readKept: () => Promise<string | null>): Promise<boolean>;
}
