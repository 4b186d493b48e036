/**
 * Stands in for Cloud Storage on one machine, since Google gives out no emulator of it: as much of the JSON API as the client
 * library asks for in Earshot. Uploads (multipart, and simple ones), metadata, content, PATCH of metadata, DELETE, lists with prefix,
 * delimiter, offsets, pages and `fields`, buckets (get, create), and of preconditions `ifGenerationMatch` and `ifMetagenerationMatch`.
 * https://cloud.google.com/storage/docs/json_api/v1
 *
 * It is no oracle for the rest: no credentials and no rights, no resumable or composed uploads, no ranges, versions, soft delete, holds,
 * encryption or lifecycle, no limit of writes per second, one place and one clock. What it refuses it refuses as Google's
 * documentation says: names and metadata that are too long, a custom time moved back.
 *
 * For tests: `fault` is asked before each request is handled.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listPage, projected } from './storage-list.ts';
import { crc32c, storageObjects, type ObjectResource, type StorageObject, type StorageObjects } from './storage-objects.ts';

/** A request as a fault may choose it. */
export interface StorageRequest {
  readonly kind: 'write' | 'get' | 'read' | 'change' | 'remove' | 'list' | 'bucket';
  /** Of the object; the prefix of a list; of the bucket. */
  readonly name: string;
}

/** What goes wrong: an HTTP status, no answer at all, or an answer that is cut in its middle. `applied`: the request was handled before. */
export interface StorageFault {
  readonly answer: number | 'hang' | 'cut';
  readonly applied: boolean;
}

export interface StorageServer {
  /** `http://127.0.0.1:<port>`, as `apiEndpoint` takes it. */
  readonly url: string;
  /** null: nothing goes wrong. A request waits for a promise. */
  fault: (request: StorageRequest) => StorageFault | null | Promise<StorageFault | null>;
  /** Every object of a bucket, by name: for tests that look behind the store. */
  objects(bucket: string): readonly StorageObject[];
  /** Connections that are open. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export interface StorageServerOptions {
  /** Objects are kept here; without it they are gone with the process. */
  readonly folder?: string;
  /** 0 or none: a free one. */
  readonly port?: number;
  /** Made where they are not there yet. */
  readonly buckets: readonly string[];
  /** The server's clock, milliseconds. */
  readonly now?: () => number;
}

const NAME_MAX_BYTES = 1024;
const METADATA_MAX_BYTES = 8 * 1024;

/** Listens on loopback only. */
export const storageServer = async (options: StorageServerOptions): Promise<StorageServer> => {
  const objects = storageObjects(options.folder ?? null);
  for (const bucket of options.buckets) if (!objects.hasBucket(bucket)) objects.createBucket(bucket);
  const api = storageApi(objects, options.now ?? Date.now);
  const server = createServer((req, res) => {
    serve(req, res).catch(() => res.destroy());
  });

  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const asked = askedFor(req, Buffer.concat(chunks));
    if (asked === null) {
      // Not 404: to whoever asks for an object that would mean that there is none.
      answer(res, refusal(501, 'notImplemented'));
      return;
    }
    const fault = await handle.fault({ kind: asked.kind, name: asked.name });
    const made = fault === null || fault.applied ? api(asked) : refusal(503, 'backendError');
    if (fault === null) answer(res, made);
    else if (fault.answer === 'cut') cutInTheMiddle(res, made);
    else if (fault.answer !== 'hang') answer(res, refusal(fault.answer, 'backendError'));
  };

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const handle: StorageServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: () => null,
    objects: (bucket) => objects.all(bucket),
    connections: () => new Promise((resolve, reject) => server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return handle;
};

interface Asked extends StorageRequest {
  readonly method: string;
  readonly bucket: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer | object;
  readonly headers?: Readonly<Record<string, string>>;
}

const refusal = (status: number, reason: string): Answer => ({ status, body: { error: { code: status, message: reason, errors: [{ domain: 'global', reason, message: reason }] } } });

/** null: nothing of ours. */
const askedFor = (req: IncomingMessage, body: Buffer): Asked | null => {
  const url = new URL(req.url ?? '/', 'http://storage');
  const { method = 'GET' } = req;
  const more = { method, query: url.searchParams, contentType: req.headers['content-type'] ?? '', body };
  const [, upload, bucket = '', ofObjects, name] = /^(\/upload)?\/storage\/v1\/b(?:\/([^/]+)(?:(\/o)(?:\/([^/]+))?)?)?\/?$/.exec(url.pathname)?.map((part) => (part as string | undefined) === undefined ? undefined : decodeURIComponent(part)) ?? [];
  if (!url.pathname.startsWith('/storage/v1/b') && upload === undefined) return null;
  if (ofObjects === undefined) return { ...more, kind: 'bucket', bucket, name: bucket };
  if (upload !== undefined) return { ...more, kind: 'write', bucket, name: url.searchParams.get('name') ?? '' };
  if (name === undefined) return { ...more, kind: 'list', bucket, name: url.searchParams.get('prefix') ?? '' };
  if (method === 'PATCH') return { ...more, kind: 'change', bucket, name };
  if (method === 'DELETE') return { ...more, kind: 'remove', bucket, name };
  return { ...more, kind: url.searchParams.get('alt') === 'media' ? 'read' : 'get', bucket, name };
};

const storageApi = (objects: StorageObjects, now: () => number): ((asked: Asked) => Answer) => {
  let lastGeneration = 0;
  const nextGeneration = (): string => String((lastGeneration = Math.max(lastGeneration + 1, now() * 1000)));

  const write = (asked: Asked): Answer => {
    const { fields, content } = uploaded(asked);
    const { bucket, name } = asked;
    const problem = name === '' || Buffer.byteLength(name) > NAME_MAX_BYTES || /[\r\n]/.test(name) || tooMuchMetadata(fields.metadata);
    if (problem) return refusal(400, 'invalid');
    const generation = nextGeneration();
    const time = new Date(now()).toISOString();
    const resource: ObjectResource = {
      kind: 'storage#object',
      id: `${bucket}/${name}/${generation}`,
      name,
      bucket,
      generation,
      metageneration: '1',
      contentType: fields.contentType ?? 'application/octet-stream',
      timeCreated: time,
      updated: time,
      size: String(content.length),
      md5Hash: createHash('md5').update(content).digest('base64'),
      crc32c: crc32c(content),
      ...(fields.metadata === undefined ? {} : { metadata: fields.metadata }),
      ...(fields.customTime === undefined ? {} : { customTime: fields.customTime }),
    };
    objects.put({ resource, content });
    return { status: 200, body: resource };
  };

  const change = (asked: Asked, { resource, content }: StorageObject): Answer => {
    const { metadata, customTime } = JSON.parse(asked.body.toString('utf8')) as UploadedFields;
    const next = { ...resource.metadata, ...metadata };
    const movedBack = customTime !== undefined && resource.customTime !== undefined && customTime < resource.customTime;
    if (movedBack || tooMuchMetadata(next)) return refusal(400, 'invalid');
    const changed: ObjectResource = {
      ...resource,
      metageneration: String(Number(resource.metageneration) + 1),
      updated: new Date(now()).toISOString(),
      metadata: next,
      ...(customTime === undefined ? {} : { customTime }),
    };
    objects.put({ resource: changed, content });
    return { status: 200, body: changed };
  };

  return (asked) => {
    const { kind, bucket, name, query } = asked;
    if (kind === 'bucket') return bucketAnswer(objects, asked);
    if (!objects.hasBucket(bucket)) return refusal(404, 'notFound');
    if (kind === 'list') return { status: 200, body: projected(listPage(objects.all(bucket), query), query.get('fields')) };
    const object = objects.get(bucket, name);
    const asRead = query.get('generation');
    if (kind !== 'write' && (object === undefined || (asRead !== null && asRead !== object.resource.generation))) return refusal(404, 'notFound');
    if (!holds(query, object)) return refusal(412, 'conditionNotMet');
    if (kind === 'write' || object === undefined) return write(asked);
    if (kind === 'change') return change(asked, object);
    if (kind === 'get') return { status: 200, body: object.resource };
    if (kind === 'read') return content(object);
    objects.remove(bucket, name);
    return { status: 204, body: {} };
  };
};

const bucketAnswer = (objects: StorageObjects, { method, bucket, body }: Asked): Answer => {
  if (method === 'GET') return objects.hasBucket(bucket) ? { status: 200, body: { kind: 'storage#bucket', id: bucket, name: bucket } } : refusal(404, 'notFound');
  if (method !== 'POST') return refusal(405, 'methodNotAllowed');
  const { name } = JSON.parse(body.toString('utf8')) as { readonly name: string };
  if (objects.hasBucket(name)) return refusal(409, 'conflict');
  objects.createBucket(name);
  return { status: 200, body: { kind: 'storage#bucket', id: name, name } };
};

const content = ({ resource, content: body }: StorageObject): Answer => ({
  status: 200,
  body,
  headers: {
    'content-type': resource.contentType,
    'x-goog-generation': resource.generation,
    'x-goog-metageneration': resource.metageneration,
    'x-goog-stored-content-encoding': 'identity',
    'x-goog-hash': `crc32c=${resource.crc32c},md5=${resource.md5Hash}`,
  },
});

/** Generation 0 is that of no object. */
const holds = (query: URLSearchParams, object: StorageObject | undefined): boolean => {
  const { generation = '0', metageneration = '' } = object?.resource ?? {};
  return [query.get('ifGenerationMatch') ?? generation, query.get('ifMetagenerationMatch') ?? metageneration].join() === [generation, metageneration].join();
};

const tooMuchMetadata = (metadata: Readonly<Record<string, string>> = {}): boolean => Buffer.byteLength(Object.entries(metadata).flat().join('')) > METADATA_MAX_BYTES;

interface UploadedFields {
  readonly contentType?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly customTime?: string;
}

const uploaded = ({ query, contentType, body }: Asked): { readonly fields: UploadedFields; readonly content: Buffer } => {
  if (query.get('uploadType') !== 'multipart') return { fields: { contentType }, content: body };
  const [fields, second] = partsOf(body, /boundary="?([^";]+)/.exec(contentType)?.[1] ?? '');
  return { fields: JSON.parse((fields ?? Buffer.from('{}')).toString('utf8')) as UploadedFields, content: second ?? Buffer.alloc(0) };
};

/** The bodies of the parts of `multipart/related`. */
const partsOf = (body: Buffer, boundary: string): Buffer[] => {
  const parts: Buffer[] = [];
  for (let start = body.indexOf(`--${boundary}`); ; ) {
    const head = body.indexOf('\r\n\r\n', start);
    const end = body.indexOf(`\r\n--${boundary}`, head + 2);
    if (start === -1 || head === -1 || end === -1) return parts;
    parts.push(body.subarray(head + 4, Math.max(end, head + 4)));
    start = end + 2;
  }
};

const answer = (res: ServerResponse, { status, body, headers }: Answer): void => {
  if (status === 204) {
    res.writeHead(204).end();
    return;
  }
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': String(bytes.length), ...headers }).end(bytes);
};

const cutInTheMiddle = (res: ServerResponse, { status, body, headers }: Answer): void => {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': String(bytes.length + 1), ...headers });
  res.write(bytes.subarray(0, bytes.length / 2), () => res.destroy());
};
