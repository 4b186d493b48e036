/** Who sends a delivery: verified over the raw bytes, before anything is parsed. */
import { EarshotError } from '../../core/protocol/codes.ts';
import { isTimely, matches, parseSignatureHeader } from '../../core/domain/elevenlabs/signature.ts';
import type { Workspace } from '../../ports/directory.ts';
import type { Parts } from '../parts.ts';
import type { PassedBody } from '../guard.ts';

/** What verified a delivery: it may touch only this workspace, and where `tenant` is set only that tenant. */
export interface Origin {
  readonly workspace: string;
  readonly tenant: string | null;
  /** Nothing was signed: bad bodies are answered 400 instead of being kept. */
  readonly unsigned: boolean;
}

export interface RawDelivery {
  /** Value of `ElevenLabs-Signature`, where there is one. */
  readonly signature: string | null;
  /** Value of `Authorization`, where there is one. */
  readonly authorization: string | null;
  readonly body: Buffer;
  /** Set where the body was too large to be kept. */
  readonly passed: PassedBody | null;
}

/**
 * @param ingest whether an ingest key is taken as well
 * @throws EarshotError `signature_invalid`, `ingest_key_invalid`, `token_missing` (nothing was offered), `secret_unavailable`, `store_unavailable`
 */
export const originOf = async (parts: Parts, delivery: RawDelivery, ingest: boolean): Promise<Origin> => {
  const workspaces = await parts.directory.workspaces();
  if (delivery.signature !== null) return bySignature(parts, workspaces, delivery);
  if (ingest && delivery.authorization !== null) return byIngestKey(parts, workspaces, delivery.authorization);
  if (parts.settings.webhookAuth === 'none') return { ...(await onlyTenant(parts, workspaces)), unsigned: true };
  throw new EarshotError(ingest ? 'token_missing' : 'signature_invalid');
};

const bySignature = (parts: Parts, workspaces: readonly Workspace[], delivery: RawDelivery): Origin => {
  const header = parseSignatureHeader(delivery.signature);
  if (header === null || !isTimely(header.timestamp, parts.runtime.now())) throw new EarshotError('signature_invalid');
  // Who cannot judge must not refuse: a 401 would never be sent again.
  if (workspaces.every((workspace) => workspace.webhook_secrets.length === 0)) throw new EarshotError('secret_unavailable');
  let at = 0;
  for (const workspace of workspaces) {
    const digests = workspace.webhook_secrets.map((secret, index) => (delivery.passed === null ? parts.runtime.hmacSha256(secret, `${header.timestamp}.`, delivery.body) : (delivery.passed.digests[at + index] ?? '')));
    at += workspace.webhook_secrets.length;
    if (matches(header, digests)) return { workspace: workspace.workspace, tenant: null, unsigned: false };
  }
  throw new EarshotError('signature_invalid');
};

/** Secrets in the order that `bySignature` expects the digests of a passed body in. */
export const allSecrets = async (parts: Pick<Parts, 'directory'>): Promise<string[]> => (await parts.directory.workspaces()).flatMap((workspace) => workspace.webhook_secrets);

const byIngestKey = (parts: Parts, workspaces: readonly Workspace[], authorization: string): Origin => {
  const key = /^Bearer +([^\s]{1,512})$/i.exec(authorization)?.[1];
  if (key === undefined) throw new EarshotError('ingest_key_invalid');
  // Hashes are compared, so that the time it takes tells nothing of the key.
  const hash = parts.runtime.sha256(key);
  for (const workspace of workspaces) {
    const entry = workspace.ingest_keys.find((candidate) => candidate.hash === hash);
    if (entry !== undefined) return { workspace: workspace.workspace, tenant: entry.tenant, unsigned: false };
  }
  throw new EarshotError('ingest_key_invalid');
};

/** Without authentication (local trials) there must be no doubt whose a delivery is. */
const onlyTenant = async (parts: Parts, workspaces: readonly Workspace[]): Promise<{ workspace: string; tenant: string }> => {
  const tenants = await parts.directory.tenants();
  const [workspace] = workspaces;
  const [tenant] = tenants;
  if (workspace === undefined || tenant === undefined || workspaces.length > 1 || tenants.length > 1) throw new EarshotError('signature_invalid');
  return { workspace: workspace.workspace, tenant: tenant.tenant };
};
