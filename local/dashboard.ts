/** Serves the dashboard at `/` on one machine, with the headers that Firebase Hosting gives it where it is deployed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dashboardFiles } from './dashboard-bundle.ts';

/** Nothing from anywhere else, no inline script, no frame around it; recordings are played from what the API gave. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

export interface DashboardOptions {
  /** The login of a first start, shown where one signs in; null: nobody's to show. */
  readonly firstLogin: { readonly username: string; readonly password: string } | null;
}

/** @returns a handler that answers what belongs to the page, and false for everything else */
export const dashboard = async ({ firstLogin }: DashboardOptions): Promise<(request: IncomingMessage, response: ServerResponse) => boolean> => {
  const files = new Map((await dashboardFiles()).map((file) => [file.path, file]));
  const page = files.get('/index.html');
  if (page === undefined) throw new Error('the dashboard has no page');
  const html = new TextDecoder().decode(page.body);
  const shown = firstLogin === null ? html : html.replace('<meta name="description"', `<meta name="earshot-first-login" content="${escaped(JSON.stringify(firstLogin))}" />\n    <meta name="description"`);
  files.set('/', { ...page, path: '/', body: new TextEncoder().encode(shown) });
  files.delete('/index.html');
  return (request, response) => {
    const file = request.method === 'GET' || request.method === 'HEAD' ? files.get((request.url ?? '').split('?', 1)[0] ?? '') : undefined;
    if (file === undefined) return false;
    const cacheControl = file.path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    response.writeHead(200, { ...HEADERS, 'content-type': file.type, 'cache-control': cacheControl, 'content-length': file.body.byteLength });
    response.end(request.method === 'HEAD' ? undefined : file.body);
    return true;
  };
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
