import { createHmac } from 'node:crypto';

/**
 * The value of the `ElevenLabs-Signature` header: `t=<unix seconds>,v0=<lower-case hex>`, an HMAC-SHA256 over
 * `<t>.<raw body>` with the secret as text, its `wsec_` prefix included.
 * @param seconds unix seconds of the sending
 * @param body exactly the text that goes over the wire
 */
export const signatureHeader = (secret: string, seconds: number, body: string): string =>
  `t=${seconds},v0=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
