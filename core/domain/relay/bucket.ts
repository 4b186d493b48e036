/** A token bucket: what a client may send at once, and how fast it may go on. */
export interface Bucket {
  /** Takes `cost` tokens. false: there are not as many, and nothing was taken. `now` is monotonic, milliseconds. */
  take(cost: number, now: number): boolean;
}

/** A full bucket of `size` tokens that gains `perSecond` up to its size. */
export const createBucket = (size: number, perSecond: number, now: number): Bucket => {
  let tokens = size;
  let filledAt = now;
  return {
    take: (cost, at) => {
      tokens = Math.min(size, tokens + (Math.max(0, at - filledAt) * perSecond) / 1000);
      filledAt = at;
      if (tokens < cost) return false;
      tokens -= cost;
      return true;
    },
  };
};
