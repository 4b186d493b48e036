/** Signing in; over the page where the sign-in of somebody who was in ended. */
import { useSignal } from '@preact/signals';
import { endedBecause, signIn } from './session.ts';

interface FirstLogin {
  readonly username: string;
  readonly password: string;
}

/** The login of a first start on one machine, where the server tells it. */
const firstLogin = (): FirstLogin | null => {
  const content = document.querySelector('meta[name="earshot-first-login"]')?.getAttribute('content') ?? null;
  return content === null ? null : (JSON.parse(content) as FirstLogin);
};

export const SignIn = () => {
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  const first = firstLogin();
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
      problem.value = error instanceof Error ? error.message : 'Something went wrong.';
    } finally {
      busy.value = false;
    }
  };
  return (
    <div class={endedBecause.value === null ? 'sign-in' : 'sign-in over'} role={endedBecause.value === null ? undefined : 'dialog'} aria-modal={endedBecause.value === null ? undefined : true} aria-label="Sign in">
      <form onSubmit={(event) => void submit(event)}>
        <h1>Earshot</h1>
        <p>{endedBecause.value ?? 'Every call within earshot.'}</p>
        <label>
          User name <input name="username" autocomplete="username" required defaultValue={first?.username} />
        </label>
        <label>
          Password <input name="password" type="password" autocomplete="current-password" required defaultValue={first?.password} />
        </label>
        <button class="primary" disabled={busy.value}>
          {busy.value ? 'Signing in ...' : 'Sign in'}
        </button>
        <p role="alert" class="problem">
          {problem.value}
        </p>
        {first === null ? null : (
          <p class="hint">
            On this machine: <code>{first.username}</code> / <code>{first.password}</code>
          </p>
        )}
      </form>
    </div>
  );
};
