/** The dashboard's beginning. */
import { render } from 'preact';
import { App } from './app.tsx';
import { followNetwork } from './connection-line.tsx';
import { FaultFence } from './fault.tsx';
import { followSession } from './live.ts';
import { followAddress } from './route.ts';
import { resumeSession } from './session.ts';
import { followTheme } from './theme.ts';
import './style.css';

const place = document.getElementById('app');
if (place === null) throw new Error('the page has no place for the dashboard');
followTheme();
followNetwork();
followAddress();
resumeSession();
followSession();
render(
  <FaultFence>
    <App />
  </FaultFence>,
  place,
);
