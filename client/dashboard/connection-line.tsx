/** How the connection is, always in sight: so that a silent caller never looks like a broken pipe. */
import { computed, signal } from '@preact/signals';
import { connectionWords } from './connection-words.ts';
import { connection, delays, feed, notFound, stoppedBy } from './live.ts';
import { ended, person } from './session.ts';
import { tick } from './times.ts';

const online = signal(true);

/** Follows whether the device has a network. Once, when the page begins. */
export const followNetwork = (): void => {
  const look = (): void => {
    online.value = navigator.onLine;
  };
  addEventListener('online', look);
  addEventListener('offline', look);
  look();
};

const words = computed(() =>
  connectionWords({
    connection: connection.value,
    now: Math.max(tick.value, connection.value?.since ?? 0),
    serverNow: feed.value?.serverNow() ?? null,
    delay: delays.last,
    notFound: notFound.value,
    online: online.value,
    stoppedBy: stoppedBy.value,
    signInEnded: ended.value !== null,
  }),
);
/** Changes only where there is something worth saying: a time that ticks is not. */
const announced = computed(() => words.value.announced);
const banner = computed(() => words.value.banner);

export const ConnectionLine = () => {
  // An operator belongs to no tenant: there is nothing to be connected with.
  if (person.value?.tenant === null) return null;
  const { mood, line } = words.value;
  return (
    <>
      <p class={`connection ${mood}`} aria-hidden="true" title="How new what you see is. Confirmed: the server has checked that nothing is missing here. Behind: how long the last change took to get here.">
        {line}
      </p>
      <p class="visually-hidden" role="status">
        {announced.value}
      </p>
    </>
  );
};

/** Over the content, while what it shows may be old. */
export const ConnectionBanner = () => (banner.value === null ? null : <p class="banner">{banner.value}</p>);
