/**
 * Every query of the cloud's log and directory, as one table: what is asked and which indexes there are cannot drift apart.
 * `infra/firestore.indexes.json` is printed from it. A query of one field needs no index of its own.
 */
import type { CollectionReference, Firestore, Query } from '@google-cloud/firestore';

type Operator = '==' | '<' | '<=' | '>' | '>=' | 'in' | 'array-contains';
type Direction = 'asc' | 'desc';

interface Shape {
  readonly collection: 'calls' | 'tombstones' | 'segments' | 'texts' | 'agents' | 'users' | 'drivers';
  readonly where: readonly (readonly [field: string, operator: Operator])[];
  /** Asked only where there is a value for it. */
  readonly optional?: readonly (readonly [field: string, operator: Operator])[];
  readonly order: readonly (readonly [field: string, direction: Direction])[];
}

const NEWEST = [['created_at', 'desc'], ['call_sid', 'desc']] as const;

export const QUERIES = {
  list: { collection: 'calls', where: [['tenant', '==']], optional: [['status', '=='], ['driver_id', '=='], ['agent_id', '=='], ['created_at', '>=']], order: NEWEST },
  search: { collection: 'calls', where: [['tenant', '=='], ['trigrams', 'array-contains']], optional: [['created_at', '>=']], order: NEWEST },
  open: { collection: 'calls', where: [['terminal', '==']], optional: [['tenant', '==']], order: [['created_at', 'desc']] },
  ended: { collection: 'calls', where: [['terminal', '=='], ['changed_at', '>=']], optional: [['tenant', '==']], order: [['changed_at', 'desc']] },
  changed: { collection: 'calls', where: [['changed', '>=']], optional: [['tenant', 'in']], order: [['changed', 'asc']] },
  erased: { collection: 'tombstones', where: [['changed', '>=']], optional: [['tenant', 'in']], order: [['changed', 'asc']] },
  unpurged: { collection: 'tombstones', where: [['purged', '==']], order: [] },
  unbound: { collection: 'calls', where: [['workspace', '=='], ['unbound_since', '>=']], optional: [['agent_id', '==']], order: [['unbound_since', 'asc']] },
  count: { collection: 'calls', where: [['tenant', '=='], ['status', '=='], ['created_at', '>=']], optional: [['has_summary', '==']], order: [] },
  mergedInto: { collection: 'calls', where: [['merged_into', '==']], order: [] },
  createdBefore: { collection: 'calls', where: [['created_at', '<']], order: [['created_at', 'asc']] },
  segments: { collection: 'segments', where: [['last_seq', '>']], order: [['last_seq', 'asc']] },
  texts: { collection: 'texts', where: [['name', '==']], order: [] },
  agents: { collection: 'agents', where: [], optional: [['tenant', '==']], order: [] },
  users: { collection: 'users', where: [], optional: [['tenant', '==']], order: [] },
  drivers: { collection: 'drivers', where: [['tenant', '==']], order: [['driver_id', 'asc']] },
} as const satisfies Record<string, Shape>;

export type QueryName = keyof typeof QUERIES;
type Values = Readonly<Record<string, unknown>>;

/**
 * The query of that shape over these values, by the names of their fields; an optional field without a value is left out.
 * @param within the collection, where it is not one of the root
 */
export const queryOf = (db: Firestore, name: QueryName, values: Values, within?: CollectionReference): Query => {
  const shape: Shape = QUERIES[name];
  let query: Query = within ?? db.collection(shape.collection);
  for (const [field, operator] of shape.where) query = query.where(field, operator, values[field]);
  for (const [field, operator] of shape.optional ?? []) if (values[field] !== undefined) query = query.where(field, operator, values[field]);
  for (const [field, direction] of shape.order) query = query.orderBy(field, direction);
  return query;
};

interface IndexField {
  readonly fieldPath: string;
  readonly order?: 'ASCENDING' | 'DESCENDING';
  readonly arrayConfig?: 'CONTAINS';
}

/** In Firebase's form. https://firebase.google.com/docs/reference/firestore/indexes */
export interface IndexFile {
  readonly indexes: readonly { readonly collectionGroup: string; readonly queryScope: 'COLLECTION'; readonly fields: readonly IndexField[] }[];
  readonly fieldOverrides: readonly { readonly collectionGroup: string; readonly fieldPath: string; readonly indexes: readonly { readonly order: 'ASCENDING' | 'DESCENDING'; readonly queryScope: 'COLLECTION' }[] }[];
}

/** Fields that are only read with their document: no index is written for them. Times that only grow have no index of their own where none is asked for. */
const UNINDEXED: readonly (readonly [collection: string, field: string])[] = [
  ...['state', 'search', 'transcript_summary', 'call_duration_seconds', 'cost', 'call_successful'].map((field) => ['calls', field] as const),
  ...['texts', 'whole', 'commit', 'at', 'first_seq'].map((field) => ['segments', field] as const),
  ...['part', 'text'].map((field) => ['texts', field] as const),
  ['keys', 'value'],
  ['tombstones', 'commit'],
  ['conversations', 'conversation_id'],
  ['conversations', 'call_sid'],
  ['provider_calls', 'call_sid'],
  ['idempotency', 'request_hash'],
  ['idempotency', 'call_sids'],
  ...['workspaces', 'tenants', 'agents', 'users', 'drivers'].map((collection) => [collection, 'body'] as const),
];

/** One composite index for each combination of fields that a query of the table can have. */
export const indexFile = (shapes: Readonly<Record<string, Shape>>): IndexFile => {
  const found = new Map<string, IndexFile['indexes'][number]>();
  for (const shape of Object.values(shapes)) {
    for (const chosen of subsetsOf(shape.optional ?? [])) {
      const fields = indexFields([...shape.where, ...chosen], shape.order);
      if (fields.length > 1) found.set(JSON.stringify([shape.collection, fields]), { collectionGroup: shape.collection, queryScope: 'COLLECTION', fields });
    }
  }
  const indexes = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, index]) => index);
  return { indexes, fieldOverrides: UNINDEXED.map(([collectionGroup, fieldPath]) => ({ collectionGroup, fieldPath, indexes: [] })) };
};

/** Equalities first, then what is ordered or compared: https://firebase.google.com/docs/firestore/query-data/index-overview */
const indexFields = (where: Shape['where'], order: Shape['order']): IndexField[] => {
  const equal = where.filter(([, operator]) => operator === '==' || operator === 'in').map(([fieldPath]): IndexField => ({ fieldPath, order: 'ASCENDING' }));
  const contained = where.filter(([, operator]) => operator === 'array-contains').map(([fieldPath]): IndexField => ({ fieldPath, arrayConfig: 'CONTAINS' }));
  const ordered = order.map(([fieldPath, direction]): IndexField => ({ fieldPath, order: direction === 'asc' ? 'ASCENDING' : 'DESCENDING' }));
  const compared = where
    .filter(([field, operator]) => !['==', 'in', 'array-contains'].includes(operator) && !order.some(([name]) => name === field))
    .map(([fieldPath]): IndexField => ({ fieldPath, order: 'ASCENDING' }));
  return [...equal.sort((a, b) => (a.fieldPath < b.fieldPath ? -1 : 1)), ...contained, ...compared, ...ordered];
};

const subsetsOf = <T>(all: readonly T[]): T[][] => all.reduce<T[][]>((subsets, one) => [...subsets, ...subsets.map((subset) => [...subset, one])], [[]]);
