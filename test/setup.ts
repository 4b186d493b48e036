import { afterEach } from 'vitest';

/** Product code writes nothing to the console: whatever a test's code printed fails that test. */
const written: string[] = [];
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk: string | Uint8Array): boolean => {
    written.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    return true;
  };
}
for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table'] as const) {
  console[method] = (...values: unknown[]): void => {
    written.push(values.map(String).join(' '));
  };
}
afterEach(() => {
  const output = written.splice(0);
  if (output.length > 0) throw new Error(`a test wrote output: ${output.join('').slice(0, 500)}`);
});
