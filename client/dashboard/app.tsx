/** The frame around every view: who is signed in, how the connection is, which view is open. */
import type { VNode } from 'preact';
import { Board } from './board.tsx';
import { CallPanel } from './call.tsx';
import { ConnectionBanner, ConnectionLine } from './connection-line.tsx';
import { FaultFence } from './fault.tsx';
import { Figures } from './figures.tsx';
import { History } from './history.tsx';
import { Quarantine } from './quarantine.tsx';
import { linkTo, route, VIEWS, type View } from './route.ts';
import { ended, may, person, signOut } from './session.ts';
import { SignInAgain, SignInPage } from './sign-in.tsx';
import { StartCallButton } from './start-call.tsx';
import { chooseTheme, theme, THEMES, type Theme } from './theme.ts';

const TITLES: Readonly<Record<View, string>> = { board: 'Live calls', history: 'History', figures: 'Figures', quarantine: 'Quarantine' };
const THEME_TITLES: Readonly<Record<Theme, string>> = { system: 'Auto', light: 'Light', dark: 'Dark' };

export const App = () => {
  const who = person.value;
  if (who === null) return <SignInPage />;
  const { view, call } = route.value;
  return (
    <>
      <div class={`app ${call === null ? '' : 'with-call'}`}>
        <a class="skip" href="#main" onClick={skip}>
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
          <StartCallButton />
          <span class="who">
            <span class="name one-line" title={`Signed in as ${who.username}`}>
              {who.username}
            </span>
            <ThemeSwitch />
            <button class="quiet" onClick={signOut}>
              Sign out
            </button>
          </span>
        </header>
        <ConnectionBanner />
        <main id="main" class="views" tabIndex={-1}>
          <section class="view" aria-label={TITLES[view]}>
            <FaultFence key={view}>
              <Opened />
            </FaultFence>
          </section>
          {call === null ? null : (
            <FaultFence key={call}>
              <CallPanel key={call} id={call} />
            </FaultFence>
          )}
        </main>
      </div>
      {ended.value === null ? null : <SignInAgain />}
    </>
  );
};

const VIEW: Readonly<Record<View, () => VNode | null>> = { board: Board, history: History, figures: Figures, quarantine: Quarantine };

const Opened = () => {
  const Chosen = VIEW[route.value.view];
  return <Chosen />;
};

/** The address belongs to the views, so the link moves the focus itself. */
const skip = (event: Event): void => {
  event.preventDefault();
  document.getElementById('main')?.focus();
};

const ThemeSwitch = () => (
  <button class="quiet" title="Colours: as the system has them, light, or dark" aria-label={`Colours: ${THEME_TITLES[theme.value]}`} onClick={() => chooseTheme(THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system')}>
    <span class="theme-mark" aria-hidden="true" /> {THEME_TITLES[theme.value]}
  </button>
);
