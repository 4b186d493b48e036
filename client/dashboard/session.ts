/** Who is signed in on this page. See `keeper.ts` for how. */
import { mayDo, type Action } from '../../core/domain/rights.ts';
import { send } from './http.ts';
import { createKeeper } from './keeper.ts';
import { linkTo } from './route.ts';

const keeper = createKeeper({
  send,
  kept: {
    getItem: (name) => sessionStorage.getItem(name),
    setItem: (name, value) => sessionStorage.setItem(name, value),
    removeItem: (name) => sessionStorage.removeItem(name),
  },
  monotonic: () => performance.now(),
  now: () => Date.now(),
  after: (ms, run) => void setTimeout(run, ms),
  startOver: () => {
    // What the address names was somebody's too.
    history.replaceState(null, '', linkTo({ view: 'board', call: null }));
    location.reload();
  },
});

export type { Session } from './keeper.ts';
export const { session, person, ended, accessToken, signIn, signOut, signInEnded, resume: resumeSession } = keeper;

/** Whether the person whose page it is may do it: for showing or not showing; the API decides for itself. */
export const may = (action: Action): boolean => {
  const who = person.value;
  return who !== null && mayDo(who, action, who.tenant);
};
