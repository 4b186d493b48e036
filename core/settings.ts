/**
 * The settings: read once, by one function that takes the environment as an argument; all errors listed together in plain words.
 */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly elevenlabsApiKey: string | null;
  readonly elevenlabsBaseUrl: string;
  readonly elevenlabsAgentId: string;
  readonly elevenlabsPhoneNumberId: string | null;
  readonly elevenlabsTelephony: 'twilio' | 'sip_trunk';
  readonly elevenlabsWebhookSecrets: readonly string[];
  readonly ingestKey: string | null;
  readonly webhookAuth: 'signature' | 'none';
  /** PEM (PKCS#8) or JWK text of the Ed25519 private key; null: none in this process. */
  readonly authSigningKey: string | null;
  /** JWK set text; null: derived from the signing key. */
  readonly authPublicKeys: string | null;
  readonly authIssuers: readonly IssuerSetting[];
  readonly allowQueryToken: boolean;
  readonly allowedOrigins: readonly string[];
  readonly allowedPrefixes: readonly string[];
  readonly maxConnectionsPerUser: number;
  readonly retentionDays: number | null;
  readonly e2eAuthKey: string | null;
  readonly publicApiUrl: string | null;
  readonly publicRelayUrl: string | null;
  readonly eventsTopic: string;
  readonly googleCloudProject: string | null;
  readonly sentryDsn: string | null;
  readonly simulatedPace: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** An outside identity provider. */
export interface IssuerSetting {
  readonly issuer: string;
  readonly jwks_url: string;
  readonly audience: string;
  /** Names of the claims that hold tenant and roles. */
  readonly tenant_claim: string;
  readonly roles_claim: string;
}
