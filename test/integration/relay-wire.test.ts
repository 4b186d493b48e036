import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { principalOf, startRelay, tokenOf, userOf, type ConnectOptions, type RelayRig } from '../fixtures/relay.ts';

describe('the wire of a relay', () => {
  let rig: RelayRig;
  beforeEach(async () => {
    rig = await startRelay();
  });
  afterEach(async () => {
    await rig.close();
  });
  const seqs = (frames: readonly Record<string, unknown>[], callSid = 'EL_1'): unknown[] =>
    frames.filter((frame) => frame['call_sid'] === callSid && frame['seq'] !== undefined).map((frame) => frame['seq']);

  it('greets first, then gives the history and what is said from then on, each once and exactly as logged', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    rig.callLog.say('EL_1', 'one', 'two');
    const client = await rig.client();
    client.send({ subscribe: 'conv_1', id: 7 });
    expect(await client.next('subscription_confirmed')).toEqual({
      type: 'subscription_confirmed',
      call_sid: 'EL_1',
      conversation_id: 'conv_1',
      status: 'in_progress',
      epoch: '1.EL_1',
      last_seq: 2,
      recovered: true,
      ref: 'conv_1',
      id: 7,
    });
    await client.next((frame) => frame['seq'] === 2);
    await rig.say('EL_1', 'three');
    await client.next((frame) => frame['seq'] === 3);
    expect(client.frames[0]).toMatchObject({ type: 'system_message', data: { event: 'connection_established', user: 'ann', tenant: 't1', protocol: 'earshot.v1' } });
    expect(client.texts.filter((text) => text.includes('"seq":'))).toEqual(rig.callLog.events('EL_1').map(({ text }) => text));
    expect(client.ws.protocol).toBe('earshot.v1');
  });

  it('beats at once after the greeting, so that freshness can be judged', async () => {
    const client = await rig.client();
    expect(await client.next('heartbeat')).toMatchObject({ heads: {} });
    expect(client.frames.map((frame) => frame['type'])).toEqual(['system_message', 'heartbeat']);
  });

  it('brings every type that older clients know, status before data', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    await rig.say('EL_1', 'Hey John, this is dispatch calling');
    await rig.publish('EL_1', rig.callLog.finish('EL_1'));
    await client.next('call_sealed');
    client.send({ unsubscribe: 'conv_1', id: 'u' });
    expect(await client.next('unsubscribe_confirmed')).toEqual({ type: 'unsubscribe_confirmed', call_sid: 'EL_1', conversation_id: 'conv_1', id: 'u' });
    client.send({ subscribe: 'EL_unknown' });
    expect(await client.next('error')).toEqual({ type: 'error', code: 'call_not_found', message: 'There is no such call.', retryable: false, ref: 'EL_unknown' });
    expect(client.frames.map((frame) => frame['type']).slice(2)).toEqual([
      'subscription_confirmed',
      'transcription',
      'call_status',
      'call_completed',
      'call_sealed',
      'unsubscribe_confirmed',
      'error',
    ]);
  });

  it('gives several viewers the same, and nothing more to one who unsubscribed', async () => {
    rig.callLog.add('EL_1');
    const [one, two] = await Promise.all([rig.client(), rig.client({ user: 'bob' })]);
    for (const client of [one, two]) client.send({ subscribe: 'EL_1' });
    await Promise.all([one.next('subscription_confirmed'), two.next('subscription_confirmed')]);
    await rig.say('EL_1', 'first');
    await Promise.all([one.next('transcription'), two.next('transcription')]);
    one.send({ unsubscribe: 'EL_1' });
    await one.next('unsubscribe_confirmed');
    await rig.say('EL_1', 'second');
    await two.next((frame) => frame['seq'] === 2);
    one.send({ ping: 'fence' });
    await one.next('pong');
    expect([seqs(one.frames), seqs(two.frames)]).toEqual([[1], [1, 2]]);
  });

  const ways: [string, () => ConnectOptions, string][] = [
    ['as subprotocols', () => ({ protocols: ['earshot.v1', `bearer.${tokenOf('ann')}`] }), 'earshot.v1'],
    ['as a bare JWT, which is echoed', () => ({ protocols: [tokenOf('ann')] }), tokenOf('ann')],
    ['in the query', () => ({ protocols: [], path: `/ws/calls/transcriptions?token=${tokenOf('ann')}` }), ''],
    ['at the short path', () => ({ protocols: [], path: `/websocket?token=${tokenOf('ann')}` }), ''],
  ];
  it.each(ways)('takes the token %s', async (_way, options, protocol) => {
    const client = await rig.client(options());
    expect(await client.next('system_message')).toMatchObject({ data: { event: 'connection_established', user: 'ann' } });
    expect(client.ws.protocol).toBe(protocol);
  });

  it('takes the token as the first message, and messages sent with it without waiting', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client({ protocols: ['earshot.v1'] });
    client.send({ auth: tokenOf('ann') });
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    expect(client.frames[0]).toMatchObject({ data: { event: 'connection_established' } });
  });

  it('lets subscriptions wait that arrive while the token is being checked', async () => {
    rig.callLog.add('EL_1');
    let verify = (): void => undefined;
    rig.identity.gate = new Promise((resolve) => (verify = resolve));
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    client.send({ ping: 1 });
    verify();
    await client.next('pong');
    expect(client.frames.map((frame) => frame['type'])).toEqual(['system_message', 'heartbeat', 'subscription_confirmed', 'pong']);
  });

  it('takes a ticket once, and the session ends with the token that bought it', async () => {
    const hash = createHash('sha256').update('tick').digest('hex');
    const principal = JSON.stringify(principalOf(userOf('ann'), 3_999_999_999));
    rig.tickets.set(hash, { hash, principal, expires_at: Date.now() + 30_000 });
    const client = await rig.client({ protocols: [], path: '/ws?ticket=tick' });
    expect(await client.next('system_message')).toMatchObject({ data: { event: 'connection_established', user: 'ann' } });
    const second = await rig.client({ protocols: [], path: '/ws?ticket=tick' });
    expect(await second.next('error')).toMatchObject({ code: 'ticket_invalid' });
    expect((await second.closed).code).toBe(4502);
  });

  const refused: [string, () => ConnectOptions, string, number][] = [
    ['a token that does not verify', () => ({ protocols: ['earshot.v1', 'bearer.bad'] }), 'token_invalid', 4502],
    ['a bare JWT that does not verify', () => ({ protocols: ['bad.token.here'] }), 'token_invalid', 4502],
    ['a token that has ended', () => ({ protocols: ['earshot.v1', `bearer.${tokenOf('ann', 1_000)}`] }), 'token_expired', 4503],
    ['a token longer than any of ours', () => ({ protocols: [], path: `/ws?token=${'x'.repeat(9_000)}` }), 'token_invalid', 4502],
    ['a role that may not watch', () => ({ protocols: ['earshot.v1', `bearer.${tokenOf('op')}`] }), 'forbidden', 4504],
  ];
  it.each(refused)('completes the upgrade, sends one error and closes on %s', async (_what, options, code, closeCode) => {
    const client = await rig.client(options());
    expect((await client.closed).code).toBe(closeCode);
    expect(client.frames).toMatchObject([{ type: 'error', code }]);
  });

  it('does not open for a user whose rights were taken away, be the token good or not', async () => {
    rig.users.set('ann', userOf('ann', { disabled: true }));
    const client = await rig.client();
    expect((await client.closed).code).toBe(4504);
    expect(client.frames).toMatchObject([{ type: 'error', code: 'access_revoked' }]);
  });

  it('confirms a hundred subscriptions at once, in one message or in a hundred, with one look at the log for those that wait', async () => {
    const ids = Array.from({ length: 100 }, (_, place) => `EL_${place}`);
    for (const id of ids) {
      rig.callLog.add(id);
      rig.callLog.say(id, 'hello');
    }
    const [array, single] = await Promise.all([rig.client(), rig.client()]);
    array.send({ subscribe: ids });
    for (const id of ids) single.send({ subscribe: id });
    for (const client of [array, single]) {
      for (const id of ids) await client.next((frame) => frame['type'] === 'subscription_confirmed' && frame['call_sid'] === id);
      while (client.frames.filter((frame) => frame['type'] === 'transcription').length < 100) await client.next('transcription');
      expect(client.frames.filter((frame) => frame['type'] === 'subscription_confirmed')).toHaveLength(100);
    }
    expect(rig.callLog.asked.findMany).toBeLessThanOrEqual(101);
  });

  it.each([
    ['another epoch', { epoch: '0.old', seq: 1 }, 'epoch_changed'],
    ['past the log', { epoch: '1.EL_1', seq: 9 }, 'ahead_of_log'],
    ['no position at all', { epoch: '1.EL_1', seq: -1 }, 'invalid_position'],
  ])('starts over from 1, saying why, for a position of %s', async (_what, since, reason) => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one', 'two');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1', since });
    expect(await client.next('subscription_confirmed')).toMatchObject({ recovered: false, reason });
    await client.next((frame) => frame['seq'] === 2);
    expect(seqs(client.frames)).toEqual([1, 2]);
  });

  it('judges a position past what it has heard against a fresh look at the log', async () => {
    rig.callLog.add('EL_1');
    const watching = await rig.client();
    watching.send({ subscribe: 'EL_1' });
    await watching.next('subscription_confirmed');
    rig.callLog.say('EL_1', 'one', 'two', 'nobody was told of these');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 2 } });
    expect(await client.next('subscription_confirmed')).toMatchObject({ recovered: true, last_seq: 3 });
    await client.next((frame) => frame['seq'] === 3);
    await watching.next((frame) => frame['seq'] === 3);
    expect([seqs(client.frames), seqs(watching.frames)]).toEqual([[3], [1, 2, 3]]);
  });

  it('sends nothing of the old feed after the new confirmation', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    rig.callLog.say('EL_1', ...Array.from({ length: 50 }, (_, place) => `word ${place}`));
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    client.send({ subscribe: 'conv_1', since: { epoch: '1.EL_1', seq: 48 } });
    await client.next('subscription_confirmed');
    await client.next('subscription_confirmed');
    await rig.say('EL_1', 'last');
    await client.next((frame) => frame['seq'] === 51);
    const second = client.frames.map((frame) => frame['type']).lastIndexOf('subscription_confirmed');
    expect(seqs(client.frames.slice(second))).toEqual([49, 50, 51]);
  });

  it('fills what the bus lost, doubled and reordered', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    const events = rig.callLog.say('EL_1', 'a', 'b', 'c', 'd', 'e', 'f');
    for (const place of [5, 1, 1, 3]) await rig.publish('EL_1', events.slice(place, place + 1));
    await client.next((frame) => frame['seq'] === 6);
    expect(seqs(client.frames)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('takes nothing from a message that is not what it says, and looks at the log instead', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    const head = { kind: 'events' as const, tenant: 't1', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 1, at: 0 };
    await rig.bus.publish({ ...head, texts: ['not json'] });
    await rig.bus.publish({ ...head, texts: ['{"type":"transcription","call_sid":"EL_2","seq":1}'] });
    await rig.bus.publish({ ...head, epoch: 'forged', texts: ['{"type":"transcription","call_sid":"EL_1","seq":1}'] });
    rig.callLog.say('EL_1', 'true');
    await rig.bus.publish({ ...head, texts: [] });
    expect(await client.next('transcription')).toMatchObject({ text: 'true', seq: 1 });
    expect(seqs(client.frames)).toEqual([1]);
  });

  it('takes nothing from a message that names another tenant than the call\'s', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    const forged = JSON.stringify({ type: 'transcription', call_sid: 'EL_1', seq: 1, turn_id: 'x', text: 'forged' });
    await rig.bus.publish({ kind: 'events', tenant: 't2', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 1, texts: [forged], at: 0 });
    await rig.say('EL_1', 'true');
    expect(await client.next('transcription')).toMatchObject({ text: 'true', seq: 1 });
    expect(client.texts.join('')).not.toContain('forged');
  });

  const interimText = { type: 'transcription', call_sid: 'EL_1', state: 'interim', turn_id: 'turn-9', rev: 1, text: 'poison' };
  const poison: [string, string, string][] = [
    ['is not JSON', 't1', 'poison'],
    ['is an event of the log', 't1', JSON.stringify({ ...interimText, seq: 1 })],
    ['is of another call', 't1', JSON.stringify({ ...interimText, call_sid: 'EL_2' })],
    ['is of another turn', 't1', JSON.stringify({ ...interimText, turn_id: 'turn-8' })],
    ['is final', 't1', JSON.stringify({ ...interimText, state: 'final' })],
    ['is a control frame', 't1', JSON.stringify({ ...interimText, type: 'subscription_confirmed', epoch: 'x' })],
    ['comes from another tenant', 't2', JSON.stringify(interimText)],
  ];
  it.each(poison)('shows no interim turn whose text %s', async (_what, tenant, text) => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    await rig.bus.publish({ kind: 'interim', tenant, call_sid: 'EL_1', turn_id: 'turn-9', text, at: Date.now() });
    client.send({ ping: 'fence' });
    await client.next('pong');
    expect(client.texts.join('')).not.toContain('poison');
  });

  it('holds no call that nobody watches: what is said of it costs no read', async () => {
    for (const id of ['EL_1', 'EL_2']) rig.callLog.add(id);
    const client = await rig.client();
    const leaving = await rig.client({ user: 'bob' });
    client.send({ subscribe: ['EL_1', 'EL_2'] });
    leaving.send({ subscribe: 'EL_1' });
    await client.next((frame) => frame['call_sid'] === 'EL_2');
    await leaving.next('subscription_confirmed');
    leaving.close();
    await leaving.closed;
    client.send({ unsubscribe: 'EL_1' });
    await client.next('unsubscribe_confirmed');
    const [, behindGap] = rig.callLog.say('EL_1', 'one', 'two');
    const before = rig.callLog.asked.read;
    if (behindGap !== undefined) await rig.publish('EL_1', [behindGap]);
    client.send({ ping: 'fence' });
    await client.next('pong');
    expect(rig.callLog.asked.read).toBe(before);
  });

  it('remembers the last word of the bus on a bounded number of calls', async () => {
    rig.callLog.add('EL_1');
    const told = (call_sid: string): Promise<void> => rig.bus.publish({ kind: 'events', tenant: 't1', call_sid, epoch: '1.EL_1', first_seq: 7, texts: ['x'], at: 0 });
    const client = await rig.client();
    await told('EL_1');
    client.send({ subscribe: 'EL_1' });
    expect(await client.next('subscription_confirmed')).toMatchObject({ last_seq: 7 });
    client.send({ unsubscribe: 'EL_1' });
    await told('EL_1');
    for (let other = 0; other < 5_000; other++) await told(`EL_other_${other}`);
    client.send({ subscribe: 'EL_1' });
    expect(await client.next('subscription_confirmed')).toMatchObject({ last_seq: 0 });
  });

  it('says once that history is lost, exactly where it is', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', ...Array.from({ length: 10 }, (_, place) => `word ${place}`));
    rig.callLog.lose('EL_1', 4, 6);
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next((frame) => frame['seq'] === 10);
    expect(client.frames.filter((frame) => frame['type'] === 'history_lost')).toEqual([
      { type: 'history_lost', call_sid: 'EL_1', conversation_id: null, epoch: '1.EL_1', from_seq: 4, to_seq: 6 },
    ]);
    expect(seqs(client.frames)).toEqual([1, 2, 3, 7, 8, 9, 10]);
  });

  it('starts a watched call over when its log began anew', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one', 'two');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next((frame) => frame['seq'] === 2);
    rig.callLog.restore('EL_1', '2.new', 1);
    await rig.say('EL_1', 'after the restore');
    expect(await client.next('subscription_confirmed')).toMatchObject({ epoch: '2.new', recovered: false, reason: 'epoch_changed' });
    await client.next((frame) => frame['text'] === 'after the restore');
    expect(seqs(client.frames)).toEqual([1, 2, 1, 2]);
  });

  it('gives a session on a merged call its last batch, and afterwards the owner under either id', async () => {
    rig.callLog.add('EL_owner', { conversation_id: 'conv_1' });
    rig.callLog.say('EL_owner', 'owned');
    rig.callLog.add('EL_dialled', { status: 'dialing' });
    const client = await rig.client();
    client.send({ subscribe: 'EL_dialled' });
    await client.next('subscription_confirmed');
    const merged = rig.callLog.append('EL_dialled', 'call_status', { status: 'failed', previous: 'dialing', merged_into: 'EL_owner' }, { status: 'failed', merged_into: 'EL_owner' });
    await rig.publish('EL_dialled', [merged]);
    expect(await client.next('call_status')).toMatchObject({ call_sid: 'EL_dialled', merged_into: 'EL_owner' });
    for (const id of ['EL_dialled', 'conv_1']) {
      client.send({ subscribe: id, since: { epoch: '1.EL_dialled', seq: 1 } });
      expect(await client.next('subscription_confirmed')).toMatchObject({ call_sid: 'EL_owner', epoch: '1.EL_owner', recovered: false, ref: id });
      expect(await client.next('transcription')).toMatchObject({ call_sid: 'EL_owner', text: 'owned' });
    }
  });

  it('ends the subscription of a call that was erased', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    rig.callLog.erase('EL_1');
    await rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 1, texts: [], at: 0 });
    expect(await client.next('error')).toMatchObject({ code: 'call_not_found', ref: 'EL_1' });
    client.send({ unsubscribe: 'EL_1' });
    expect(await client.next('error')).toMatchObject({ code: 'not_subscribed' });
  });

  it('gives what is heard in one turn of the event loop in its order: events before the interim turn that followed them, to whoever is there by then', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.add('EL_2');
    const [first, second] = [await rig.client(), await rig.client({ user: 'bob' })];
    for (const client of [first, second]) {
      client.send({ subscribe: ['EL_1', 'EL_2'] });
      for (const callSid of ['EL_1', 'EL_2']) await client.next((frame) => frame['type'] === 'subscription_confirmed' && frame['call_sid'] === callSid);
    }
    const events = rig.callLog.say('EL_1', 'one', 'two', 'three');
    const others = rig.callLog.say('EL_2', 'uno');
    const interim = { type: 'transcription', call_sid: 'EL_1', conversation_id: null, state: 'interim', turn_id: 'turn-3', rev: 1, index: 3, speaker: 'driver', text: 'fo', time_in_call_secs: null };
    await Promise.all([
      ...events.map((event) => rig.publish('EL_1', [event])),
      rig.bus.publish({ kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'turn-3', text: JSON.stringify(interim), at: Date.now() }),
      rig.publish('EL_2', others),
    ]);
    for (const client of [first, second]) {
      await client.next((frame) => frame['state'] === 'interim');
      client.send({ ping: 'end' });
      await client.next('pong');
      const spoken = client.frames.filter((frame) => frame['type'] === 'transcription');
      expect(spoken.filter((frame) => frame['call_sid'] === 'EL_1').map((frame) => frame['seq'] ?? frame['text'])).toEqual([1, 2, 3, 'fo']);
      expect(seqs(client.frames, 'EL_2')).toEqual([1]);
    }
    expect(await rig.metrics.text()).toContain('earshot_deliveries_total 8');
  });

  it('brings interim turns to those who have all that was logged, until the turn is', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    const interim = (turn: string, text: string): Promise<void> =>
      rig.bus.publish({
        kind: 'interim',
        tenant: 't1',
        call_sid: 'EL_1',
        turn_id: turn,
        text: JSON.stringify({ type: 'transcription', call_sid: 'EL_1', state: 'interim', turn_id: turn, rev: 1, text }),
        at: Date.now(),
      });
    await interim('turn-0', 'Hey J');
    expect(await client.next('transcription')).toMatchObject({ state: 'interim', text: 'Hey J' });
    await rig.say('EL_1', 'Hey John');
    await interim('turn-0', 'too late');
    await interim('turn-1', 'Ye');
    await client.next((frame) => frame['text'] === 'Ye');
    expect(client.frames.map((frame) => frame['text']).filter((text) => text !== undefined)).toEqual(['Hey J', 'Hey John', 'Ye']);
  });

  it('shows no interim turn to a viewer who still lacks what was logged before it', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'logged before');
    const there = await rig.client();
    there.send({ subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 1 } });
    await there.next('subscription_confirmed');
    const behind = await rig.client({ user: 'bob' });
    // The look-up finds the call; the page of its history is not answered yet.
    let answer = (): void => undefined;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    const { read } = rig.callLog;
    rig.callLog.read = (...asked) => gate.then(() => read(...asked));
    behind.send({ subscribe: 'EL_1' });
    await behind.next('subscription_confirmed');
    const text = JSON.stringify({ type: 'transcription', call_sid: 'EL_1', state: 'interim', turn_id: 'turn-1', rev: 1, text: 'being said' });
    await rig.bus.publish({ kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'turn-1', text, at: Date.now() });
    await there.next((frame) => frame['text'] === 'being said');
    answer();
    await behind.next((frame) => frame['seq'] === 1);
    expect(behind.texts.join('')).not.toContain('being said');
  });

  it('shows nothing of another tenant: not by name, not on the board, not by a message', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    const eve = await rig.client({ user: 'eve' });
    eve.send({ subscribe: ['EL_1', 'conv_1', 'absent'] });
    const errors = [await eve.next('error'), await eve.next('error'), await eve.next('error')];
    expect(errors.map((error) => error['code'])).toEqual(['call_not_found', 'call_not_found', 'call_not_found']);
    eve.send({ watch: 'board' });
    expect(await eve.next('board_snapshot')).toMatchObject({ rows: [], more: false });
    await rig.bus.publish({ kind: 'events', tenant: 't2', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 1, texts: rig.callLog.say('EL_1', 'secret').map(({ text }) => text), at: 0 });
    eve.send({ ping: 'fence' });
    await eve.next('pong');
    expect(eve.texts.join('')).not.toContain('secret');
  });

  it('logs the lines that operators count, who watched what, and no token and no words', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'canary words');
    const client = await rig.client({ protocols: [], path: `/ws?token=${tokenOf('ann')}` });
    client.send({ subscribe: 'EL_1' });
    await client.next('transcription');
    expect(rig.lines.map(({ message }) => message)).toEqual([
      'Relay ready',
      'WebSocket connection attempt',
      'JWT validation successful',
      'WebSocket connection established',
      'Call watched',
    ]);
    expect(rig.lines[4]?.fields).toMatchObject({ user: 'ann', call_sid: 'EL_1' });
    expect(JSON.stringify(rig.lines)).not.toMatch(/canary|good\.ann|token=/);
  });

  it('names the trace of the request in the lines that tell of a connection, where it has one', async () => {
    const traced = (message: string): unknown[] => rig.lines.filter((line) => line.message === message).map(({ fields }) => fields['trace_id']);
    const [one, two] = ['1', '2'].map((digit) => digit.repeat(32));
    for (const traceparent of [`00-${one ?? ''}-b7ad6b7169203331-01`, `00-${two ?? ''}-b7ad6b7169203331-00`, 'broken']) {
      const client = await rig.client({ socket: { headers: { traceparent } } });
      await client.next('heartbeat');
    }
    expect(traced('WebSocket connection attempt')).toEqual([one, two, undefined]);
    expect(traced('WebSocket connection established')).toEqual([one, two, undefined]);
  });
});
