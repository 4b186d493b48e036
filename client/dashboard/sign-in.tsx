/** Signing in: the first thing one sees; and over the page where the sign-in of whoever was in has ended. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Dialog } from './dialog.tsx';
import { ApiProblem, sentenceOf } from './http.ts';
import { ended, person, signIn, signOut } from './session.ts';
import { age, tick } from './times.ts';

interface FirstLogin {
  readonly username: string;
  readonly password: string;
}

/** The login of a first start on one machine, where the server tells it. */
const firstLogin = (): FirstLogin | null => {
  const content = document.querySelector('meta[name="earshot-first-login"]')?.getAttribute('content') ?? null;
  return content === null ? null : (JSON.parse(content) as FirstLogin);
};

/** The whole page, while nobody is signed in. */
export const SignInPage = () => (
  <main class="sign-in">
    <SignInForm heading="Earshot" said="Every call within earshot." />
  </main>
);

/** Over the page, which keeps what it shows. */
export const SignInAgain = () => (
  <Dialog label="Sign in again" onClose={null}>
    <SignInForm heading="Sign in again" said={ended.value ?? ''} />
  </Dialog>
);

const SignInForm = ({ heading, said }: { readonly heading: string; readonly said: string }) => {
  const problem = useSignal<string | null>(null);
  const restsUntil = useSignal(0);
  const busy = useSignal(false);
  const first = firstLogin();
  const again = person.value;
  // A dialog looks for the mark; a page that has long been loaded does not.
  const begins = again === null && first === null ? 'username' : 'password';
  useEffect(() => document.getElementById(begins)?.focus(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string): string => {
      const value = data.get(name);
      return typeof value === 'string' ? value : '';
    };
    busy.value = true;
    problem.value = null;
    try {
      await signIn(field('username'), field('password'));
    } catch (error) {
      problem.value = sentenceOf(error);
      const password = document.getElementById('password');
      if (password instanceof HTMLInputElement) {
        password.focus();
        password.select();
      }
      if (error instanceof ApiProblem && error.retryAfterSeconds !== null) restsUntil.value = performance.now() + error.retryAfterSeconds * 1000;
    } finally {
      busy.value = false;
    }
  };
  const restsMs = restsUntil.value === 0 ? 0 : restsUntil.value - tick.value;
  return (
    <form onSubmit={(event) => void submit(event)}>
      <h1>{heading}</h1>
      <p class="hint">{said}</p>
      <label class="field">
        User name
        <input id="username" name="username" autofocus={begins === 'username'} autocomplete="username" autocapitalize="none" spellcheck={false} required defaultValue={again?.username ?? first?.username} />
      </label>
      <label class="field">
        Password
        <input id="password" name="password" autofocus={begins === 'password'} type="password" autocomplete="current-password" required defaultValue={again === null ? first?.password : undefined} />
      </label>
      <p role="alert" class="problem">
        {problem.value}
      </p>
      {restsMs > 0 ? <p class="hint">You can try again in {age(restsMs)}.</p> : null}
      <div class="actions">
        {again === null ? null : (
          <button type="button" class="quiet" onClick={signOut}>
            Sign out
          </button>
        )}
        <button class="primary" disabled={busy.value || restsMs > 0}>
          {busy.value ? 'Signing in ...' : 'Sign in'}
        </button>
      </div>
      {first === null || again !== null ? null : (
        <p class="hint">
          On this machine: <code>{first.username}</code> / <code>{first.password}</code>
        </p>
      )}
    </form>
  );
};
