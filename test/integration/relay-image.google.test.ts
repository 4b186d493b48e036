import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { cloudStage } from '../fixtures/cloud-stage.ts';
import { runDockerfile, type Image } from '../fixtures/dockerfile.ts';
import { google } from '../fixtures/google.ts';
import { eventually } from '../fixtures/processes.ts';
import { openClient } from '../fixtures/relay.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

describe.skipIf(google === null)("the relay's image", () => {
  let folder = '';
  let image: Image;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-image-'));
    image = await runDockerfile({
      text: await readFile(join(ROOT, 'ws-relay/Dockerfile'), 'utf8'),
      context: ROOT,
      folder,
      // What npm would fetch is here already, by the same lock file.
      instead: async (command, cwd) => {
        if (!command.startsWith('npm ci ')) return false;
        await symlink(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
        return true;
      },
    });
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('has a pinned base, a user who is not root, and starts the process itself', () => {
    expect(image.base).toMatch(/^node:24\.\d+\.\d+-[a-z]+-slim$/);
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(image.command).toEqual(['node', 'main.js']);
  });

  it('holds the bundle and compiled code, and nothing that was needed to build it', async () => {
    const files = await readdir(join(image.root, image.workdir));
    expect(files).toEqual(expect.arrayContaining(['main.js', 'package.json', 'compile-cache']));
    expect(files.filter((name) => !/^(main|compile|package|compile-cache|[\w.-]+-[A-Z0-9]{8})(\.js(on)?)?$/.test(name))).toEqual([]);
    expect((await readdir(join(image.root, image.workdir, 'compile-cache'))).length).toBeGreaterThan(0);
  });

  it('runs with a root that cannot be written, becomes ready, takes an upgrade and leaves when it is asked to', async () => {
    const after = (end: () => Promise<unknown>): void => {
      onTestFinished(async () => {
        await end();
      });
    };
    const stage = await cloudStage('', after, 1);
    const workdir = join(image.root, image.workdir);
    for (const entry of await readdir(workdir, { recursive: true, withFileTypes: true })) await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o555 : 0o444);
    await chmod(workdir, 0o555);
    for (const parent of [image.root, folder]) await chmod(parent, 0o755);
    const [program = '', ...args] = image.command;
    const [uid, gid] = (image.user ?? '').split(':').map(Number);
    const isRoot = process.getuid?.() === 0;
    const child = spawn(program === 'node' ? process.execPath : program, args, {
      cwd: workdir,
      env: { ...stage.relayEnvironment, ...image.environment, NODE_COMPILE_CACHE: join(workdir, 'compile-cache'), PORT: '0' },
      ...(isRoot ? { uid, gid } : {}),
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => void child.once('exit', (code) => resolve(code)));
    onTestFinished(() => {
      if (child.exitCode === null) child.kill('SIGKILL');
    });
    const port = await eventually('the relay to have started', () => /"port":(\d+)[^\n]*"message":"Application startup complete"/.exec(output)?.[1] ?? (child.exitCode === null ? null : 'ended'), 30_000).catch(() => 'late');
    expect({ port, output: /^\d+$/.test(port) ? '' : output }).toEqual({ port: expect.stringMatching(/^\d+$/) as unknown, output: '' });
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    const client = openClient(`ws://127.0.0.1:${port}/ws`, { protocols: ['earshot.v1', 'bearer.none'] });
    expect(await client.next('error')).toMatchObject({ code: 'token_invalid' });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(output).not.toMatch(/EACCES|EROFS/);
  });
});
