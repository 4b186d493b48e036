/**
 * `npm run deploy -- staging|production`: builds, applies and moves the sockets, in the one order that loses nothing. docs/operations.md
 * tells what has to be there first, and the way back.
 */
import { resolve } from 'node:path';
import { deploy } from './deploy-command.ts';

process.exitCode = await deploy(process.argv.slice(2), {
  root: resolve(import.meta.dirname, '..'),
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  streams: 'inherit',
  terminal: process.stdin.isTTY,
});
