/** What it costs a server that somebody comes and goes: CPU for each connection that is upgraded, let in and closed. */
import type { Bench, Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';
import { NAIVE, OURS, SOCKET_IO, type Listening, type Spoken } from './harness/speeches.ts';
import { openViewers, type Speech } from './harness/viewers.ts';

const CONNECTIONS = 1_000;

/** Milliseconds of CPU for each of the connections. */
const comeAndGo = async (server: BenchProcess, speech: Speech): Promise<number> => {
  const before = await server.usage();
  const viewers = await openViewers(CONNECTIONS, speech);
  await viewers.leave();
  const after = await server.usage();
  return (after.cpuUs - before.cpuUs) / 1_000 / CONNECTIONS;
};

export const handshakeBench: Bench = {
  name: 'handshake',
  what: 'CPU for each connection that comes with a token, is let in and goes',
  run: async (rounds, say) => {
    const theirs: readonly Spoken[] = [NAIVE, SOCKET_IO];
    const servers = new Map<Spoken, BenchProcess>();
    const values = { first: [] as number[], again: [] as number[], theirs: theirs.map(() => [] as number[]) };
    try {
      for (const spoken of [OURS, ...theirs]) servers.set(spoken, await startProcess(spoken.program));
      const serverOf = (spoken: Spoken): BenchProcess => {
        const server = servers.get(spoken);
        if (server === undefined) throw new Error(`${spoken.name} was not started`);
        return server;
      };
      // One more that is not kept: everything is compiled in it.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        const ours = serverOf(OURS);
        const tokens = await ours.ask<readonly string[]>('tokens', CONNECTIONS);
        const speech = { ...OURS.speech(await ours.ask<Listening>('listening'), null), headers: (viewer: number) => [`sec-websocket-protocol: earshot.v1, bearer.${tokens[viewer] ?? ''}`] };
        const first = await comeAndGo(ours, speech);
        const others: number[] = [];
        for (const spoken of theirs) others.push(await comeAndGo(serverOf(spoken), spoken.speech(await serverOf(spoken).ask<Listening>('listening'), null)));
        const again = await comeAndGo(ours, speech);
        if (round === 0) continue;
        values.first.push(first);
        values.again.push(again);
        others.forEach((value, place) => values.theirs[place]?.push(value));
      }
    } finally {
      for (const server of servers.values()) await server.end();
    }
    const unit = 'ms CPU per connection';
    const beside = (what: string, ours: readonly number[]): Measured[] =>
      theirs.map((spoken, place) => ({ what, unit, ours, baseline: { name: spoken === NAIVE ? 'bare ws' : spoken.name, values: values.theirs[place] ?? [] }, ...(spoken === NAIVE ? { target: { of: 'this', bound: 'most', value: 0.25 } as const } : {}) }));
    return {
      bench: 'handshake',
      measured: [...beside('a token seen first', values.first), ...beside('a token that comes again', values.again)],
      notes: [
        `${CONNECTIONS} connections, each upgraded, let in, told so, and closed by its client; ours verifies an Ed25519 token of each one's own, looks at the rights, counts the user's connections, and writes its log lines. The others take whoever comes.`,
      ],
    };
  },
};
