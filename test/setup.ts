import { afterEach } from 'vitest';

/** Product code writes nothing to the console: whatever a test's code printed fails that test. */
const written: string[] = [];
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk: string | Uint8Array): boolean => {
    written.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    return true;
  };
}
const recorded = (...values: unknown[]): void => void written.push(values.map(String).join(' '));
Object.assign(globalThis.console, Object.fromEntries(['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table'].map((method) => [method, recorded])));
afterEach(() => {
  const output = written.splice(0);
  if (output.length > 0) throw new Error(`a test wrote output: ${output.join('').slice(0, 500)}`);
});
