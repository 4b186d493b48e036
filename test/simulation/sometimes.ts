/** What a swarm has to have reached: a green run that reached nothing proves nothing. */
import type { Run } from './run.ts';

/** Each with the names under which runs count it; a name that ends in a space stands for all that begin so. */
export const SOMETIMES: Readonly<Record<string, readonly string[]>> = {
  'gap filled': ['earshot_gaps_filled_total'],
  'duplicate dropped': ['duplicate dropped'],
  'fill failed then succeeded': ['fill failed then succeeded'],
  'history lost': ['earshot_history_lost_total'],
  'slow client cut': ['earshot_connections_closed_total 4001'],
  'drained with viewers': ['drained with viewers'],
  'unknown commit': ['fault log_unknown_commit'],
  'lost publish healed by the comparison': ['lost publish healed by the comparison'],
  'reconciler added': ['earshot_reconciler_additions_total '],
  revoked: ['revoked'],
  'epoch changed': ['epoch changed'],
  'amendment after a seal': ['amendment after a seal'],
  'unbound delivery waited and was freed': ['unbound delivery waited and was freed'],
  "cursor ahead of the relay's head": ["cursor ahead of the relay's head"],
  'dial unknown and settled': ['dial unknown and settled'],
  'dial that needs a person': ['dial that needs a person'],
  'merged into the owner': ['merged'],
  'paused as degraded': ['degraded'],
  'asked to move': ['asked to move'],
  polled: ['polled'],
  'proved complete': ['sealed: complete'],
  'could not be proved complete': ['sealed: incomplete'],
  'came with a ticket': ['came with a ticket'],
  'ticket shown again': ['fault ticket_again'],
  'interim turn shown': ['interim turn shown'],
  'left the board': ['left the board'],
  'said to be catching up': ['state catching_up'],
  'said to be unverified': ['state unverified'],
  'said to be lost': ['state lost'],
  'said to be restored': ['state restored'],
  'relay broken for good': ['relay broken for good'],
  'one direction broken for good': ['one direction broken for good'],
  'crash of functions': ['fault function_crash'],
  'crash of a relay': ['fault relay_crash'],
};

/** How often each was reached in a run. */
export const sometimesOf = ({ sometimes, faults }: Pick<Run, 'sometimes' | 'faults'>): Map<string, number> => {
  const counts = new Map<string, number>([...sometimes, ...[...faults].map(([kind, count]) => [`fault ${kind}`, count] as const)]);
  const reached = (name: string): number => {
    if (!name.endsWith(' ')) return counts.get(name) ?? 0;
    return [...counts].reduce((sum, [key, count]) => (key.startsWith(name) ? sum + count : sum), 0);
  };
  return new Map(Object.entries(SOMETIMES).map(([what, names]) => [what, names.reduce((sum, name) => sum + reached(name), 0)]));
};
