/** Keeps a scrolled place at its newest words while one reads there, and leaves it alone while one reads further up. */
import { useSignal, type Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** This near to the end one reads along. */
const AT_END_PX = 48;

export interface StayAtEnd {
  /** What scrolls; it has one child, which grows. */
  readonly place: RefObject<HTMLDivElement | null>;
  /** There is something new that is not in sight. */
  readonly below: Signal<boolean>;
  toEnd(): void;
  onScroll(): void;
}

/**
 * @param grows another value when there may be more in it
 * @param follow whether new words are to be followed at all; where it becomes true, one is brought to the end
 */
export const useEnd = (grows: unknown, follow: boolean): StayAtEnd => {
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const wasAt = useRef(0);
  const below = useSignal(false);
  /** Notices whether one reads at the end. What came between our own scrolling and now puts the end further off; only going up is leaving it. */
  const look = (at: HTMLElement): void => {
    if (at.scrollHeight - at.scrollTop - at.clientHeight <= AT_END_PX) atEnd.current = true;
    else if (at.scrollTop < wasAt.current - 1) atEnd.current = false;
    wasAt.current = at.scrollTop;
    if (atEnd.current) below.value = false;
  };
  const keep = (at: HTMLElement): void => {
    // Somebody may have gone up in this very moment, and the event of it is still to come.
    look(at);
    if (!atEnd.current) return;
    at.scrollTop = at.scrollHeight;
    wasAt.current = at.scrollTop;
  };
  const toEnd = (): void => {
    atEnd.current = true;
    below.value = false;
    place.current?.scrollTo({ top: place.current.scrollHeight });
  };
  const onScroll = (): void => {
    if (place.current !== null) look(place.current);
  };
  useEffect(() => {
    const at = place.current;
    if (at === null || !follow) return;
    keep(at);
    if (!atEnd.current) below.value = true;
  }, [grows]);
  useEffect(() => {
    const at = place.current;
    const inside = at?.firstElementChild;
    if (at === null || inside === null || inside === undefined || !follow) return;
    // Lines get their true height only when they come into sight, and fonts and windows change.
    const watching = new ResizeObserver(() => keep(at));
    watching.observe(inside);
    watching.observe(at);
    return () => watching.disconnect();
  }, [follow]);
  return { place, below, toEnd, onScroll };
};
