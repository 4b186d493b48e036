/**
 * A zip file with the same bytes whenever its files are the same: in order of their names, at one fixed time, and stored as they are,
 * so that no version of a compressor shows in it. The functions are built anew only when the hash of their archive changes.
 * Form: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import { crc32 } from 'node:zlib';

export interface ArchivedFile {
  /** With `/`, from the archive's root. */
  readonly path: string;
  readonly content: Buffer;
}

/** 1 January 1980, midnight: the first moment that the format knows. */
const DOS_TIME = 0;
const DOS_DATE = (1 << 5) | 1;
const VERSION = 20;
/** Names are UTF-8. */
const FLAGS = 0x0800;
/** Made on Unix, so that permissions count. */
const MADE_BY = (3 << 8) | VERSION;
/** A plain file that everybody may read: -rw-r--r-- */
const MODE = 0o100644;
/** Without the format's 64-bit extension. */
const ARCHIVE_MAX_BYTES = 0xffff_ffff;
const FILES_MAX_COUNT = 0xffff;

/** @throws RangeError past 4 GiB or 65,535 files */
export const archive = (files: readonly ArchivedFile[]): Buffer => {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { path, content } of sorted) {
    const name = Buffer.from(path, 'utf8');
    const described = describe(content, name.length);
    const header = Buffer.concat([numbers([0x04034b50, 4]), described, name]);
    central.push(numbers([0x02014b50, 4], [MADE_BY, 2]), described, numbers([0, 2], [0, 2], [0, 2], [(MODE << 16) >>> 0, 4], [offset, 4]), name);
    local.push(header, content);
    offset += header.length + content.length;
  }
  const directory = Buffer.concat(central);
  if (sorted.length > FILES_MAX_COUNT || offset + directory.length > ARCHIVE_MAX_BYTES) throw new RangeError('too much for one archive');
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [sorted.length, 2], [sorted.length, 2], [directory.length, 4], [offset, 4], [0, 2]);
  return Buffer.concat([...local, directory, end]);
};

/** What both headers of a file say alike: version, flags, method (stored), time, sum, sizes, lengths. */
const describe = (content: Buffer, nameLength: number): Buffer =>
  numbers([VERSION, 2], [FLAGS, 2], [0, 2], [DOS_TIME, 2], [DOS_DATE, 2], [crc32(content), 4], [content.length, 4], [content.length, 4], [nameLength, 2], [0, 2]);

const numbers = (...fields: readonly (readonly [value: number, bytes: 2 | 4])[]): Buffer => {
  const buffer = Buffer.alloc(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [value, bytes] of fields) at = buffer.writeUIntLE(value, at, bytes);
  return buffer;
};
