/** The whole product in one process, as `npm start` makes it, on a log in a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../../core/settings.ts';
import { startProduct } from '../../../local/product.ts';
import { jsonLog } from '../../../ports/log.json.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { answering } from '../harness/answering.ts';

const folder = mkdtempSync(join(process.env['DATA_ROOT'] ?? tmpdir(), 'earshot-journey-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
let logged = 0;
// Lines are made as shipped; where they go is no part of it.
const log = jsonLog('info', (line) => (logged += line.length));
const product = await startProduct({ settings: readSettings({ PORT: '0', DATA_DIR: folder }, 'local'), runtime: systemRuntime(), log, version: 'bench' });

answering({ listening: () => ({ port: product.port }), logged: () => logged });
