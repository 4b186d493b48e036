/** Types and lint side by side: two programs of one thread each, on two cores. `npm run checks`; what each said comes as a whole, and the exit code is 1 where one found something. */
import { spawn } from 'node:child_process';

const CHECKS = ['typecheck', 'lint'] as const;

const run = (name: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' });
    const said: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => said.push(part));
    child.stderr.on('data', (part: Buffer) => said.push(part));
    child.once('error', () => resolve(false));
    child.once('close', (code) => {
      process.stdout.write(Buffer.concat(said));
      process.stdout.write(code === 0 ? `${name}: nothing found\n` : `${name} found something\n`);
      resolve(code === 0);
    });
  });

const passed = await Promise.all(CHECKS.map(run));
process.exitCode = passed.every(Boolean) ? 0 : 1;
