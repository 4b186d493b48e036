import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BOARD_ENDED_MS, BOARD_UPDATE_MS } from '../../core/protocol/limits.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { limited, startRelay, type RelayRig } from '../fixtures/relay.ts';

describe('the board of a relay', () => {
  let runtime: SeededRuntime;
  let rig: RelayRig;
  beforeEach(async () => {
    runtime = seededRuntime(3);
    rig = await startRelay({ runtime });
  });
  afterEach(async () => {
    await rig.close();
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += 250) {
      runtime.advance(Math.min(250, ms - step));
      await turn();
    }
  };
  const sids = (frame: Record<string, unknown>): string[] => (frame['rows'] as { call_sid: string }[]).map((row) => row.call_sid);

  it('begins with all rows, in parts of a hundred', async () => {
    for (let n = 0; n < 205; n++) rig.callLog.add(`EL_${n}`);
    rig.callLog.add('EL_theirs', { tenant: 't2' });
    const client = await rig.client();
    client.send({ watch: 'board', id: 'b' });
    const parts = [await client.next('board_snapshot'), await client.next('board_snapshot'), await client.next('board_snapshot')];
    expect(parts.map((part) => [sids(part).length, part['more'], part['id']])).toEqual([
      [100, true, 'b'],
      [100, true, 'b'],
      [5, false, 'b'],
    ]);
    expect(parts.flatMap(sids)).not.toContain('EL_theirs');
  });

  it('follows what is said, reading all changed calls together a quarter of a second later', async () => {
    for (const id of ['EL_1', 'EL_2']) rig.callLog.add(id);
    const client = await rig.client();
    client.send({ watch: 'board' });
    await client.next('board_snapshot');
    const before = rig.callLog.asked.findMany;
    for (const word of ['one', 'two', 'three']) await rig.say('EL_1', word);
    await rig.say('EL_2', 'hello');
    await turn();
    runtime.advance(BOARD_UPDATE_MS - 1);
    client.send({ ping: 1 });
    await client.next('pong');
    expect(client.frames.some((frame) => frame['type'] === 'board_update')).toBe(false);
    runtime.advance(1);
    const update = await client.next('board_update');
    expect(update).toMatchObject({ gone: [], rows: [{ call_sid: 'EL_1', last_seq: 3, last_line: 'three' }, { call_sid: 'EL_2', last_line: 'hello' }] });
    expect(rig.callLog.asked.findMany).toBe(before + 1);
  });

  it('takes its rows from the log, whatever a message says', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ watch: 'board' });
    await client.next('board_snapshot');
    await rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_forged', epoch: '1.x', first_seq: 1, texts: ['{"type":"transcription"}'], at: 0 });
    rig.callLog.add('EL_theirs', { tenant: 't2' });
    await rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_theirs', epoch: '1.x', first_seq: 1, texts: [], at: 0 });
    await pass(500);
    client.send({ ping: 1 });
    await client.next('pong');
    expect(client.texts.join('')).not.toMatch(/EL_forged|EL_theirs/);
  });

  it('finds at the comparison what no message told of', async () => {
    const client = await rig.client();
    client.send({ watch: 'board' });
    await client.next('board_snapshot');
    rig.callLog.add('EL_new');
    await pass(6_000);
    expect(sids(await client.next('board_update'))).toEqual(['EL_new']);
  });

  it('lets go of ended, erased and merged calls', async () => {
    for (const id of ['EL_ended', 'EL_erased', 'EL_merged', 'EL_owner']) rig.callLog.add(id);
    const client = await rig.client();
    client.send({ watch: 'board' });
    await client.next('board_snapshot');
    rig.callLog.change('EL_merged', { status: 'failed', merged_into: 'EL_owner' });
    rig.callLog.erase('EL_erased');
    for (const id of ['EL_merged', 'EL_erased']) await rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: id, epoch: '1.x', first_seq: 1, texts: [], at: 0 });
    await rig.publish('EL_ended', rig.callLog.finish('EL_ended'));
    await pass(500);
    const update = await client.next('board_update');
    expect([sids(update), (update['gone'] as string[]).toSorted()]).toEqual([['EL_ended'], ['EL_erased', 'EL_merged']]);
    for (let minute = 0; minute <= BOARD_ENDED_MS / 60_000; minute++) {
      await pass(60_000);
      client.send({ ping: minute });
      await client.next('pong');
    }
    expect(client.frames.filter((frame) => frame['type'] === 'board_update').at(-1)).toMatchObject({ rows: [], gone: ['EL_ended'] });
  });

  it('shows one filter at a time and stops when it is asked to', async () => {
    rig.callLog.add('EL_1', { agent_id: 'a1' });
    rig.callLog.add('EL_2', { agent_id: 'a2' });
    const client = await rig.client();
    client.send({ watch: 'board' });
    expect(sids(await client.next('board_snapshot')).toSorted()).toEqual(['EL_1', 'EL_2']);
    client.send({ watch: 'board', agent_id: 'a2' });
    expect(sids(await client.next('board_snapshot'))).toEqual(['EL_2']);
    await rig.say('EL_1', 'unseen');
    await rig.say('EL_2', 'seen');
    await pass(500);
    expect(sids(await client.next('board_update'))).toEqual(['EL_2']);
    client.send({ unwatch: 'board', id: 9 });
    expect(await client.next('board_unwatched')).toEqual({ type: 'board_unwatched', id: 9 });
    await rig.say('EL_2', 'unseen too');
    await pass(500);
    client.send({ ping: 1 });
    await client.next('pong');
    expect(client.frames.filter((frame) => frame['type'] === 'board_update')).toHaveLength(1);
  });

  it('is kept only while somebody watches it', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    const other = await rig.client({ user: 'bob' });
    for (const each of [client, other]) {
      each.send({ watch: 'board' });
      await each.next('board_snapshot');
    }
    expect(rig.callLog.asked.active).toBe(1);
    client.send({ unwatch: 'board' });
    await client.next('board_unwatched');
    other.close();
    await other.closed;
    client.send({ watch: 'board' });
    await client.next('board_snapshot');
    expect(rig.callLog.asked.active).toBe(2);
  });

  /** The first reading of all rows is answered only when it is let go, with the rows as they were when it was asked for. */
  const slowRows = (): { readonly asked: Promise<void>; letGo(): void } => {
    const { active } = rig.callLog;
    let letGo: () => void = () => undefined;
    let tell: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const asked = new Promise<void>((resolve) => (tell = resolve));
    rig.callLog.active = async (...query) => {
      rig.callLog.active = active;
      const rows = await active(...query);
      tell();
      await gate;
      return rows;
    };
    return { asked, letGo: () => letGo() };
  };

  it('is read anew for whoever comes when all who waited for its rows have left: nobody was told of changes meanwhile', async () => {
    rig.callLog.add('EL_1');
    const { asked, letGo } = slowRows();
    const first = await rig.client();
    first.send({ watch: 'board' });
    await limited(asked, 'the question for the rows');
    first.close();
    await expect.poll(() => rig.metrics.text()).toMatch(/^earshot_connections_closed_total\S* 1$/m);
    rig.callLog.say('EL_1', 'unheard');
    await pass(6_000);
    const second = await rig.client({ user: 'bob' });
    second.send({ watch: 'board' });
    await expect.poll(() => rig.lines.filter(({ message }) => message === 'Board watched').length).toBe(2);
    letGo();
    expect(await second.next('board_snapshot')).toMatchObject({ rows: [{ call_sid: 'EL_1', last_seq: 1 }] });
  });

  it.each([
    ['a message', () => rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.x', first_seq: 1, texts: [], at: 0 }), 500],
    ['the comparison', () => Promise.resolve(), 6_000],
  ] as const)('lets go of what left while its rows were read, as %s tells', async (_what, tell, ms) => {
    for (const id of ['EL_1', 'EL_2', 'EL_owner']) rig.callLog.add(id);
    const { asked, letGo } = slowRows();
    const client = await rig.client();
    client.send({ watch: 'board' });
    await limited(asked, 'the question for the rows');
    rig.callLog.change('EL_1', { status: 'failed', merged_into: 'EL_owner' });
    await tell();
    await pass(ms);
    letGo();
    await client.next('board_snapshot');
    await pass(500);
    expect(await client.next('board_update')).toMatchObject({ gone: ['EL_1'] });
  });

  it('says that the store does not answer, and works when asked again', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.broken = true;
    const client = await rig.client();
    client.send({ watch: 'board', id: 1 });
    expect(await client.next('error')).toMatchObject({ code: 'store_unavailable', ref: 1, id: 1 });
    rig.callLog.broken = false;
    client.send({ watch: 'board', id: 2 });
    expect(await client.next('board_snapshot')).toMatchObject({ rows: [{ call_sid: 'EL_1' }], id: 2 });
  });
});
