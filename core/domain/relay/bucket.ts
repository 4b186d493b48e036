/** A token bucket: what a client may send at once, and how fast it may go on. */
export interface Bucket {
  /** Takes `cost` tokens. false: there are not as many, and nothing was taken. `now` is monotonic, milliseconds. */
  take(cost: number, now: number): boolean;
}

/** A full bucket of `size` tokens that gains `perSecond` up to its size. */
export const createBucket = (size: number, perSecond: number, now: number): Bucket => new TokenBucket(size, perSecond, now);

class TokenBucket implements Bucket {
  readonly #size: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: number;

  constructor(size: number, perSecond: number, now: number) {
    this.#size = size;
    this.#perSecond = perSecond;
    this.#tokens = size;
    this.#filledAt = now;
  }

  take(cost: number, now: number): boolean {
    this.#tokens = Math.min(this.#size, this.#tokens + (Math.max(0, now - this.#filledAt) * this.#perSecond) / 1000);
    this.#filledAt = now;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }
}
