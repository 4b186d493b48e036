/** The command's entry: the only place that touches the process, and that chooses ways. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { LOCAL_LOGIN, LOCAL_TENANT, LOCAL_WORKSPACE } from '../local/first-start.ts';
import { jsonLog } from '../ports/log.json.ts';
import { scryptPasswords } from '../ports/password.scrypt.ts';
import { systemRuntime } from '../ports/runtime.system.ts';
import { openCallDocuments, openCallLog, openDirectory, openReach } from './open-ways.ts';
import { run } from './program.ts';
import type { World } from './world.ts';

const root = resolve(import.meta.dirname, '..');
const runtime = systemRuntime();

const runProgram = (path: string, args: readonly string[]): Promise<number> =>
  new Promise((done, reject) => {
    const child = spawn(process.execPath, [join(root, path), ...args], { cwd: root, stdio: 'inherit' });
    const stop = (): void => void child.kill('SIGTERM');
    process.on('SIGTERM', stop);
    child.on('error', reject);
    child.on('exit', (code) => {
      process.off('SIGTERM', stop);
      done(code ?? 1);
    });
  });

const firstLine = async (): Promise<string> => {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) return line;
  return '';
};

/** What is typed is not shown: the terminal writes into nothing. */
const hidden = async (prompt: string): Promise<string> => {
  process.stderr.write(prompt);
  const nothing = new Writable({ write: (_chunk, _encoding, written) => written() });
  const lines = createInterface({ input: process.stdin, output: nothing, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
};

const question = async (prompt: string): Promise<string> => {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(prompt);
  } finally {
    lines.close();
  }
};

/** The first asks, the second does not wait. */
const stopSignal = (): AbortSignal => {
  const control = new AbortController();
  process.on('SIGINT', () => {
    if (control.signal.aborted) process.exit(130);
    control.abort();
  });
  return control.signal;
};

// As `npm start` does: what the environment says goes before what the file says.
if (existsSync(join(root, '.env'))) process.loadEnvFile(join(root, '.env'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const opening = { runtime, log: jsonLog('warn', (line) => void process.stderr.write(line)), env: process.env };
const world: World = {
  env: process.env,
  root,
  version,
  output: { out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text) },
  input: { terminal: process.stdin.isTTY, firstLine, hidden, question },
  runtime,
  ways: {
    openDirectory: (settings, path) => openDirectory(opening, settings, path),
    openCallLog: (settings, path, readOnly) => openCallLog(opening, settings, path, readOnly),
    openReach: (settings) => openReach(opening, settings),
    openCallDocuments: (settings) => openCallDocuments(opening, settings),
    passwords: scryptPasswords(),
    runProgram,
  },
  stop: stopSignal(),
  local: { ...LOCAL_LOGIN, tenant: LOCAL_TENANT, workspace: LOCAL_WORKSPACE },
};
// A reader that has gone (`| head`) is no failure.
process.stdout.on('error', (error: { code?: string }) => {
  if (error.code === 'EPIPE') process.exit(0);
});
process.exitCode = await run(process.argv.slice(2), world);
