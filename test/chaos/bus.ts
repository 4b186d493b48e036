/** The bus of a run, in a process of its own: `BUS_FILE` names the local socket at which it is carried. */
import { socketBroker } from '../../ports/event-bus.socket.ts';

const broker = await socketBroker({ path: process.env['BUS_FILE'] ?? '' });
process.stdout.write('The bus is carried\n');
process.once('SIGTERM', () => {
  void broker.close().then(() => process.exit(0));
});
