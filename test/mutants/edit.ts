/**
 * Puts a broken copy of shipped modules in their place: loaded with `--import` before anything else, it changes their text as
 * it is read. The shipped files stay as they are, and know nothing of it.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** One change of one file; `find` has to stand there exactly once. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const ROOT = new URL('../../', import.meta.url).href;
const edits = JSON.parse(process.env['EARSHOT_EDITS'] ?? '[]') as Edit[];

/** The text with the edits that are meant for it. Throws where one does not fit any more. */
const edited = (file: string, text: string): string =>
  edits
    .filter((edit) => edit.file === file)
    .reduce((changed, { find, replace }) => {
      const parts = changed.split(find);
      if (parts.length !== 2) throw new Error(`${file} holds this ${parts.length - 1} times: ${find}`);
      return parts.join(replace);
    }, text);

const unknown = edits.filter(({ file }) => {
  try {
    edited(file, readFileSync(fileURLToPath(new URL(file, ROOT)), 'utf8'));
    return false;
  } catch {
    return true;
  }
});
if (unknown.length > 0) throw new Error(`these edits do not fit: ${JSON.stringify(unknown)}`);

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    const file = url.startsWith(ROOT) ? url.slice(ROOT.length) : '';
    if (!edits.some((edit) => edit.file === file) || loaded.source === undefined) return loaded;
    const text = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString('utf8');
    return { ...loaded, source: edited(file, text) };
  },
});
