/**
 * Calls as this process left them: the projection of its own last commit, with the version that the commit gave it. An append to such a
 * call may be tried without reading anything, since the commit holds only as long as the projection is of this very version.
 * What stands here may be out of date, and then costs one commit in vain; it never makes one hold that should not.
 */
import type { Timestamp } from '@google-cloud/firestore';
import type { CallState } from '../core/domain/call/state.ts';

export interface KnownCall {
  readonly call: CallState;
  /** Of its projection. */
  readonly version: Timestamp;
}

export interface KnownCalls {
  /** null: it is not known, or others write to it as well, so that a first try would likely be in vain. */
  get(callSid: string): KnownCall | null;
  /** A commit of this process stands, and left the call like this. @param bytes about what that takes in memory */
  left(known: KnownCall, bytes: number): void;
  /** A first try did not hold, or nobody knows whether it did. */
  doubt(callSid: string): void;
  /** A read found the call in this version. */
  found(callSid: string, version: Timestamp): void;
}

/** As many talk at one time in one process at most. */
export const KNOWN_CALLS_MAX_COUNT = 2_000;
/** A projection has about 2 KiB, and 32 at most. */
export const KNOWN_CALLS_MAX_BYTES = 16 * 1024 * 1024;
/** After a try in vain, so many reads in a row must find what this process left: where turns of a call come to two processes by chance, trying each time would cost more than it saves. */
const CONFIRMED_MIN_COUNT = 2;

interface Entry extends KnownCall {
  readonly bytes: number;
  /** Reads that have still to find what was left. */
  readonly doubts: number;
}

/** Begins with nothing known; what was not written to for longest is forgotten first. @param maxCount 0: nothing is ever known */
export const knownCalls = (maxCount = KNOWN_CALLS_MAX_COUNT, maxBytes = KNOWN_CALLS_MAX_BYTES): KnownCalls => {
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const forget = (callSid: string): Entry | undefined => {
    const entry = entries.get(callSid);
    bytes -= entry?.bytes ?? 0;
    entries.delete(callSid);
    return entry;
  };
  const doubtful = (callSid: string, doubts: number): void => {
    const entry = entries.get(callSid);
    if (entry !== undefined) entries.set(callSid, { ...entry, doubts });
  };

  return {
    get: (callSid) => {
      const entry = entries.get(callSid);
      return entry?.doubts === 0 ? entry : null;
    },
    left: (known, taken) => {
      const { call_sid: callSid } = known.call;
      const before = forget(callSid);
      entries.set(callSid, { ...known, bytes: taken, doubts: before?.doubts ?? 0 });
      bytes += taken;
      for (const oldest of entries.keys()) {
        if (entries.size <= maxCount && bytes <= maxBytes) break;
        forget(oldest);
      }
    },
    doubt: (callSid) => doubtful(callSid, CONFIRMED_MIN_COUNT),
    found: (callSid, version) => {
      const entry = entries.get(callSid);
      if (entry === undefined) return;
      doubtful(callSid, entry.version.isEqual(version) ? Math.max(0, entry.doubts - 1) : CONFIRMED_MIN_COUNT);
    },
  };
};
