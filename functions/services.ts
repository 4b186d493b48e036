/** The work behind the REST routes, put together from its parts. */
import type { ApiServices } from './api/services.ts';
import { endCall, eraseCall } from './calls/end-and-erase.ts';
import { fetchConversation } from './calls/fetch-conversation.ts';
import { redriveByHand } from './calls/redrive.ts';
import { startCalls } from './calls/start-calls.ts';
import type { Parts } from './parts.ts';
import { during } from './request.ts';
import type { WebhookRecorder } from './webhooks/stats.ts';

/** @param stats what this process answered to webhooks */
export const apiServices = (parts: Parts, stats: WebhookRecorder): ApiServices => ({
  startCalls: (asker, request, key, hop) => startCalls(during(parts, hop), asker, request, key),
  endCall: (_asker, call, hop) => endCall(during(parts, hop), call),
  fetchConversation: (asker, id, hop) => fetchConversation(during(parts, hop), asker, id),
  redrive: (asker, id, hop) => redriveByHand(during(parts, hop), asker, id),
  eraseCall: (_asker, call, hop) => eraseCall(during(parts, hop), call),
  webhookStats: async (tenant, since) => stats.figures(tenant, since),
});
