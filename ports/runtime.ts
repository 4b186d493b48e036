/** The need: time, chance and hashes, so that everything that runs on it can be replayed. */
export interface Timer {
  cancel(): void;
}

export interface Runtime {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number;
  /** Never goes back; milliseconds from an unknown start. */
  monotonic(): number;
  /** Runs once, after at least `ms`. A pending timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
  /** 0 <= x < 1. Not for secrets. */
  random(): number;
  /** That many random bytes as lower-case hex; fit for secrets. */
  randomHex(bytes: number): string;
  /** Lower-case hex of SHA-256 over the UTF-8 of the text (or the bytes). */
  sha256(data: string | Uint8Array): string;
  /** Lower-case hex of HMAC-SHA256 over the parts, one behind the other; the key is text, its UTF-8 is used. */
  hmacSha256(key: string, ...parts: readonly (string | Uint8Array)[]): string;
}
