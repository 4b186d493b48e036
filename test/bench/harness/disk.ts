/** What the disk takes to be sure of something: it is in every figure of a program that answers only then, and other programs use it too. */
import { closeSync, existsSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is in memory, where this machine has one. */
export const MEMORY_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : null;

const PAGE_BYTES = 4_096;
const EVERY_MS = 5;

/** Milliseconds of `count` writes of a page, each waited for, a few milliseconds apart, in the folder where databases of benches lie. */
export const syncsOf = async (count: number): Promise<readonly number[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-disk-'));
  const file = openSync(join(folder, 'page'), 'w');
  const page = Buffer.alloc(PAGE_BYTES);
  const took: number[] = [];
  try {
    for (let n = 0; n < count; n++) {
      const began = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      took.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
  return took;
};
