/** Somebody else's words on the page: each in a world of its own, whatever direction it is written in. Long ones are cut until all is asked for. */
import { useSignal } from '@preact/signals';
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
  const whole = useSignal<string | null>(null);
  const isOpen = useSignal(false);
  const problem = useSignal<string | null>(null);
  const isLong = href !== null || text.length > SHOWN_MAX_CHARACTERS;
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
        {readable(isOpen.value ? (whole.value ?? text) : isLong ? cut(text, SHOWN_MAX_CHARACTERS) : text)}
      </span>
      {isLong && !isOpen.value ? (
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
