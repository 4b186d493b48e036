/** One source of frames: a connection of a client to a relay, or its polls. */

/** The id of the source that polls are. */
export const POLLS = 0;

/** How far a source has fed one call. */
export interface Place {
  /** The epoch that it confirmed: events carry none, and another source may have heard of a newer one. undefined: it was asked and has not answered. */
  epoch: string | undefined;
  /** Seq of the newest event that it brought, or is known not to have to bring. */
  seq: number;
}

export interface Link {
  readonly id: number;
  /** false: it is to replace the one that does. */
  leads: boolean;
  /** Monotonic time; later than any: it is opening. */
  upAt: number;
  /** As its relay knows it. */
  connectionId: unknown;
  /** It has yet to show that it lives: a heartbeat may have waited in it since before a sleep. */
  suspected: boolean;
  /** Its relay says that rights cannot be confirmed. */
  degraded: boolean;
  /** By the id asked. */
  readonly places: Map<string, Place>;
  /** Whether it has shown the whole board. */
  boardReady: boolean;
  /** Rows of a snapshot that is not whole yet. */
  boardPart: unknown[];
}

/** @param leads false: beside one that does */
export const newLink = (id: number, leads = true): Link => ({
  id,
  leads,
  upAt: Infinity,
  connectionId: null,
  suspected: false,
  degraded: false,
  places: new Map(),
  boardReady: false,
  boardPart: [],
});

/** A frame's fields, whatever they are. */
export type Fields = Readonly<Record<string, unknown>>;

/** A frame's fields; none where it is no frame. */
export const fieldsOf = (text: string): Fields => {
  try {
    return (JSON.parse(text) ?? {}) as Fields;
  } catch {
    return {};
  }
};

/** Milliseconds of a time on the wire; NaN: it is none. */
export const timeOf = (value: unknown): number => (typeof value === 'string' ? Date.parse(value) : NaN);
