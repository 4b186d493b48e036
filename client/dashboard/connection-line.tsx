/** How the connection is, always in sight: so that a silent caller never looks like a broken pipe. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Connection } from '../index.ts';
import { connection } from './live.ts';

/** What a dispatcher reads. @param now `performance.now()` */
export const connectionText = (is: Connection | null, now: number): string => {
  if (is === null) return 'Connecting ...';
  const seconds = Math.max(0, Math.round((now - is.since) / 1000));
  const retry = is.retryAt === null ? 'trying now' : `next try in ${Math.max(0, Math.ceil((is.retryAt - now) / 1000))} s`;
  switch (is.state) {
    case 'connecting':
      return 'Connecting ...';
    case 'live':
      return is.via === 'poll' ? 'Live by polling' : 'Live';
    case 'catching_up':
      return 'Catching up ...';
    case 'unverified':
      return `Not confirmed for ${seconds} s`;
    case 'lost':
      return `Connection lost ${seconds} s ago, ${retry}`;
    case 'restored':
      return 'Connection restored, nothing is missing';
    case 'stopped':
      return 'Stopped';
  }
};

export const ConnectionLine = () => {
  const now = useSignal(performance.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = performance.now()), 1000);
    return () => clearInterval(timer);
  }, [now]);
  const is = connection.value;
  return (
    <p class={`connection ${is?.state ?? 'connecting'}`} role="status">
      {connectionText(is, now.value)}
    </p>
  );
};
