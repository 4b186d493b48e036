/** The monitoring WebSocket of a call: what was said so far, then what is said now; takes commands. */
import type { WebSocket } from 'ws';
import type { RunningCall, Watcher } from './running-call.ts';

/**
 * Serves one monitoring session until the call or the session ends.
 * @param socket just opened
 */
export const serveMonitor = (socket: WebSocket, call: RunningCall): void => {
  const send = (event: unknown): void => socket.send(JSON.stringify(event));
  const watcher: Watcher = { onEvent: send, onEnd: () => socket.close(1000) };
  send({ type: 'connected' });
  for (const event of call.watch(watcher)) send(event);
  send({ type: 'history_complete' });
  socket.on('message', (data) => {
    const command = commandIn((data as Buffer).toString('utf8'));
    if (command === 'end_call') call.end();
    else if (command === null) send({ type: 'error', error_event: { code: 'invalid_command', message: 'No such command.' } });
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => call.unwatch(watcher));
};

const COMMANDS = ['end_call', 'transfer_to_number', 'contextual_update'];

/** null: none of ElevenLabs' commands. A transfer and an update are taken and change nothing. */
const commandIn = (text: string): string | null => {
  try {
    const message = JSON.parse(text) as { readonly command_type?: unknown } | null;
    const command = message?.command_type;
    return typeof command === 'string' && COMMANDS.includes(command) ? command : null;
  } catch {
    return null;
  }
};
