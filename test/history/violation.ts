/** What the checker answers. */

/** The invariants of the promise. I12 - a crash at any point keeps I1 to I6 and I9 - is those, on a run that crashed. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'I11' | 'I12' | 'I13' | 'I14' | 'I15';

/** Something that the promise says never happens. */
export interface Violation {
  readonly invariant: Invariant;
  /** A sentence, with the ids that are needed to find it. */
  readonly what: string;
  /** Milliseconds of the run's clock; null where it belongs to no moment. */
  readonly at: number | null;
  /** Place of the record in the history; null where none is to blame. */
  readonly record: number | null;
}

/** Notes one. */
export type Report = (invariant: Invariant, what: string, index: number | null) => void;
