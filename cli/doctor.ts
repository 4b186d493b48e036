/** `earshot doctor`: what is wrong here, or with a deployment, and how to mend it. */
import { CliError, usage } from './exit-codes.ts';
import { ask, jsonIn } from './api.ts';
import { checksTo } from './checks.ts';
import { checkDeployment } from './doctor-deployment.ts';
import { checkMachine } from './doctor-machine.ts';
import { localPort, targetOf, urlOf } from './target.ts';
import type { Cli } from './world.ts';

/** Without --url this machine, and the Earshot that runs on it; with it that deployment, whose webhooks may be another function at an address of its own. */
export const doctor = async (cli: Cli, options: { readonly url?: string; readonly webhooks?: string }): Promise<void> => {
  if (options.url === undefined && options.webhooks !== undefined) throw usage('--webhooks is for a deployment: name its API with --url.');
  const checks = checksTo(cli.print, (line) => cli.print.line(line));
  if (options.url !== undefined) {
    const target = targetOf(cli, urlOf('--url', options.url, ['http', 'https']));
    await checkDeployment(cli, target, checks, options.webhooks === undefined ? target.api : urlOf('--webhooks', options.webhooks, ['http', 'https']));
  } else {
    const here = `http://127.0.0.1:${localPort(cli.env)}`;
    const listens = await whoListens(here);
    await checkMachine(cli, checks, listens);
    // The machine's own Earshot, whatever address the environment names for other verbs.
    if (listens === 'earshot') await checkDeployment(cli, { ...targetOf({ env: signInOnly(cli.env), local: cli.local }, here), relay: null }, checks);
  }
  checks.conclude();
};

/** Credentials of another deployment are not tried on this machine. */
const signInOnly = (env: Cli['env']): Cli['env'] => ((env['API_BASE_URL'] ?? '').trim() === '' ? env : { PORT: env['PORT'] });

/** What answers at the address. */
const whoListens = async (url: string): Promise<'earshot' | 'nobody' | 'something'> => {
  try {
    const answer = jsonIn(await (await ask(`${url}/health`)).text());
    return typeof answer === 'object' && answer !== null && 'checks' in answer ? 'earshot' : 'something';
  } catch (error) {
    return error instanceof CliError && error.code === 'unreachable' ? 'nobody' : 'something';
  }
};
