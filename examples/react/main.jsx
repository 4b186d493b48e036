import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { connect } from 'earshot-client';
import { useBoard, useCall, useConnection } from 'earshot-client/react';

const api = new URLSearchParams(location.search).get('api') ?? 'http://127.0.0.1:8080';

const post = async (path, body, token) => {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(api + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json()).code);
  return answer.json();
};

const PROOF = {
  arriving: 'More may come.',
  complete: 'Complete: nothing is missing.',
  cannot_prove: 'This page cannot prove that nothing is missing.',
  missing: 'Something is missing.',
};

const SignIn = ({ onToken }) => {
  const [problem, setProblem] = useState(null);
  const submit = (event) => {
    event.preventDefault();
    const login = Object.fromEntries(new FormData(event.target));
    post('/auth/login', login).then(({ access_token }) => onToken(access_token), (error) => setProblem(error.message));
  };
  return (
    <form onSubmit={submit}>
      <label>User name <input name="username" defaultValue="dispatcher@example.com" autoComplete="username" required /></label>
      <label>Password <input name="password" type="password" autoComplete="current-password" required /></label>
      <button>Sign in</button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
};

/** One feed for the page while somebody is signed in. */
const useFeed = (firstToken) => {
  const [feed, setFeed] = useState(null);
  useEffect(() => {
    if (firstToken === null) return undefined;
    let token = firstToken;
    // Asked anew for every connection: a token that is still good gives a fresh one.
    const opened = connect({ url: api, token: async () => (token = (await post('/auth/refresh', {}, token)).access_token) });
    setFeed(opened);
    return () => opened.close();
  }, [firstToken]);
  return feed;
};

const Call = ({ feed, id }) => {
  const { view } = useCall(feed, id);
  const turns = view.items.filter((item) => item.kind === 'turn' && item.state !== 'retracted');
  return (
    <section>
      <h2>{view.status ?? 'waiting'}</h2>
      <ol id="words">{turns.map((turn) => <li key={turn.key}>{turn.speaker}: {turn.text}{turn.state === 'interim' && ' ...'}</li>)}</ol>
      <p id="proof">{PROOF[view.trust]}</p>
    </section>
  );
};

const App = () => {
  const [token, setToken] = useState(null);
  const [id, setId] = useState(null);
  const feed = useFeed(token);
  const { state, via } = useConnection(feed);
  const rows = useBoard(feed) ?? [];
  if (token === null) return <SignIn onToken={setToken} />;
  return (
    <main>
      <p role="status">{via === 'poll' ? `${state}, by polling` : state}</p>
      <ul id="board">
        {rows.map((row) => <li key={row.call_sid}><button onClick={() => setId(row.call_sid)}>{row.driver_name ?? row.call_sid}: {row.status}</button></li>)}
      </ul>
      {id !== null && <Call feed={feed} id={id} />}
    </main>
  );
};

createRoot(document.getElementById('root')).render(<StrictMode><App /></StrictMode>);
