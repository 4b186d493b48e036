/** Deliveries that wait, in words. */
import type { DeliveryView } from '../../core/protocol/rest.ts';

/** Why one is kept here, and what helps. */
export const REASON_WORDS: Readonly<Record<string, string>> = {
  waiting: 'Waits for the call that it may belong to: that call is being dialed. It is used by itself within minutes.',
  unassigned: 'Its agent is not known, so it is not known whose it is. Whoever runs Earshot has to name the agent (earshot agents add); then try again.',
  foreign: 'It speaks of a call or an agent that the sender has no part in. Look into who sent it.',
  unknown_type: 'It is of a kind that Earshot does not know yet. Keep it until an update does.',
  unusable: 'Something in it cannot be read. An update may help; then try again.',
  to_fetch: 'It says only that there is more: the call is being fetched from ElevenLabs by itself.',
  too_large: 'It was too large to keep. The call is fetched from ElevenLabs by itself.',
};

const ROUTE_WORDS: Readonly<Record<DeliveryView['route'], string>> = { 'post-call': 'After a call', transcription: 'Spoken words', 'agent-events': 'Agent event' };

export const reasonWords = (reason: string): string => REASON_WORDS[reason] ?? `It cannot be used (${reason}).`;
export const routeWords = (route: DeliveryView['route']): string => ROUTE_WORDS[route];

/** What became of another try. `used`: it is gone from here. */
export const resultWords = (result: string): string => (result === 'used' ? 'Used: its call has it now.' : `Still here. ${reasonWords(result)}`);
