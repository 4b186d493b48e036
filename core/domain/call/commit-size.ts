/** How much one commit to a call holds. The cloud's log takes only so much at once, so no log takes more: what fits is the same everywhere. */
import { COMMIT_MAX_BYTES } from '../../protocol/limits.ts';
import { EarshotError } from '../../protocol/codes.ts';
import { jsonBytes, utf8Bytes } from '../text.ts';
import type { Decision } from './draft.ts';
import type { CallDetails } from './state.ts';

/** What a document of its own takes beside what it holds: its whole name stands in the request, the call's id in it. */
const DOCUMENT_BYTES = 300;

type Held = Pick<Decision, 'call' | 'details' | 'events' | 'keys'>;

/** Bytes that the decision adds to the log. @param before the details as they are stored: those that stay are not written */
export const commitBytes = ({ call, details, events, keys }: Held, before: CallDetails): number => {
  const document = DOCUMENT_BYTES + utf8Bytes(call.call_sid);
  let bytes = details === before ? 0 : utf8Bytes(details.analysis_data ?? '') + utf8Bytes(details.metadata_json ?? '');
  for (const { text, whole_text } of events) bytes += utf8Bytes(text) + (whole_text === null ? 0 : jsonBytes(whole_text) + document);
  for (const [key, value] of keys) bytes += utf8Bytes(key) + utf8Bytes(value) + document;
  return bytes;
};

/** @throws EarshotError `payload_too_large` where the decision is more than one commit may hold */
export const mustFit = (decision: Held, before: CallDetails): void => {
  if (commitBytes(decision, before) > COMMIT_MAX_BYTES) throw new EarshotError('payload_too_large');
};
