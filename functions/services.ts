/** The work behind the REST routes, put together from its parts. */
import type { ApiServices } from './api/services.ts';
import { endCall, eraseCall } from './calls/end-and-erase.ts';
import { fetchConversation } from './calls/fetch-conversation.ts';
import { redriveByHand } from './calls/redrive.ts';
import { startCalls } from './calls/start-calls.ts';
import type { Parts } from './parts.ts';
import type { WebhookRecorder } from './webhooks/stats.ts';

/** @param stats what this process answered to webhooks */
export const apiServices = (parts: Parts, stats: WebhookRecorder): ApiServices => ({
  startCalls: (asker, request, key) => startCalls(parts, asker, request, key),
  endCall: (_asker, call) => endCall(parts, call),
  fetchConversation: (asker, id) => fetchConversation(parts, asker, id),
  redrive: (asker, id) => redriveByHand(parts, asker, id),
  eraseCall: (_asker, call) => eraseCall(parts, call),
  webhookStats: async (tenant, since) => stats.figures(tenant, since),
});
