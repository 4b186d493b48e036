/** Follows one call for as long as it is open on the page: what it has become, painted at most a few times a second. */
import { signal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { EventFrame } from '../index.ts';
import { CallView, type CallUpdate } from '../view.ts';
import { feed } from './live.ts';

/**
 * A call as it is painted. Another object at each paint, while its view is one that changes in itself: components that read signals are
 * painted only where what they were given is another object, so they are given this.
 */
export interface Followed {
  readonly view: CallView;
  /** What the view is made of, in order: the list of now, which grows. */
  readonly events: readonly EventFrame[];
}

export interface Following {
  /** Another object after each paint; null: nothing came yet. */
  readonly followed: ReadonlySignal<Followed | null>;
  /** Whether the past is still coming in. */
  readonly opening: ReadonlySignal<boolean>;
  /** Loads the call again from its first event. What is shown stays until the new one is as far. */
  again(): void;
}

/** Spoken words come a few a second: this is soon enough. */
const PAINT_AFTER_MS = 30;
/** A past of thousands of events is painted a few times, not thousands of times. */
const PAINT_PAST_AFTER_MS = 150;
/** A call that was shown before is shown as it was for no longer than this, though the new one is not as far. */
const SWAP_MAX_MS = 5_000;
const EXPIRE_EVERY_MS = 1_000;

/** @param id call_sid or conversation_id; a component that is kept for another id follows that from its beginning */
export const useCall = (id: string): Following => {
  const following = useMemo(() => {
    const followed = signal<Followed | null>(null);
    const opening = signal(true);
    const rounds = signal(0);
    return { followed, opening, rounds, again: (): void => { rounds.value++; } };
  }, [id]);
  const source = feed.value;
  const round = following.rounds.value;
  useEffect(() => {
    if (source === null) return;
    const { followed, opening } = following;
    const before = followed.peek()?.view;
    const began = performance.now();
    const view = new CallView();
    const events: EventFrame[] = [];
    let painting: ReturnType<typeof setTimeout> | undefined;
    const isPast = (): boolean => source.state === 'catching_up' || source.state === 'connecting';
    const paint = (): void => {
      painting = undefined;
      opening.value = isPast();
      // What may be said of a call is what has come of it.
      if (view.callSid === null && view.refused === null && events.length === 0) return;
      const isBehind = before !== undefined && view.refused === null && view.lastSeq < before.lastSeq && performance.now() - began < SWAP_MAX_MS;
      if (isBehind) soon();
      else followed.value = { view, events };
    };
    const soon = (): void => {
      painting ??= setTimeout(paint, isPast() ? PAINT_PAST_AFTER_MS : PAINT_AFTER_MS);
    };
    const told = (update: CallUpdate): void => {
      if (update.kind === 'event') events.push(update.event);
      if (update.kind === 'reset') events.length = 0;
      view.apply(update, performance.now());
      soon();
    };
    const follower = source.call(id, told);
    const state = source.onConnection(soon);
    const expiring = setInterval(() => {
      if (view.expire(performance.now())) soon();
    }, EXPIRE_EVERY_MS);
    return () => {
      follower.close();
      state.close();
      clearInterval(expiring);
      clearTimeout(painting);
    };
  }, [source, id, round]);
  return following;
};
