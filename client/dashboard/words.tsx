/** Somebody else's words on the page: each in a world of its own, whatever direction it is written in. Long ones are cut until all is asked for. */
import { signal, useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { ask } from './api.ts';
import { sentenceOf } from './http.ts';
import { counted } from './numbers.ts';
import { cut, readable } from './readable.ts';

/** About thirty lines: more is not read at a glance. */
const SHOWN_MAX_CHARACTERS = 2_000;

/** A name, an id, one line. */
export const Name = ({ text }: { readonly text: string }) => <bdi>{readable(text)}</bdi>;

export interface WordsProps {
  readonly text: string;
  /** Where the whole is, of what was too long for a frame. */
  readonly href?: string | null;
}

export const Words = ({ text, href = null }: WordsProps) => {
  // Of this text and no other: corrected words are asked for anew.
  const whole = useMemo(() => signal<string | null>(null), [text, href]);
  const isOpen = useSignal(false);
  const problem = useSignal<string | null>(null);
  const isLong = href !== null || text.length > SHOWN_MAX_CHARACTERS;
  const isCut = isLong && (!isOpen.value || (href !== null && whole.value === null));
  const open = async (): Promise<void> => {
    problem.value = null;
    try {
      if (href !== null) whole.value ??= (await ask<{ readonly text: string }>(href)).text;
      isOpen.value = true;
    } catch (error) {
      problem.value = sentenceOf(error);
    }
  };
  return (
    <>
      <span class="words" dir="auto" data-words>
        {readable(isCut ? cut(text, SHOWN_MAX_CHARACTERS) : (whole.value ?? text))}
      </span>
      {isCut ? (
        <>
          {' '}
          <button type="button" class="link" onClick={() => void open()}>
            ... show all{href === null ? ` (${counted(text.length, 'character')})` : ''}
          </button>
        </>
      ) : null}
      {problem.value === null ? null : <span class="hint"> {problem.value}</span>}
    </>
  );
};
