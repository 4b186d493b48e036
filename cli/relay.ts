/** `earshot relay ...`: which revision of the relay serves. The relays of every other one ask their sessions to move. */
import { MOVE_WITHIN_MS, SERVING_CHECK_MS, SERVING_SPREAD_MS } from '../core/protocol/limits.ts';
import { usage } from './exit-codes.ts';
import { withDirectory } from './local-data.ts';
import type { Cli } from './world.ts';

/** As Cloud Run names them, https://cloud.google.com/run/docs/managing/revisions */
const REVISION = /^[a-z][a-z0-9-]{0,62}$/;

/** A relay notices by then, and by then has asked each of its sessions; whoever has not followed a minute later is closed. */
const ASKED_SECONDS = (SERVING_CHECK_MS + SERVING_SPREAD_MS) / 1000;
const GONE_SECONDS = ASKED_SECONDS + MOVE_WITHIN_MS / 1000;

/** `earshot relay serve <revision>`; --none takes it back. Throws CliError `invalid_usage`. */
export const serveRevision = async (cli: Cli, revision: string | undefined, options: { readonly none?: boolean }): Promise<void> => {
  if ((revision === undefined) !== (options.none === true)) throw usage('Name a revision, or say --none.');
  if (revision !== undefined && !REVISION.test(revision)) throw usage('A revision is named by up to 63 lower-case letters, digits and hyphens, such as earshot-relay-00012-abc.');
  const named = revision ?? null;
  const previous = await withDirectory(cli, async (directory) => {
    const before = await directory.servingRevision();
    await directory.nameServingRevision(named);
    return before;
  });
  cli.print.document({ serving: named, previous, asked_within_seconds: ASKED_SECONDS, gone_within_seconds: GONE_SECONDS });
  if (named === null) cli.print.line('No revision is named any more: sockets stay where they are.');
  else cli.print.line(`${named} serves. Sockets of other revisions are asked to move within ${ASKED_SECONDS} s, and are gone from there within ${GONE_SECONDS} s.`);
};

/** `earshot relay status`. */
export const relayStatus = (cli: Cli): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const serving = await directory.servingRevision();
    cli.print.document({ serving });
    cli.print.line(serving === null ? 'No revision is named: sockets stay where they are.' : `${serving} serves: sockets of every other revision are asked to move.`);
  });
