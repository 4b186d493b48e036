import { describe, expect, it } from 'vitest';
import { PONG_WAIT_MS, SLOW_CONSUMER_MIN_BYTES, SLOW_CONSUMER_MS } from '../../core/protocol/limits.ts';
import { Pulse } from '../../ws-relay/pulse.ts';

const SECOND = 1_000;

/** A client that is looked at each second, as the wheel does it. */
const rigOf = () => {
  const pulse = new Pulse(0);
  let now = 0;
  let taken = 0;
  /** Seconds with so much waiting, of which so many bytes are taken each second. Answers after how many of them it was given up; null: it was not. */
  const look = (seconds: number, waiting: number, each = 0): number | null => {
    for (let second = 1; second <= seconds; second++) {
      now += SECOND;
      taken += each;
      if (pulse.look({ waiting: () => waiting, taken: () => taken }, now)) return second;
    }
    return null;
  };
  return { pulse, look, heard: () => pulse.heard(now) };
};
const seconds = (ms: number): number => ms / SECOND;

describe('a client', () => {
  it('that takes nothing is given up after its time, and not before, however often it is heard', () => {
    const { look, heard } = rigOf();
    for (let half = 0; half < 2; half++) {
      expect(look(seconds(SLOW_CONSUMER_MS) / 2 - 1, 100)).toBeNull();
      heard();
    }
    expect(look(4, 100)).not.toBeNull();
  });

  it('that takes little in that time is slow, one that takes enough is not', () => {
    const enough = Math.ceil(SLOW_CONSUMER_MIN_BYTES / (seconds(SLOW_CONSUMER_MS) - 2));
    expect(rigOf().look(2 * seconds(SLOW_CONSUMER_MS), 100, Math.floor(enough / 2))).not.toBeNull();
    expect(rigOf().look(4 * seconds(SLOW_CONSUMER_MS), 100, enough)).toBeNull();
  });

  it('that took all has its time anew for what comes after it', () => {
    const { look, heard } = rigOf();
    expect(look(seconds(SLOW_CONSUMER_MS) - 2, 100)).toBeNull();
    expect(look(1, 0)).toBeNull();
    heard();
    expect(look(seconds(SLOW_CONSUMER_MS) - 2, 100)).toBeNull();
  });

  it('that takes what waits is alive, though its pong stands behind all that', () => {
    expect(rigOf().look(3 * seconds(PONG_WAIT_MS), 100, SLOW_CONSUMER_MIN_BYTES)).toBeNull();
  });

  it('for whom nothing waits and who is silent is given up after its time', () => {
    const { look, heard } = rigOf();
    expect(look(seconds(PONG_WAIT_MS) - 1, 0)).toBeNull();
    heard();
    expect(look(seconds(PONG_WAIT_MS), 0)).toBe(seconds(PONG_WAIT_MS));
  });
});
