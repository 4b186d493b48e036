/** nchan, a module of nginx, as a peer of `deliver`: joins where both are installed. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from '../deliver.ts';
import { openViewers } from '../harness/viewers.ts';
import { contending } from './daemon.ts';

const NGINX = '/usr/sbin/nginx';
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';

const configOf = (folder: string, port: number): string => `
load_module ${MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/sub/(.+)$ { nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest; }
    location ~ ^/pub/(.+)$ { nchan_publisher http; nchan_channel_id $1; nchan_message_buffer_length 10; }
  }
}
`;

/** null: not installed. */
export const nchan = (): Contender | null => {
  if (!existsSync(NGINX) || !existsSync(MODULE)) return null;
  return contending({
    name: 'nchan',
    command: (folder, port) => {
      writeFileSync(join(folder, 'nginx.conf'), configOf(folder, port));
      return [NGINX, '-p', folder, '-c', join(folder, 'nginx.conf')];
    },
    open: (port, count, callSid) => openViewers(count, { port, path: (viewer) => `/sub/${callSid(viewer)}`, says: () => [], readyFrames: 0 }),
    greeting: '',
    published: (callSid, text) => `POST /pub/${callSid} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  });
};
