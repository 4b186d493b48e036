/** Folds what `feed.call` tells into what a screen shows: turns in order with their corrections, tools, status, outcome, proof. */
export { CallView, INTERIM_SHOWN_MAX_MS, type Amendment, type Outcome, type ShownItem, type ShownStatus, type ShownTool, type ShownTurn, type Trust } from '../core/domain/client/call-view.ts';
export type { CallUpdate } from '../core/domain/client/call-update.ts';
