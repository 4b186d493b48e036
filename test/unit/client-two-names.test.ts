import { describe, expect, it } from 'vitest';
import type { ClientEffect, ClientInput } from '../../core/domain/client/effects.ts';
import { newClientMachine } from '../../core/domain/client/machine.ts';

const EPOCH = '1.a';

/** A client, and what a relay would do for it: one subscription to a call, whatever number of names it goes by, the last one asked counting. */
class TwoNames {
  readonly machine = newClientMachine({ random: () => 0.5, sha256: null, canPoll: true });
  readonly shown = new Map<string, number[]>();
  readonly known = new Set<string>();
  polls: { readonly calls: readonly { readonly id: string; readonly seq: number | null }[] }[] = [];
  #link = 0;
  #cursor: number | null = null;
  readonly #head: number;
  readonly #sent: string[] = [];

  constructor(head: number) {
    this.#head = head;
  }

  do(...input: ClientInput): void {
    for (const effect of this.machine.input(0, ...input)) this.#act(effect);
    for (let text = this.#sent.shift(); text !== undefined; text = this.#sent.shift()) this.#answer(text);
  }

  connect(): void {
    this.do('token', 'link', 't');
    this.#cursor = null;
    this.#frame({ type: 'system_message', data: { event: 'connection_established', connection_id: `ws_${this.#link}` } });
  }

  cut(): void {
    this.do('closed', this.#link, 1006);
    this.do('timer', 'retry');
  }

  polled(frames: readonly object[]): void {
    this.do('polled', 200, frames, undefined);
  }

  /** What the relay feeds from where its one subscription stands. */
  feed(): void {
    for (let seq = (this.#cursor ?? this.#head) + 1; seq <= this.#head; seq++) this.#frame({ type: 'transcription', call_sid: 'EL_1', seq });
    if (this.#cursor !== null) this.#cursor = this.#head;
  }

  confirmation(ref: string): object {
    return { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: 'conv_1', status: 'in_progress', epoch: EPOCH, last_seq: this.#head, recovered: true, ref };
  }

  #frame(frame: object): void {
    this.do('frame', this.#link, JSON.stringify(frame));
  }

  #act(effect: ClientEffect): void {
    if (effect[0] === 'open') this.#link = effect[1];
    else if (effect[0] === 'send') this.#sent.push(effect[2]);
    else if (effect[0] === 'poll') this.polls.push(effect[2] as never);
    else if (effect[0] === 'call' && effect[2].kind === 'event') this.shown.set(effect[1], [...(this.shown.get(effect[1]) ?? []), effect[2].event.seq]);
  }

  #answer(text: string): void {
    const { subscribe } = JSON.parse(text) as { subscribe?: readonly { readonly id: string; readonly since?: { readonly seq: number } }[] };
    const frames = (subscribe ?? []).map(({ id, since }) => {
      if (!this.known.has(id)) return { type: 'error', code: 'call_not_found', ref: id, retryable: false };
      this.#cursor = since?.seq ?? 0;
      return this.confirmation(id);
    });
    for (const frame of frames) this.#frame(frame);
  }
}

describe('a call that is followed by two names', () => {
  it('is shown whole under both after a reconnect, though one of them was refused before', () => {
    const rig = new TwoNames(5);
    rig.known.add('EL_1');
    rig.do('start');
    rig.connect();
    rig.do('follow', 'conv_1');
    rig.do('follow', 'EL_1');
    rig.feed();
    expect(rig.shown.get('EL_1')).toEqual([1, 2, 3, 4, 5]);
    expect(rig.shown.get('conv_1')).toBeUndefined();
    rig.known.add('conv_1');
    rig.cut();
    rig.connect();
    rig.feed();
    expect(rig.shown.get('conv_1')).toEqual([1, 2, 3, 4, 5]);
    expect(rig.shown.get('EL_1')).toEqual([1, 2, 3, 4, 5]);
  });

  it('is polled for from where the name that has least is, under both', () => {
    const rig = new TwoNames(5);
    rig.do('start');
    rig.do('follow', 'EL_1');
    for (let failures = 0; failures < 3; failures++) {
      rig.do('token', 'link', null);
      rig.do('timer', 'retry');
    }
    rig.do('token', 'poll', 't');
    rig.polled([rig.confirmation('EL_1'), ...[1, 2, 3].map((seq) => ({ type: 'transcription', call_sid: 'EL_1', seq }))]);
    rig.do('follow', 'conv_1');
    rig.do('timer', 'poll');
    rig.do('token', 'poll', 't');
    rig.polled([rig.confirmation('conv_1'), rig.confirmation('EL_1')]);
    rig.do('timer', 'poll');
    rig.do('token', 'poll', 't');
    expect(rig.polls.at(-1)?.calls.map(({ id, seq }) => [id, seq])).toEqual([['EL_1', 0], ['conv_1', 0]]);
    rig.polled([1, 2, 3, 4].map((seq) => ({ type: 'transcription', call_sid: 'EL_1', seq })));
    expect(rig.shown.get('conv_1')).toEqual([1, 2, 3, 4]);
    expect(rig.shown.get('EL_1')).toEqual([1, 2, 3, 4]);
  });
});
