/** The frame around every view: who is signed in, how the connection is, which view is open. */
import { Board } from './board.tsx';
import { CallPanel } from './call.tsx';
import { ConnectionLine } from './connection-line.tsx';
import { linkTo, route, VIEWS, type View } from './route.ts';
import { endedBecause, may, session, signOut } from './session.ts';
import { SignIn } from './sign-in.tsx';

const TITLES: Readonly<Record<View, string>> = { board: 'Live calls', history: 'History', figures: 'Figures', quarantine: 'Quarantine' };

export const App = () => {
  const who = session.value;
  if (who === null && endedBecause.value === null) return <SignIn />;
  const { view, call } = route.value;
  return (
    <div class={`app ${call === null ? '' : 'with-call'}`}>
      <a class="skip" href="#main">
        Skip to the calls
      </a>
      <header class="top">
        <a class="brand" href={linkTo({ view: 'board', call: null })}>
          Earshot
        </a>
        <nav aria-label="Views">
          {VIEWS.filter((name) => name !== 'quarantine' || may('quarantine.read')).map((name) => (
            <a key={name} href={linkTo({ view: name, call: null })} aria-current={name === view ? 'page' : undefined}>
              {TITLES[name]}
            </a>
          ))}
        </nav>
        <ConnectionLine />
        <span class="who">
          {who?.username} <button onClick={signOut}>Sign out</button>
        </span>
      </header>
      <main id="main" class="views">
        <section class="view" aria-label={TITLES[view]}>
          {view === 'board' ? <Board /> : null}
        </section>
        {call === null ? null : <CallPanel key={call} id={call} />}
      </main>
      {who === null ? <SignIn /> : null}
    </div>
  );
};
