/** Whether the provider still sends: it switches a webhook off by itself after a week of failures, and then nothing else tells of it. */
import { EarshotError } from '../../core/protocol/codes.ts';
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import type { ProviderWebhook } from '../../ports/voice-provider.ts';
import type { Parts } from '../parts.ts';

/** Asks once for each workspace, and writes the gauge. A provider that does not answer says nothing: that is told elsewhere. */
export const lookAtWebhooks = async (parts: Parts): Promise<void> => {
  const workspaces = (await parts.directory.workspaces()).filter((workspace) => workspace.api_key !== null);
  await Promise.all(
    workspaces.map(async (workspace) => {
      const webhooks = await parts.provider.webhooks(workspace).catch((error: unknown) => {
        if (error instanceof EarshotError && error.code === 'provider_unavailable') return null;
        throw error;
      });
      if (webhooks === null) return;
      const sends = webhooks.some((webhook) => webhook.enabled && isOurs(webhook));
      parts.metrics.set('earshot_provider_webhook_ok', { workspace: workspace.workspace }, sends ? 1 : 0);
    }),
  );
};

/** Under which of our names it comes here is not for us to know; the path is ours. */
const isOurs = ({ url }: ProviderWebhook): boolean => URL.parse(url)?.pathname.endsWith(WEBHOOK_PATHS['post-call']) === true;
