/**
 * The digest chain: a client that keeps the chain value with its cursor can prove that what it shows is complete.
 * h0 = hex(sha256(epoch)); hn = hex(sha256(h(n-1) + text of event n)), the hex joined to the text as UTF-8.
 */

/** Lower-case hex of SHA-256 over the UTF-8 of the text. */
export type Sha256 = (text: string) => string;

/** The chain value before the first event. */
export const chainStart = (epoch: string, sha256: Sha256): string => sha256(epoch);

/** The chain value after one more event. */
export const chainNext = (previous: string, text: string, sha256: Sha256): string => sha256(previous + text);
