/**
 * Eight hours of a dispatch room in minutes: calls begin, are followed by two viewers each, speak and end, while others watch the board.
 * Timers run as many times as fast, so that the relay meets each of its heartbeats, comparisons and sweeps. What its heap holds is taken
 * after a collection: with nobody there before and after, and each hour in between.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { entry, finalTurn, finished, turn } from '../fixtures/facts.ts';
import { fastRuntime } from './harness/fast-clock.ts';
import type { Bench } from './harness/figures.ts';
import { openLogFolder, type LogFolder } from './harness/log-folder.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';

const HOURS = 8;
const SPEED = 320;
const HOUR_MS = 3_600_000;
/** Calls at once, and viewers of each. */
const LINES = 60;
const VIEWERS = 2;
const BOARD_VIEWERS = 20;
const TURN_EVERY_MS = 5_000;
const TURNS = 36;
const WARM_UP_MS = HOUR_MS / 2;
const MIB = 2 ** 20;

interface Room {
  readonly folder: LogFolder;
  readonly url: string;
  readonly token: string;
  readonly pause: (ms: number) => Promise<void>;
  readonly seen: { calls: number; said: number; frames: number; proved: number };
  over: boolean;
}

/** A viewer: says what it wants once it is let in, counts what comes. */
const view = (room: Room, wanted: object): WebSocket => {
  const socket = new WebSocket(room.url, ['earshot.v1', `bearer.${room.token}`], { perMessageDeflate: false });
  socket.on('open', () => socket.send(JSON.stringify(wanted)));
  socket.on('message', (data: Buffer) => {
    room.seen.frames++;
    if (data.includes('"call_sealed"')) room.seen.proved++;
  });
  socket.on('error', () => undefined);
  return socket;
};

/** One line of the room: one call after another until the day is over. */
const line = async (room: Room, number: number): Promise<void> => {
  // Not all at once.
  await room.pause((number / LINES) * TURNS * TURN_EVERY_MS);
  while (!room.over) {
    const conversation = `conv_${number}_${++room.seen.calls}`;
    const { call_sid: callSid } = await room.folder.begin(conversation, [entry(turn('agent', 'This is dispatch. Can you talk?'), conversation)]);
    const viewers = Array.from({ length: VIEWERS }, () => view(room, { subscribe: callSid }));
    const words = [finalTurn('agent', 'This is dispatch. Can you talk?')];
    for (let said = 1; said < TURNS; said++) {
      await room.pause(TURN_EVERY_MS);
      const text = `Turn ${said} of a call about a missed inspection near mile ${said * 17}, which the driver explains at some length.`;
      words.push(finalTurn(said % 2 === 0 ? 'agent' : 'driver', text));
      await room.folder.append(callSid, [entry(turn(said % 2 === 0 ? 'agent' : 'driver', text), conversation)]);
      room.seen.said++;
    }
    await room.folder.append(callSid, [entry(finished({ transcript: words }), conversation)]);
    await room.pause(TURN_EVERY_MS);
    for (const viewer of viewers) viewer.close();
  }
};

/** Runs the room for so long, then sends everybody home and waits until the relay has seen them go. */
const shift = async (room: Room, hours: number, eachHour: () => Promise<void>): Promise<void> => {
  room.over = false;
  const boards = Array.from({ length: BOARD_VIEWERS }, () => view(room, { watch: 'board' }));
  const lines = Array.from({ length: LINES }, (_, number) => line(room, number));
  for (let left = hours; left > 0; left -= 1) {
    await room.pause(Math.min(1, left) * HOUR_MS);
    await eachHour();
  }
  room.over = true;
  await Promise.all(lines);
  for (const board of boards) board.close();
  // Longer than anything of a session or of the board outlives it.
  await room.pause(HOUR_MS / 2);
};

const heapMib = async (relay: BenchProcess): Promise<number> => (await relay.usage(true)).heapBytes / MIB;

export const soakBench: Bench = {
  name: 'soak',
  what: `${HOURS} hours of a dispatch room, ${SPEED} times as fast: what the relay's heap holds afterwards`,
  run: async (_rounds, say) => {
    const startedAt = Date.now();
    const runtime = fastRuntime(SPEED, startedAt);
    const folder = await openLogFolder(runtime);
    let relay: BenchProcess | null = null;
    try {
      relay = await startProcess('servers/relay-beside-log.ts', { env: { DATA_DIR: folder.dataDir, CLOCK_SPEED: String(SPEED), CLOCK_STARTED_AT: String(startedAt) } });
      const relayed = relay;
      // Tokens live an hour; who comes takes a fresh one.
      const room: Room = {
        folder,
        url: `ws://127.0.0.1:${await relay.ask<number>('listen', 0)}/ws`,
        token: await folder.token(),
        pause: (ms) => wait(ms / SPEED),
        seen: { calls: 0, said: 0, frames: 0, proved: 0 },
        over: false,
      };
      const fresh: Room = Object.defineProperty({ ...room }, 'token', { get: () => token });
      let token = room.token;
      const renewing = setInterval(() => void folder.token().then((next) => (token = next)), HOUR_MS / 4 / SPEED);
      try {
        say('warming up');
        await shift(fresh, WARM_UP_MS / HOUR_MS, async () => undefined);
        const before = await heapMib(relayed);
        const { calls: warmCalls, said: warmSaid } = fresh.seen;
        say(`empty room: ${before.toFixed(1)} MiB`);
        const hourly: number[] = [];
        await shift(fresh, HOURS, async () => {
          hourly.push(await heapMib(relayed));
          say(`hour ${hourly.length} of ${HOURS}: ${hourly.at(-1)?.toFixed(1)} MiB with ${fresh.seen.calls - warmCalls} calls so far`);
        });
        const after = await heapMib(relayed);
        const { calls, said, frames, proved } = fresh.seen;
        if (proved === 0 || frames < said) throw new Error(`the viewers were not fed: ${JSON.stringify(fresh.seen)}`);
        return {
          bench: 'soak',
          measured: [
            { what: 'heap of the empty relay after the day', unit: 'MiB', ours: [after], baseline: { name: 'before the day', values: [before] }, target: { of: 'ratio', bound: 'most', value: 1.05 } },
            { what: 'heap in the last hour', unit: 'MiB', ours: [hourly.at(-1) ?? NaN], baseline: { name: 'in the first hour', values: [hourly[0] ?? NaN] }, target: { of: 'ratio', bound: 'most', value: 1.1 } },
          ],
          notes: [
            `One day of ${HOURS} hours, whatever --rounds says: ${calls - warmCalls} calls, ${said - warmSaid} turns, ${frames} frames read by ${VIEWERS} viewers of each call and ${BOARD_VIEWERS} of the board, ${proved} seals seen.`,
            `Heap and external memory after two collections; a 5 % difference is what two collections of the same heap differ by. Hour by hour: ${hourly.map((mib) => mib.toFixed(1)).join(', ')} MiB.`,
          ],
        };
      } finally {
        clearInterval(renewing);
      }
    } finally {
      await relay?.end();
      await folder.close();
    }
  },
};
