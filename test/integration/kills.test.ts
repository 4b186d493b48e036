import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LOCAL_TENANT } from '../../local/first-start.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { faultsOf, wholeCalls } from '../fixtures/log-checks.ts';
import { freePort } from '../../local/free-port.ts';
import { dataFolder, eventually, startProductProcess } from '../fixtures/processes.ts';
import { integrityOf, withLog } from '../fixtures/stored-data.ts';

const KILLS = 50;
const SENDERS = 6;
const TURNS = 4;

/** What senders were promised, and what they were not. */
interface Promises {
  /** Deliveries that were answered 200. */
  readonly kept: Set<string>;
  /** Requests that ended without an answer: done or not, nobody knows. */
  unknown: number;
  /** Answers other than 200. */
  readonly others: number[];
}

const words = (conversation: string, turn: number): string => `Turn ${turn} of ${conversation}.`;

/** Sends calls one after the other - turn by turn, then the outcome - and each delivery until it is answered 200, as ElevenLabs and our own tools do. */
const sender = async (url: string, name: string, promises: Promises, stopped: () => boolean): Promise<void> => {
  const deliver = async (delivery: string, path: string, body: string, headers: () => Record<string, string>): Promise<void> => {
    while (!stopped()) {
      try {
        const answer = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers() }, body, signal: AbortSignal.timeout(30_000) });
        await answer.arrayBuffer();
        if (answer.status === 200) {
          promises.kept.add(delivery);
          return;
        }
        promises.others.push(answer.status);
      } catch {
        promises.unknown++;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  };
  for (let number = 0; !stopped(); number++) {
    const conversation = `conv_${name}_${number}`;
    const turns = Array.from({ length: TURNS }, (_, turn) => turn);
    for (const turn of turns) {
      const body = JSON.stringify({ conversation_id: conversation, turn_id: `turn_${turn}`, speaker: turn % 2 === 0 ? 'agent' : 'driver', text: words(conversation, turn), time_in_call_secs: turn });
      await deliver(`${conversation}/turn_${turn}`, '/webhooks/elevenlabs/transcription', body, () => ({ authorization: 'Bearer ingest_local' }));
    }
    const data = {
      conversation_id: conversation,
      agent_id: 'agent_local',
      status: 'done',
      transcript: turns.map((turn) => ({ role: turn % 2 === 0 ? 'agent' : 'user', message: words(conversation, turn), time_in_call_secs: turn })),
      metadata: { call_duration_secs: TURNS },
      analysis: { call_successful: 'success', transcript_summary: `Of ${conversation}.` },
    };
    const body = JSON.stringify({ type: 'post_call_transcription', event_timestamp: 1_760_000_000, data });
    await deliver(`${conversation}/final`, '/webhooks/elevenlabs/post-call', body, () => ({ 'elevenlabs-signature': signatureHeader('wsec_local', Math.floor(Date.now() / 1000), body) }));
  }
};

// Fifty lives of two seconds, on a machine that has other things to do as well.
it(`everything that was answered 200 is in the log, once, after ${KILLS} SIGKILLs of the whole product under load`, { timeout: 400_000 }, async () => {
  const dataDir = await dataFolder();
  const port = await freePort();
  const start = (): ReturnType<typeof startProductProcess> => startProductProcess({ DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'error' });
  const promises: Promises = { kept: new Set(), unknown: 0, others: [] };
  let stopped = false;
  const stoppable = (): boolean => stopped;
  let child = await start();
  const senders = Array.from({ length: SENDERS }, (_, index) => sender(child.ready, `s${index}`, promises, stoppable));
  try {
    for (let kills = 0; kills < KILLS; kills++) {
      // Each life is as long as it takes for some deliveries to be answered: 1 to 40, so that the kill strikes at ever different places.
      const enough = promises.kept.size + 1 + ((kills * 17) % 40);
      await eventually('deliveries to be answered', () => promises.kept.size >= enough);
      expect(await child.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
      child = await start();
    }
    const enough = promises.kept.size + 20;
    await eventually('deliveries to be answered after the last kill', () => promises.kept.size >= enough);
  } finally {
    stopped = true;
    await Promise.all(senders);
  }
  expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });

  const calls = await withLog(dataDir, (log) => wholeCalls(log, LOCAL_TENANT));
  expect(calls.flatMap(faultsOf)).toEqual([]);
  const found = new Map<string, number>();
  const count = (delivery: string): void => void found.set(delivery, (found.get(delivery) ?? 0) + 1);
  for (const { events } of calls) {
    for (const event of events) {
      if (event.type === 'transcription') count(`${event.conversation_id ?? ''}/${event.turn_id}`);
      if (event.type === 'call_sealed') count(`${event.conversation_id ?? ''}/final`);
    }
  }
  expect([...promises.kept].filter((delivery) => found.get(delivery) !== 1)).toEqual([]);
  // Nor is there anything that nobody sent, or anything twice: what is found and was not promised was under way when a sender stopped.
  expect([...found].filter(([delivery, times]) => times !== 1 && !promises.kept.has(delivery))).toEqual([]);
  expect(found.size - promises.kept.size).toBeLessThanOrEqual(SENDERS);
  expect(new Set(calls.map(({ events }) => events[0]?.conversation_id)).size).toBe(calls.length);
  // A run in which no kill struck a request under way would prove nothing.
  expect(promises.unknown).toBeGreaterThan(KILLS);
  expect(promises.others).toEqual([]);
  for (const file of ['calls.db', 'directory.db', 'deliveries.db']) expect([file, integrityOf(join(dataDir, file))]).toEqual([file, 'ok']);
});
