/** The three webhook routes over HTTP. */
import { Hono } from 'hono';
import { EarshotError, ERRORS } from '../../core/protocol/codes.ts';
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import type { GuardedRequest } from '../guard.ts';
import type { Parts } from '../parts.ts';
import { during, hopOf } from '../request.ts';
import { codeOf, problemOf } from '../../core/protocol/problem.ts';
import { interimRates } from './interim-rates.ts';
import { receive, type WebhookRoute } from './receive.ts';
import type { WebhookRecorder } from './stats.ts';

interface Environment {
  readonly Bindings: { readonly incoming: GuardedRequest };
}

/** Routes that are to stand behind the guard: they read the body that it has kept. */
export const webhookRoutes = (given: Parts, stats: WebhookRecorder): Hono<Environment> => {
  const app = new Hono<Environment>();
  const interims = interimRates();
  for (const [route, path] of Object.entries(WEBHOOK_PATHS) as [WebhookRoute, string][]) {
    app.post(path, async (context) => {
      const parts = during(given, hopOf(given.runtime, context.env.incoming.headers['traceparent'], given.runtime.now()));
      const started = parts.runtime.monotonic();
      const done = (status: number, type: string, tenant: string | null, result: string, callSid: string | null): void => {
        const elapsed = parts.runtime.monotonic() - started;
        parts.metrics.count('earshot_webhook_requests_total', { route, type, code: String(status) });
        parts.metrics.observe('earshot_webhook_duration_seconds', { route }, elapsed / 1000);
        stats.note(tenant, status, elapsed, parts.runtime.now());
        parts.log.info(`POST ${path}`, { status, type, result, call_sid: callSid, duration_ms: Math.round(elapsed * 10) / 10 }, { method: 'POST', path, status, duration_ms: elapsed });
      };
      const { incoming } = context.env;
      const signature = incoming.headers['elevenlabs-signature'];
      try {
        const receipt = await receive(parts, interims, route, {
          signature: typeof signature === 'string' ? signature : null,
          authorization: incoming.headers.authorization ?? null,
          body: incoming.rawBody ?? Buffer.alloc(0),
          passed: incoming.passedBody ?? null,
        });
        done(200, knownType(receipt.type), receipt.tenant, receipt.result, receipt.call_sid);
        return context.json({ status: 'ok', result: receipt.result, call_sid: receipt.call_sid, conversation_id: receipt.conversation_id }, 200);
      } catch (error) {
        // A fault of ours is never a 4xx, nor a 500 that says less: 503 asks for another try.
        const code = codeOf(error) === 'server_fault' ? 'store_unavailable' : codeOf(error);
        if (codeOf(error) === 'server_fault') parts.log.error('a delivery could not be handled', { route }, error);
        const { status } = ERRORS[code];
        done(status, 'none', null, code, null);
        return context.body(JSON.stringify(problemOf(code, error instanceof EarshotError ? error.problems : [])), status, { 'content-type': 'application/problem+json' });
      }
    });
  }
  app.all('*', (context) => {
    const known = Object.values<string>(WEBHOOK_PATHS).includes(context.req.path);
    const problem = problemOf(known ? 'method_not_allowed' : 'not_found');
    return context.body(JSON.stringify(problem), known ? 405 : 404, { 'content-type': 'application/problem+json', ...(known ? { allow: 'POST' } : {}) });
  });
  return app;
};

const TYPES = new Set(['post_call_transcription', 'post_call_transcription_otel', 'post_call_audio', 'call_initiation_failure', 'transcription', 'interim']);

/** A label's values must be few: whatever else a sender writes is `other`. */
const knownType = (type: string): string => (TYPES.has(type) || type.startsWith('agent_') || type.startsWith('tool_') ? type : 'other');
