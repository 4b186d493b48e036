/** Objects of buckets, in memory and, where there is a folder, in one file each. Synchronous: what is answered is on the disk. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** https://cloud.google.com/storage/docs/json_api/v1/objects#resource, the fields that the store reads. */
export interface ObjectResource {
  readonly kind: 'storage#object';
  readonly id: string;
  readonly name: string;
  readonly bucket: string;
  readonly generation: string;
  readonly metageneration: string;
  readonly contentType: string;
  readonly timeCreated: string;
  readonly updated: string;
  readonly size: string;
  readonly md5Hash: string;
  readonly crc32c: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly customTime?: string;
}

export interface StorageObject {
  readonly resource: ObjectResource;
  readonly content: Buffer;
}

/** Buckets and their objects by name. */
export interface StorageObjects {
  hasBucket(bucket: string): boolean;
  createBucket(bucket: string): void;
  get(bucket: string, name: string): StorageObject | undefined;
  put(object: StorageObject): void;
  remove(bucket: string, name: string): void;
  /** Ordered by the bytes of their names, as Google orders them. */
  all(bucket: string): readonly StorageObject[];
}

/** @param folder null: they are gone with the process */
export const storageObjects = (folder: string | null): StorageObjects => {
  const buckets = new Map<string, Map<string, StorageObject>>();
  if (folder !== null) for (const [bucket, objects] of readBuckets(folder)) buckets.set(bucket, objects);
  const place = (bucket: string, name: string): string | null => (folder === null ? null : join(folder, encodeURIComponent(bucket), createHash('sha256').update(name).digest('hex')));
  return {
    hasBucket: (bucket) => buckets.has(bucket),
    createBucket: (bucket) => {
      if (folder !== null) mkdirSync(join(folder, encodeURIComponent(bucket)), { recursive: true, mode: 0o700 });
      buckets.set(bucket, new Map());
    },
    get: (bucket, name) => buckets.get(bucket)?.get(name),
    put: (object) => {
      const { bucket, name } = object.resource;
      const file = place(bucket, name);
      if (file !== null) {
        writeFileSync(`${file}.new`, Buffer.concat([Buffer.from(`${JSON.stringify(object.resource)}\n`), object.content]), { mode: 0o600 });
        renameSync(`${file}.new`, file);
      }
      buckets.get(bucket)?.set(name, object);
    },
    remove: (bucket, name) => {
      const file = place(bucket, name);
      if (file !== null) rmSync(file, { force: true });
      buckets.get(bucket)?.delete(name);
    },
    all: (bucket) => [...(buckets.get(bucket)?.values() ?? [])].sort((a, b) => Buffer.compare(Buffer.from(a.resource.name), Buffer.from(b.resource.name))),
  };
};

const readBuckets = (folder: string): Map<string, Map<string, StorageObject>> => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const bucketFolders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return new Map(bucketFolders.map(({ name }) => [decodeURIComponent(name), readBucket(join(folder, name))]));
};

const readBucket = (folder: string): Map<string, StorageObject> =>
  new Map(
    readdirSync(folder)
      // A file that was not whole when the process ended was answered to nobody.
      .filter((file) => !file.endsWith('.new'))
      .map((file) => {
        const bytes = readFileSync(join(folder, file));
        const end = bytes.indexOf('\n');
        const resource = JSON.parse(bytes.subarray(0, end).toString('utf8')) as ObjectResource;
        return [resource.name, { resource, content: bytes.subarray(end + 1) }] as const;
      }),
  );

/** CRC-32C (Castagnoli) as Google writes it: base64 of four bytes, big-endian. */
export const crc32c = (content: Uint8Array): string => {
  let crc = 0xffff_ffff;
  for (const byte of content) crc = (CRC32C_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((crc ^ 0xffff_ffff) >>> 0);
  return bytes.toString('base64');
};

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  return crc >>> 0;
});
