/** Reading calls: lists, one call, its events and texts, its recording; ending, erasing and backfilling one. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { presentCall, presentRow } from '../../core/domain/call/present.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import {
  CallFilter,
  CallList,
  CallListQuery,
  CallParam,
  CallRow as CallRowSchema,
  CallView as CallViewSchema,
  CommandAnswer,
  ConversationParam,
  EventsAnswer,
  EventsQuery,
  EventText,
  EventTextParam,
  type CallView,
} from '../../core/protocol/rest.ts';
import type { ListQuery } from '../../ports/call-log.ts';
import { callFor, ownTenant } from './asker.ts';
import { answer, byToken, named, otherwise } from './describe.ts';
import { eventsAnswer, type Recovery } from './events-answer.ts';
import { noteAccess } from './note-access.ts';
import type { Api, ApiParts } from './services.ts';

const CallRow = named('CallRow', CallRowSchema);
/** A call whole, as the OpenAPI document names it. */
export const Call = named('Call', CallViewSchema);

/** The call with its two large fields. */
export const wholeCall = async (parts: Pick<ApiParts, 'callLog'>, call: CallState): Promise<CallView> => presentCall(call, await parts.callLog.details(call.call_sid));

/** A list's question to the log. */
export const listQuery = (tenant: string, filter: CallFilter, limit: number, cursor?: string): ListQuery => ({
  tenant,
  status: filter.status,
  q: filter.q,
  driver_id: filter.driver_id,
  agent_id: filter.agent_id,
  since: filter.since === undefined ? undefined : Date.parse(filter.since),
  limit,
  cursor,
});

/** Adds `/calls`, `/calls/{id}...` and `/conversations/{id}/fetch`. */
export const callRoutes = (api: Api): void => {
  readRoutes(api);
  contentRoutes(api);
  changeRoutes(api);
};

const readRoutes = ({ app, parts, signedIn }: Api): void => {
  const { callLog } = parts;
  app.openapi(
    createRoute({
      method: 'get', path: '/calls', tags: ['calls'], summary: 'Calls, newest first', middleware: signedIn, security: byToken,
      request: { query: CallListQuery },
      responses: { 200: answer(CallList.extend({ calls: CallRow.array() }), 'a page'), ...otherwise },
    }),
    async (c) => {
      const tenant = ownTenant(c.get('asker'), 'calls.read');
      const query = c.req.valid('query');
      const { calls, next_cursor } = await callLog.list(listQuery(tenant, query, query.limit, query.cursor));
      return c.json({ calls: calls.map(presentRow), next_cursor }, 200);
    },
  );

  app.openapi(
    createRoute({ method: 'get', path: '/calls/{id}', tags: ['calls'], summary: 'One call', middleware: signedIn, security: byToken, request: { params: CallParam }, responses: { 200: answer(Call, 'the call'), ...otherwise } }),
    async (c) => c.json(await wholeCall(parts, await callFor(callLog, c.get('asker'), 'calls.read', c.req.valid('param').id)), 200),
  );

  app.openapi(
    createRoute({
      method: 'get', path: '/calls/{id}/events', tags: ['calls'], summary: 'Events of a call after a position', middleware: signedIn, security: byToken,
      request: { params: CallParam, query: EventsQuery },
      responses: { 200: answer(EventsAnswer, 'events in order'), ...otherwise },
    }),
    async (c) => {
      const call = await callFor(callLog, c.get('asker'), 'calls.read', c.req.valid('param').id);
      const { epoch, since, limit } = c.req.valid('query');
      if (since > 0 && epoch === undefined) throw new EarshotError('epoch_required');
      const first = await callLog.read(call.call_sid, since, limit);
      if (first === null) throw new EarshotError('call_not_found');
      const recovery = judge(first.call, epoch, since);
      if (recovery.recovered) return jsonText(c, eventsAnswer(first, since, limit, recovery));
      const over = await callLog.read(call.call_sid, 0, limit);
      if (over === null) throw new EarshotError('call_not_found');
      return jsonText(c, eventsAnswer(over, 0, limit, recovery));
    },
  );
};

const judge = (call: CallState, epoch: string | undefined, since: number): Recovery => {
  if (since > 0 && epoch !== call.epoch) return { recovered: false, reason: 'epoch_changed' };
  if (since > call.last_seq) return { recovered: false, reason: 'ahead_of_log' };
  return { recovered: true };
};

/** Text that is JSON already. No type of the routing library tells what stands in a text, so this one fits every route. */
const jsonText = (c: Context, text: string): never => c.body(text, 200, { 'content-type': 'application/json' }) as never;

const contentRoutes = ({ app, parts, signedIn }: Api): void => {
  const { callLog, directory, provider } = parts;
  app.openapi(
    createRoute({
      method: 'get', path: '/calls/{id}/events/{seq}/text', tags: ['calls'], summary: 'The whole text of a turn whose frame is truncated', middleware: signedIn, security: byToken,
      request: { params: EventTextParam },
      responses: { 200: answer(EventText, 'the text'), ...otherwise },
    }),
    async (c) => {
      const { id, seq } = c.req.valid('param');
      const call = await callFor(callLog, c.get('asker'), 'calls.read', id);
      const text = await callLog.wholeText(call.call_sid, seq);
      if (text === null) throw new EarshotError('event_not_found');
      return c.json({ call_sid: call.call_sid, seq, text }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get', path: '/calls/{id}/audio', tags: ['calls'], summary: 'The recording, passed through', middleware: signedIn, security: byToken,
      request: { params: CallParam },
      responses: { 200: { description: 'the recording', content: { 'audio/mpeg': {} } }, ...otherwise },
    }),
    async (c) => {
      const call = await callFor(callLog, c.get('asker'), 'calls.audio', c.req.valid('param').id);
      const workspace = await directory.workspace(call.workspace);
      const audio = workspace === null || call.conversation_id === null ? null : await provider.audio(workspace, call.conversation_id);
      if (audio === null) throw new EarshotError('recording_not_found');
      noteAccess(parts, c, 'calls.audio', call.call_sid);
      return c.body(audio.body, 200, {
        // Whatever else the provider may say, it is nothing that a browser should run.
        'content-type': /^audio\/[\w.+-]+$/.test(audio.content_type) ? audio.content_type : 'application/octet-stream',
        ...(audio.content_length === null ? {} : { 'content-length': String(audio.content_length) }),
      });
    },
  );
};

const changeRoutes = ({ app, parts, signedIn }: Api): void => {
  const { callLog } = parts;
  app.openapi(
    createRoute({ method: 'post', path: '/calls/{id}/end', tags: ['calls'], summary: 'Ask the provider to end a call', middleware: signedIn, security: byToken, request: { params: CallParam }, responses: { 202: answer(CommandAnswer, 'asked; the end is told by the events'), ...otherwise } }),
    async (c) => {
      const asker = c.get('asker');
      const call = await callFor(callLog, asker, 'calls.end', c.req.valid('param').id);
      const command = await parts.endCall(asker, call, c.get('hop'));
      noteAccess(parts, c, 'calls.end', call.call_sid);
      return c.json(command, 202);
    },
  );

  app.openapi(
    createRoute({ method: 'delete', path: '/calls/{id}', tags: ['calls'], summary: 'Erase a call whole, for ever', middleware: signedIn, security: byToken, request: { params: CallParam }, responses: { 204: { description: 'erased' }, ...otherwise } }),
    async (c) => {
      const asker = c.get('asker');
      const call = await callFor(callLog, asker, 'calls.erase', c.req.valid('param').id);
      await parts.eraseCall(asker, call, c.get('hop'));
      noteAccess(parts, c, 'calls.erase', call.call_sid);
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({ method: 'get', path: '/conversations/{id}/fetch', tags: ['calls'], summary: 'Read a conversation from the provider into its call', middleware: signedIn, security: byToken, request: { params: ConversationParam }, responses: { 200: answer(Call, 'the call as it is then'), ...otherwise } }),
    async (c) => {
      const asker = c.get('asker');
      ownTenant(asker, 'calls.fetch');
      return c.json(await wholeCall(parts, await parts.fetchConversation(asker, c.req.valid('param').id, c.get('hop'))), 200);
    },
  );
};
