/** How long what happened took to reach this screen, as this page measured it: the last minutes, bounded. */

/** Older measurements say nothing of now. */
const KEPT_MS = 15 * 60_000;
/** An hour's rush in fifteen minutes; past it the oldest go. */
const KEPT_MAX_COUNT = 20_000;

export interface Delay {
  /** When it was painted, monotonic milliseconds. */
  readonly at: number;
  readonly ms: number;
}

export interface DelayFigures {
  readonly count: number;
  /** Milliseconds; null: nothing was measured. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly max: number | null;
}

export class Delays {
  #kept: Delay[] = [];

  /** The newest; null: none yet. */
  get last(): Delay | null {
    return this.#kept.at(-1) ?? null;
  }

  /** @param now monotonic milliseconds, when it was painted. Where clocks differ by more than it took, it seems to have taken less than nothing: that is none. */
  note(ms: number, now: number): void {
    this.#kept.push({ at: now, ms: Math.max(0, ms) });
    if (this.#kept.length > KEPT_MAX_COUNT) this.#kept = this.#kept.slice(KEPT_MAX_COUNT / 2);
  }

  figures(now: number): DelayFigures {
    const sorted = this.#kept.flatMap(({ at, ms }) => (now - at <= KEPT_MS ? [ms] : [])).sort((a, b) => a - b);
    const quantile = (share: number): number | null => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? null;
    return { count: sorted.length, p50: quantile(0.5), p95: quantile(0.95), max: sorted.at(-1) ?? null };
  }
}
