/** The states that a page can show, one after another. */
import type { ClientState } from './effects.ts';

/**
 * Judges anew at each call: whether frames come, whether something followed is not there yet, whether what is there is confirmed to be all.
 * @param restored begins to show that the connection is back
 * @param showsRestored whether that is still shown
 */
export const newStates = (restored: () => void, showsRestored: () => boolean): ((up: boolean, behind: boolean, confirmed: boolean) => ClientState) => {
  let everUp = false;
  let wasLost = false;
  return (up, behind, confirmed) => {
    everUp ||= up;
    if (!up) {
      wasLost = everUp;
      return everUp ? 'lost' : 'connecting';
    }
    if (behind) return 'catching_up';
    if (!confirmed) return 'unverified';
    if (wasLost) restored();
    wasLost = false;
    return showsRestored() ? 'restored' : 'live';
  };
};
