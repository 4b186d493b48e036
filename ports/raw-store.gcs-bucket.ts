/**
 * One bucket of Cloud Storage, by the few requests that the raw store makes of it. Each has a deadline and is repeated with jitter
 * until then; each change names the generation that it was made for, so a repeat of one that was applied but not heard of does no
 * harm: it is answered `conflict`, and the caller looks.
 *
 * The client library (8.4) repeats nothing here (`autoRetry: false`): its own schedule knows no deadline of ours. Its `timeout` does
 * nothing either, since the transport under it ignores it, and it takes no AbortSignal: a server that never answers would hold a
 * request and its socket for ever. So each request carries a token as its `x-goog-gcs-idempotency-token`, by which Node's
 * diagnostics channel leads to the socket that has to be cut.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import type { ClientRequest } from 'node:http';
import { Storage, type Bucket, type File } from '@google-cloud/storage';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/** An object as it stands in the bucket. */
export interface StoredObject {
  readonly name: string;
  /** Changes with every write of the content. */
  readonly generation: string;
  /** Starts at 1 in each generation and changes with every change of the metadata. */
  readonly metageneration: string;
  /** When this generation was written, milliseconds by the bucket's clock. */
  readonly createdAt: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** An index object in a list: its name is all it says. */
export type ListedObject = Pick<StoredObject, 'name' | 'generation' | 'createdAt'>;

export interface ListQuery {
  readonly prefix: string;
  /** The first name that may be answered. */
  readonly from?: string;
  /** The first name that may not. */
  readonly before?: string;
  readonly most: number;
}

/** What a write carries beside its content. */
export interface Labels {
  readonly metadata: Readonly<Record<string, string>>;
  /** Lifecycle rules by `daysSinceCustomTime` count from here; milliseconds. Once set it can only be moved forward. */
  readonly customTime?: number;
}

/** What a change came to: the object was another than the one it was made for, or there was none. */
export type Written = 'done' | 'conflict' | 'absent';

/** All methods throw EarshotError `store_unavailable`. `until` is a time of `runtime.monotonic()`: no attempt goes on past it. */
export interface GcsBucket {
  stat(name: string, until: number): Promise<StoredObject | null>;
  /** The content as text; null: there is no such generation. */
  read(name: string, generation: string, until: number): Promise<string | null>;
  /** @param generation the one that is replaced; null: there must be none */
  write(name: string, content: string, labels: Labels, generation: string | null, until: number): Promise<'done' | 'conflict'>;
  /** @param attempts where less is enough than all that fit in the time */
  relabel(object: Pick<StoredObject, 'name' | 'generation' | 'metageneration'>, labels: Labels, until: number, attempts?: number): Promise<Written>;
  /** Answers whether it was there and is gone by this. */
  remove(object: Pick<StoredObject, 'name' | 'generation'>, until: number): Promise<boolean>;
  /** By name, ascending. */
  list(query: ListQuery, until: number): Promise<readonly ListedObject[]>;
  /** The folders right under a prefix, whole, with their slash. */
  folders(prefix: string, until: number): Promise<readonly string[]>;
  /** Cuts what is under way; whatever is asked for afterwards is refused. */
  close(): void;
}

export interface GcsBucketOptions {
  readonly bucket: string;
  readonly projectId?: string;
  /** `http://127.0.0.1:<port>` of a server that stands in for Google's, with or without scheme and the path of the API; no credentials are sent there. */
  readonly apiEndpoint?: string;
  readonly runtime: Runtime;
  readonly log?: Log;
  /** One attempt may take this long. */
  readonly requestMaxMs: number;
}

const FIRST_RETRY_MS = 50;
const RETRY_MAX_MS = 1_000;
const API_PATH = '/storage/v1';
const TOKEN_HEADER = 'x-goog-gcs-idempotency-token';
/** Google answers at most this many names at once. */
const LIST_PAGE_COUNT = 1_000;
const FOLDERS_MAX_PAGES = 100;

/** What repeats cannot mend. https://cloud.google.com/storage/docs/json_api/v1/status-codes */
const FINAL = new Set([400, 401, 403, 404, 405, 411, 413, 414]);

/** Opens nothing: the first request does. */
export const gcsBucket = (options: GcsBucketOptions): GcsBucket => {
  const { runtime } = options;
  const apiEndpoint = options.apiEndpoint === undefined ? undefined : originOf(options.apiEndpoint);
  const storage = new Storage({
    ...(options.projectId === undefined ? {} : { projectId: options.projectId }),
    ...(apiEndpoint === undefined ? {} : { apiEndpoint }),
    retryOptions: { autoRetry: false },
  });
  // Where STORAGE_EMULATOR_HOST is set the library leaves the path of the API out of all but uploads: whatever is there would be taken for absent.
  if (apiEndpoint !== undefined) storage.baseUrl = apiEndpoint + API_PATH;
  const underWay = new Map<string, { request: ClientRequest | null; readonly fail: () => void }>();
  let closed = false;
  const isClosed = (): boolean => closed;

  const onStart = (message: unknown): void => {
    const { request } = message as { readonly request: ClientRequest };
    const token = request.getHeader(TOKEN_HEADER);
    const entry = typeof token === 'string' ? underWay.get(token) : undefined;
    if (entry !== undefined) entry.request = request;
  };
  subscribe('http.client.request.start', onStart);

  const cut = (token: string): void => {
    const entry = underWay.get(token);
    underWay.delete(token);
    entry?.request?.destroy();
    entry?.fail();
  };

  /** One attempt, cut when its time is over. */
  const attempt = async <T>(ms: number, run: (token: string) => Promise<T>): Promise<T> => {
    const token = runtime.randomHex(16);
    const late = runtime.after(ms, () => cut(token));
    try {
      return await Promise.race([new Promise<never>((_resolve, reject) => underWay.set(token, { request: null, fail: () => reject(new Error('deadline')) })), run(token)]);
    } finally {
      late.cancel();
      underWay.delete(token);
    }
  };

  /** Repeats until it is answered; `answered` turns a status into an answer where it is one. */
  const ask = async <T>(what: string, until: number, run: (token: string) => Promise<T>, answered: (status: number) => T | undefined, attempts = Infinity): Promise<T> => {
    let last: number | null = null;
    const giveUp = (tried: number): EarshotError => {
      if (!isClosed() && attempts === Infinity) options.log?.warn('Cloud Storage does not answer as it should', { request: what, status: last, tried });
      return new EarshotError('store_unavailable');
    };
    for (let tried = 0; ; ) {
      const left = until - runtime.monotonic();
      if (isClosed() || left <= 0) throw giveUp(tried);
      try {
        tried++;
        return await attempt(Math.min(options.requestMaxMs, left), run);
      } catch (error) {
        const status = statusOf(error);
        const answer = status === null ? undefined : answered(status);
        if (answer !== undefined) return answer;
        // The one that our own deadline cut says less than the one before it.
        last = status ?? last;
        const wait = Math.min(FIRST_RETRY_MS * 2 ** (tried - 1), RETRY_MAX_MS) * (0.5 + runtime.random());
        const over = isClosed() || tried >= attempts || runtime.monotonic() + wait >= until;
        if (over || (status !== null && FINAL.has(status))) throw giveUp(tried);
        await new Promise<void>((resolve) => void runtime.after(wait, resolve));
      }
    }
  };

  const bucket = (token: string): Bucket => marked(storage.bucket(options.bucket), token);
  const file = (name: string, token: string, generation?: string): File => marked(storage.bucket(options.bucket).file(name, generation === undefined ? {} : { generation }), token);

  const page = (query: Record<string, string | number>, until: number): Promise<Page> =>
    ask(
      'list',
      until,
      async (token) => (await bucket(token).getFiles({ autoPaginate: false, ...query }))[2] as Page,
      () => undefined,
    );

  return {
    stat: (name, until) =>
      ask(
        'get',
        until,
        async (token) => storedObject((await file(name, token).getMetadata())[0]),
        (status) => (status === 404 ? null : undefined),
      ),
    read: (name, generation, until) =>
      ask(
        'read',
        until,
        (token) => contentOf(file(name, token, generation)),
        (status) => (status === 404 ? null : undefined),
      ),
    write: (name, content, labels, generation, until) =>
      ask<'done' | 'conflict'>(
        'write',
        until,
        async (token) => {
          const metadata = { contentType: 'text/plain; charset=utf-8', ...described(labels) };
          await file(name, token).save(content, { resumable: false, metadata, preconditionOpts: { ifGenerationMatch: generation ?? 0 } });
          return 'done';
        },
        (status) => (status === 412 ? 'conflict' : undefined),
      ),
    relabel: ({ name, generation, metageneration }, labels, until, attempts) =>
      ask<Written>(
        'change',
        until,
        async (token) => {
          await file(name, token).setMetadata(described(labels), { ifGenerationMatch: generation, ifMetagenerationMatch: metageneration });
          return 'done';
        },
        (status) => (status === 412 ? 'conflict' : status === 404 ? 'absent' : undefined),
        attempts,
      ),
    remove: ({ name, generation }, until) =>
      ask(
        'remove',
        until,
        async (token) => {
          await file(name, token).delete({ ifGenerationMatch: generation });
          return true;
        },
        (status) => (status === 404 || status === 412 ? false : undefined),
      ),
    list: async ({ prefix, from, before, most }, until) => {
      const found: ListedObject[] = [];
      let pageToken: string | undefined;
      do {
        const answer = await page(
          {
            prefix,
            fields: 'items(name,generation,timeCreated),nextPageToken',
            maxResults: Math.min(LIST_PAGE_COUNT, most - found.length),
            ...(from === undefined ? {} : { startOffset: from }),
            ...(before === undefined ? {} : { endOffset: before }),
            ...(pageToken === undefined ? {} : { pageToken }),
          },
          until,
        );
        for (const item of answer.items ?? []) found.push({ name: item.name, generation: item.generation, createdAt: Date.parse(item.timeCreated) });
        pageToken = answer.nextPageToken;
      } while (pageToken !== undefined && found.length < most);
      return found;
    },
    folders: async (prefix, until) => {
      const found: string[] = [];
      let pageToken: string | undefined;
      for (let pages = 0; pages < FOLDERS_MAX_PAGES; pages++) {
        const answer = await page({ prefix, delimiter: '/', fields: 'prefixes,nextPageToken', maxResults: LIST_PAGE_COUNT, ...(pageToken === undefined ? {} : { pageToken }) }, until);
        found.push(...(answer.prefixes ?? []));
        pageToken = answer.nextPageToken;
        if (pageToken === undefined) break;
      }
      return found;
    },
    close: () => {
      closed = true;
      unsubscribe('http.client.request.start', onStart);
      for (const token of [...underWay.keys()]) cut(token);
    },
  };
};

/** Emulators are named in each of these forms. */
const originOf = (endpoint: string): string => {
  const url = endpoint.includes('://') ? endpoint : `http://${endpoint}`;
  return url.replace(/\/+$/, '').replace(/\/storage\/v1$/, '');
};

interface Page {
  readonly items?: readonly { readonly name: string; readonly generation: string; readonly timeCreated: string }[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

const marked = <T extends Bucket | File>(target: T, token: string): T => {
  target.interceptors.push({ request: (request) => ({ ...request, headers: { ...request.headers, [TOKEN_HEADER]: token } }) as ReturnType<(typeof target.interceptors)[number]['request']> });
  return target;
};

/** The library hangs a dozen listeners on one answer, and Node would warn of a leak that is none. */
const LISTENERS_MAX_COUNT = 30;

const contentOf = async (file: File): Promise<string> => {
  const stream = file.createReadStream();
  stream.on('response', (response: EventEmitter) => void response.setMaxListeners(LISTENERS_MAX_COUNT));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

const described = ({ metadata, customTime }: Labels): { metadata: Record<string, string>; customTime?: string } => ({
  metadata: { ...metadata },
  ...(customTime === undefined ? {} : { customTime: new Date(customTime).toISOString() }),
});

const storedObject = (resource: { name?: string; generation?: string | number; metageneration?: string | number; timeCreated?: string; metadata?: Record<string, unknown> }): StoredObject => ({
  name: resource.name ?? '',
  generation: String(resource.generation),
  metageneration: String(resource.metageneration),
  createdAt: Date.parse(resource.timeCreated ?? ''),
  metadata: Object.fromEntries(Object.entries(resource.metadata ?? {}).map(([key, value]) => [key, String(value)])),
});

/** The HTTP status of a failed request; null: there was no answer. */
const statusOf = (error: unknown): number | null => {
  const code = typeof error === 'object' && error !== null && 'code' in error ? Number(error.code) : NaN;
  return Number.isInteger(code) ? code : null;
};
