/** A call's epoch, `<log generation>.<random>`: positions of one say nothing of another. */
import { chainNext, chainStart, type Sha256 } from '../digest.ts';
import type { CallState } from './state.ts';

/** The generation of the log that the epoch was made in. */
export const generationOf = (epoch: string): string => epoch.slice(0, epoch.indexOf('.'));

/**
 * The same call under another epoch: its events stay, and the chain over them begins anew, so that a position from before is of another log.
 * Not for a sealed call, whose seal holds a digest of the epoch that it had.
 * @param texts of all its events, in order
 */
export const underEpoch = (call: CallState, epoch: string, texts: readonly string[], sha256: Sha256): CallState => ({
  ...call,
  epoch,
  digest: texts.reduce((chain, text) => chainNext(chain, text, sha256), chainStart(epoch, sha256)),
});
