import { apiOf, type Api } from './api.ts';
import { targetOf } from './target.ts';
import type { Cli } from './world.ts';

/** The API of the deployment that the environment names. Nothing is asked of it yet. */
export const session = (cli: Cli): Api => apiOf(targetOf(cli), cli);

/** The path of one call. */
export const callPath = (id: string, rest = ''): string => `/calls/${encodeURIComponent(id)}${rest}`;
