/**
 * `node scripts/signing-key.ts >> .env.staging` makes the key that signs access tokens, and the set of public keys that verify them.
 * With `--beside '<set>'` the set holds those keys too: the first step of a rotation (docs/operations.md).
 */
import { generateKeyPairSync } from 'node:crypto';
import { parseArgs } from 'node:util';

const { beside } = parseArgs({ options: { beside: { type: 'string' } } }).values;
const { keys } = beside === undefined ? { keys: [] } : (JSON.parse(beside) as { readonly keys: readonly object[] });
const pair = generateKeyPairSync('ed25519');
const publicKeys = { keys: [pair.publicKey.export({ format: 'jwk' }), ...keys] };
process.stdout.write(`AUTH_SIGNING_KEY='${JSON.stringify(pair.privateKey.export({ format: 'jwk' }))}'\nTF_VAR_auth_public_keys='${JSON.stringify(publicKeys)}'\n`);
