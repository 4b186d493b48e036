/** The page at `/` of one machine: sign in, start a call, see it live. Text is only ever text. */
import { FIRST_DRIVER, firstCallLine } from './first-call.ts';
import { connect, type BoardRow, type EventFrame, type Feed, type Following, type InterimFrame } from './index.ts';

/** Lines kept on the page. */
const TAIL_MAX_LINES = 500;

const element = <T extends HTMLElement>(id: string, form: new () => T): T => {
  const found = document.getElementById(id);
  if (!(found instanceof form)) throw new Error(`the page has no ${id}`);
  return found;
};

const state = element('state', HTMLElement);
const problem = element('problem', HTMLElement);
const board = element('board', HTMLUListElement);
const tail = element('tail', HTMLOListElement);
const callButton = element('call', HTMLButtonElement);

element('curl', HTMLElement).textContent = firstCallLine(location.origin);

let token = '';
let feed: Feed | null = null;
let following: { readonly id: string; readonly stop: Following } | null = null;
/** The viewer chose a call: new ones no longer take its place. */
let chosen = false;

const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) }, body: JSON.stringify(body) });
  const said = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(typeof said['title'] === 'string' ? said['title'] : `the server answered ${answer.status}`);
  return said;
};

const shown = async (work: () => Promise<void>): Promise<void> => {
  problem.textContent = '';
  try {
    await work();
  } catch (error) {
    problem.textContent = error instanceof Error ? error.message : 'something went wrong';
  }
};

element('sign-in', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const data = new FormData(event.currentTarget as HTMLFormElement);
  void shown(async () => {
    const said = await post('/auth/login', { username: data.get('username'), password: data.get('password') });
    token = String(said['access_token']);
    callButton.disabled = false;
    watch();
  });
});

callButton.addEventListener('click', () => {
  void shown(async () => {
    chosen = false;
    const said = await post('/driver_data/call-elevenlabs', { driver_ids: [FIRST_DRIVER], violation_types: ['speeding'] });
    if (typeof said['call_sid'] === 'string') follow(said['call_sid']);
  });
});

/** A token that still has a while to go is renewed; the relay asks for it in band as well. */
const freshToken = async (): Promise<string> => {
  const said = await post('/auth/refresh', {}).catch(() => null);
  if (typeof said?.['access_token'] === 'string') token = said['access_token'];
  return token;
};

const watch = (): void => {
  feed?.close();
  feed = connect({
    url: location.origin,
    token: freshToken,
    onState: (now) => {
      state.textContent = now.replace('_', ' ');
    },
  });
  feed.board({ onRows: showBoard });
};

const showBoard = (rows: readonly BoardRow[]): void => {
  const newest = [...rows].sort((a, b) => (a.started_at ?? a.changed_at) < (b.started_at ?? b.changed_at) ? 1 : -1);
  element('none', HTMLElement).hidden = newest.length > 0;
  board.replaceChildren(
    ...newest.map((row) => {
      const button = document.createElement('button');
      button.textContent = `${row.status.replace('_', ' ')} - ${row.driver_name ?? row.call_sid}${row.last_line === null ? '' : ` - ${row.last_line}`}`;
      button.addEventListener('click', () => {
        chosen = true;
        follow(row.call_sid);
      });
      const item = document.createElement('li');
      item.append(button);
      return item;
    }),
  );
  const first = newest[0];
  if (!chosen && first !== undefined && following?.id !== first.call_sid) follow(first.call_sid);
};

const follow = (id: string): void => {
  if (feed === null || following?.id === id) return;
  following?.stop.close();
  tail.replaceChildren();
  line(`Call ${id}`, 'note');
  following = {
    id,
    stop: feed.call(id, {
      onEvent: showEvent,
      onInterim: (turn) => say(turn, 'interim'),
      onReset: () => tail.replaceChildren(),
      onLost: (from, to) => line(`Events ${from} to ${to} are gone: something is missing here.`, 'note'),
      onSealed: (proof) => line(SEALED[proof], 'note'),
      onError: (code) => line(`This call cannot be shown: ${code}`, 'note'),
    }),
  };
};

const SEALED = {
  complete: 'Complete, proved.',
  incomplete: 'Something is missing.',
  cannot_prove: 'Complete as far as this page can tell.',
} as const;

const showEvent = (event: EventFrame): void => {
  switch (event.type) {
    case 'transcription':
      say(event, event.state);
      return;
    case 'call_status':
      // The same status again only announces the conversation's id.
      if (event.status !== event.previous) line(`Status: ${event.status.replace('_', ' ')}${event.reason === undefined ? '' : ` (${event.reason})`}`, 'note');
      return;
    case 'call_completed':
      line(`Summary: ${event.data.transcript_summary ?? 'none'} - ${event.data.call_duration_seconds ?? '?'} s, ${event.data.outcome ?? 'no outcome'}`, 'note');
      return;
    case 'tool_executing':
    case 'tool_completed':
      line(`${event.type === 'tool_executing' ? 'Tool begins' : 'Tool done'}: ${event.tool_name ?? ''}`, 'note');
      return;
    case 'agent_started':
    case 'agent_thinking':
    case 'agent_completed':
    case 'call_amended':
    case 'call_sealed':
      return;
  }
};

/** One line per turn: its newest revision stands where the first stood. */
const say = (turn: EventFrame & { type: 'transcription' } | InterimFrame, how: string): void => {
  const id = `turn-${turn.turn_id}`;
  const known = document.getElementById(id);
  for (const interim of tail.querySelectorAll('.interim')) if (interim !== known) interim.remove();
  if (how === 'retracted') {
    known?.remove();
    return;
  }
  const text = `[${turn.index}] ${turn.speaker.toUpperCase()}: ${turn.text}`;
  const item = known ?? line(text, '');
  item.id = id;
  item.textContent = text;
  item.className = `${turn.speaker} ${how}`;
};

const line = (text: string, kind: string): HTMLElement => {
  const item = document.createElement('li');
  item.textContent = text;
  item.className = kind;
  tail.append(item);
  while (tail.children.length > TAIL_MAX_LINES) tail.firstElementChild?.remove();
  item.scrollIntoView({ block: 'nearest' });
  return item;
};
