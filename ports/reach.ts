/** The need: whether the places of the cloud can be used from here, told so that an operator can mend what is wrong. */

/** Why a place cannot be used. */
export type Obstacle =
  /** There is no place of this name. */
  | 'absent'
  /** The account at hand has no right to it. */
  | 'forbidden'
  /** There are no credentials at hand, or they are no longer good. */
  | 'no_credentials'
  /** Nothing answered in time. */
  | 'silent';

/** Each method answers null where all is well, and throws nothing; nothing that is there is changed. */
export interface Reach {
  /** The database of log and directory, to be read and written. */
  log(): Promise<Obstacle | null>;
  /** That of tickets, ended sign-ins, leases, watermarks, likewise. */
  sessions(): Promise<Obstacle | null>;
  topic(): Promise<Obstacle | null>;
  bucket(name: string): Promise<Obstacle | null>;
}
