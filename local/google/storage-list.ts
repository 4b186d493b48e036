/** Lists of objects as Cloud Storage answers them. https://cloud.google.com/storage/docs/json_api/v1/objects/list */
import type { ObjectResource, StorageObject } from './storage-objects.ts';

/** One page of a list. */
export interface ListAnswer {
  readonly kind: 'storage#objects';
  readonly items?: readonly ObjectResource[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

const PAGE_MAX_COUNT = 1_000;

/** @param objects of one bucket, ordered by name */
export const listPage = (objects: readonly StorageObject[], query: URLSearchParams): ListAnswer => {
  const text = (name: string): string => query.get(name) ?? '';
  const behind = text('pageToken') === '' ? null : Buffer.from(text('pageToken'), 'base64url').toString('utf8');
  const most = Math.min(Number(query.get('maxResults') ?? PAGE_MAX_COUNT), PAGE_MAX_COUNT);
  const found: ({ readonly key: string } & ({ readonly item: ObjectResource } | { readonly folder: string }))[] = [];
  let more = false;
  for (const { resource } of objects) {
    const { name } = resource;
    if (!name.startsWith(text('prefix')) || isBefore(name, text('startOffset')) || (text('endOffset') !== '' && !isBefore(name, text('endOffset')))) continue;
    const end = text('delimiter') === '' ? -1 : name.indexOf(text('delimiter'), text('prefix').length);
    const key = end === -1 ? name : name.slice(0, end + text('delimiter').length);
    if (behind !== null && !isBefore(behind, key)) continue;
    if (found.at(-1)?.key === key) continue;
    if (found.length === most) {
      more = true;
      break;
    }
    found.push(end === -1 ? { key, item: resource } : { key, folder: key });
  }
  const items = found.flatMap((one) => ('item' in one ? [one.item] : []));
  const prefixes = found.flatMap((one) => ('folder' in one ? [one.folder] : []));
  const last = found.at(-1)?.key;
  return {
    kind: 'storage#objects',
    ...(items.length === 0 ? {} : { items }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(more && last !== undefined ? { nextPageToken: Buffer.from(last, 'utf8').toString('base64url') } : {}),
  };
};

const isBefore = (name: string, other: string): boolean => Buffer.compare(Buffer.from(name), Buffer.from(other)) < 0;

/** Only what `fields` names: `items(name,generation),nextPageToken`. */
export const projected = (answer: ListAnswer, fields: string | null): object => {
  if (fields === null) return answer;
  const wanted = new Map([...fields.matchAll(/(\w+)(?:\(([^)]*)\))?/g)].map(([, name = '', inner]) => [name, inner?.split(',')]));
  return Object.fromEntries(
    Object.entries(answer)
      .filter(([name]) => wanted.has(name))
      .map(([name, value]) => {
        const inner = wanted.get(name);
        return [name, inner === undefined || !Array.isArray(value) ? value : value.map((item: object) => Object.fromEntries(Object.entries(item).filter(([key]) => inner.includes(key))))];
      }),
  );
};
