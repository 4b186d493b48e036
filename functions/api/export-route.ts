/** Calls as comma-separated values, page after page: a year of calls takes no more memory than one page. */
import { createRoute } from '@hono/zod-openapi';
import { csvRow } from '../../core/domain/csv.ts';
import { PAGE_MAX_ROWS } from '../../core/protocol/limits.ts';
import { CallFilter, type CallView } from '../../core/protocol/rest.ts';
import { ownTenant } from './asker.ts';
import { listQuery, wholeCall } from './call-routes.ts';
import { byToken, otherwise } from './describe.ts';
import { noteAccess } from './note-access.ts';
import type { Api, ApiParts } from './services.ts';

const COLUMNS = [
  'call_sid', 'conversation_id', 'status', 'reason', 'driver_id', 'driver_name', 'phone_number', 'agent_id', 'direction', 'created_at', 'started_at', 'call_end_time',
  'transcript_summary', 'call_duration_seconds', 'cost', 'call_successful', 'outcome', 'cost_credits', 'termination_reason', 'analysis_data', 'metadata_json',
] as const;

const record = (call: CallView): string => {
  const cells = { ...call, driver_id: call.driver?.driverId ?? null, driver_name: call.driver?.driverName ?? null, phone_number: call.driver?.phoneNumber ?? call.to_number };
  return csvRow(COLUMNS.map((column) => cells[column]));
};

/** Adds `GET /calls.csv`. */
export const exportRoute = ({ app, parts, signedIn }: Api): void => {
  app.openapi(
    createRoute({
      method: 'get', path: '/calls.csv', tags: ['calls'], summary: 'Calls as CSV (RFC 4180), newest first', middleware: signedIn, security: byToken,
      request: { query: CallFilter },
      responses: { 200: { description: 'one record a call; text that a spreadsheet would take for a formula begins with an apostrophe', content: { 'text/csv': {} } }, ...otherwise },
    }),
    async (c) => {
      const asker = c.get('asker');
      const tenant = ownTenant(asker, 'calls.export');
      const filter = c.req.valid('query');
      // The first page is read before the answer begins, so that a failure still has a status.
      const first = await page(parts, tenant, filter);
      noteAccess(parts, c, 'calls.export', null);
      return c.body(pages(parts, tenant, filter, first), 200, { 'content-type': 'text/csv; charset=utf-8; header=present', 'content-disposition': 'attachment; filename="calls.csv"' });
    },
  );
};

interface CsvPage {
  readonly text: string;
  readonly next: string | null;
}

const page = async (parts: ApiParts, tenant: string, filter: CallFilter, cursor?: string): Promise<CsvPage> => {
  const { calls, next_cursor } = await parts.callLog.list(listQuery(tenant, filter, PAGE_MAX_ROWS, cursor));
  const whole = await Promise.all(calls.map((call) => wholeCall(parts, call)));
  return { text: whole.map(record).join(''), next: next_cursor };
};

/** The next page is read when the reader has taken the one before. */
const pages = (parts: ApiParts, tenant: string, filter: CallFilter, first: CsvPage): ReadableStream<Uint8Array> => {
  const bytes = new TextEncoder();
  let current: CsvPage | null = null;
  return new ReadableStream({
    pull: async (controller) => {
      const next = current === null ? { ...first, text: csvRow(COLUMNS) + first.text } : await page(parts, tenant, filter, current.next ?? undefined);
      current = next;
      if (next.text !== '') controller.enqueue(bytes.encode(next.text));
      if (next.next === null) controller.close();
    },
  });
};
