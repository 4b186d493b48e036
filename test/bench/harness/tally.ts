/** What viewers count together, and who waits for it. */

/** What was counted, as whoever loads a server sees it. */
export interface Counted {
  /** Frames of this many bytes of payload are counted from now on, those seen before forgotten. */
  count(payloadBytes: number): void;
  /** Counted since. */
  counted(): number;
  /** Resolves when exactly so many were counted; rejects when more came, and after `maxMs`, saying how many. */
  reached(frames: number, maxMs: number): Promise<void>;
  /** Bytes that came to all of them since `count`, heads and frames of every kind. */
  bytes(): number;
}

export class Tally implements Counted {
  #payloadBytes = -1;
  #frames = 0;
  #bytes = 0;
  #wanted = Infinity;
  #reached: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;

  count(payloadBytes: number): void {
    this.#payloadBytes = payloadBytes;
    this.#frames = 0;
    this.#bytes = 0;
    this.#wanted = Infinity;
  }

  counted(): number {
    return this.#frames;
  }

  bytes(): number {
    return this.#bytes;
  }

  reached(frames: number, maxMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${this.#frames} of ${frames} frames came within ${maxMs} ms`)), maxMs);
      const done = (): void => {
        clearTimeout(late);
        if (this.#frames > frames) reject(new Error(`${this.#frames} frames came instead of ${frames}`));
        else resolve();
      };
      this.#failed = reject;
      if (this.#frames >= frames) {
        done();
        return;
      }
      this.#wanted = frames;
      this.#reached = done;
    });
  }

  /** Bytes came. */
  came(bytes: number): void {
    this.#bytes += bytes;
  }

  /** A frame with a payload of this length came. */
  framed(payloadBytes: number): void {
    if (payloadBytes !== this.#payloadBytes || ++this.#frames < this.#wanted) return;
    this.#wanted = Infinity;
    this.#reached();
  }

  /** A viewer was lost. */
  failed(error: Error): void {
    this.#failed(error);
  }
}
