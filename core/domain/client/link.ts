/** One connection of a client to a relay. */
export interface Link {
  readonly id: number;
  phase: 'opening' | 'established';
  connectionId: string | null;
  /** Monotonic time. */
  establishedAt: number;
  /** How far this link has fed each call, by the id asked; an entry means that it confirmed. */
  readonly positions: Map<string, number>;
  /** The epoch that it confirmed for each: events carry none, and another link may have heard of a newer one. */
  readonly epochs: Map<string, string>;
  /** Positions asked from, until they are confirmed. */
  readonly asked: Map<string, number>;
  /** Whether it has shown the whole board. */
  boardReady: boolean;
}

export const newLink = (id: number): Link => ({
  id,
  phase: 'opening',
  connectionId: null,
  establishedAt: 0,
  positions: new Map(),
  epochs: new Map(),
  asked: new Map(),
  boardReady: false,
});

/** Where a frame came from. */
export type Source = Link | 'poll';

/** A frame's fields, whatever they are. */
export type Fields = Readonly<Record<string, unknown>>;

/** A frame's fields; null: it is none. */
export const fieldsOf = (text: string): Fields | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Fields) : null;
  } catch {
    return null;
  }
};
