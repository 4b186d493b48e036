/** The words of a call as they are spoken, with what the agent did in between. Stays at the newest words while one is there. */
import { Component } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ShownStatus, ShownTool, ShownTurn } from '../view.ts';
import type { Followed } from './call-follow.ts';
import { linesOf, secondsInCall, type Line } from './call-lines.ts';
import { statusLine, toolName, toolResult } from './call-words.ts';
import { clockTime, dayAndTime, duration } from './times.ts';
import { Name, Words } from './words.tsx';

export interface TranscriptProps {
  readonly followed: Followed;
  /** The past is still coming in: it is not read out. */
  readonly opening: boolean;
}

export const Transcript = ({ followed: { view }, opening }: TranscriptProps) => {
  const { items, statuses } = view;
  const { said, speaking } = useMemo(() => linesOf(view), [view, items, statuses.length]);
  const turns = items.filter((item) => item.kind === 'turn');
  // Where nobody listened, all words came at the end: said once, not at each.
  const allLate = turns.length > 0 && turns.every(({ late }) => late);
  return (
    <div class="transcript">
      {allLate ? <p class="aside">These words came when the call was over: nobody passed them on while it was spoken.</p> : null}
      <div role="log" aria-label="Transcript" aria-live={opening || view.over ? 'off' : 'polite'} aria-relevant="additions">
        <ol>
          {Array.from({ length: Math.ceil(said.length / STRETCH_LINES) }, (_, stretch) => (
            <Stretch key={stretch} lines={said.slice(stretch * STRETCH_LINES, (stretch + 1) * STRETCH_LINES)} tellLate={!allLate} startedAt={view.startedAt} />
          ))}
        </ol>
      </div>
      {speaking.length === 0 ? null : (
        <ol aria-label="Being spoken" aria-live="off">
          {speaking.map((turn) => (
            <TranscriptLine key={turn.key} line={turn} tellLate={false} startedAt={view.startedAt} />
          ))}
        </ol>
      )}
    </div>
  );
};

/** Of a call of thousands of lines, one more word looks at those of one stretch. */
const STRETCH_LINES = 100;

interface StretchProps extends Omit<LineProps, 'line'> {
  readonly lines: readonly Line[];
}

class Stretch extends Component<StretchProps> {
  override shouldComponentUpdate({ lines, tellLate, startedAt }: StretchProps): boolean {
    const before = this.props;
    return tellLate !== before.tellLate || startedAt !== before.startedAt || lines.length !== before.lines.length || lines.some((line, place) => line !== before.lines[place]);
  }

  override render({ lines, tellLate, startedAt }: StretchProps) {
    return lines.map((line) => <TranscriptLine key={line.key} line={line} tellLate={tellLate} startedAt={startedAt} />);
  }
}

interface LineProps {
  readonly line: Line;
  /** Whether it is said of words that they came late. */
  readonly tellLate: boolean;
  /** When the call was picked up. */
  readonly startedAt: string | null;
}

/** Painted anew only where its line is another object: a call may have thousands. */
class TranscriptLine extends Component<LineProps> {
  override shouldComponentUpdate(next: LineProps): boolean {
    return next.line !== this.props.line || next.tellLate !== this.props.tellLate || next.startedAt !== this.props.startedAt;
  }

  override render({ line, tellLate, startedAt }: LineProps) {
    switch (line.kind) {
      case 'turn':
        return <TurnLine turn={line} tellLate={tellLate} startedAt={startedAt} />;
      case 'tool':
        return <ToolLine tool={line} />;
      case 'status':
        return <StatusLine status={line} />;
    }
  }
}

const StatusLine = ({ status }: { readonly status: ShownStatus }) => (
  <li class="line status">
    <span class="said">
      <Name text={statusLine(status)} />,{' '}
      <time dateTime={status.timestamp} title={dayAndTime(status.timestamp)}>
        {clockTime(status.timestamp)}
      </time>
    </span>
  </li>
);

const SPEAKERS = { agent: 'Agent', driver: 'Driver' } as const;

interface TurnLineProps extends Omit<LineProps, 'line'> {
  readonly turn: ShownTurn;
}

const TurnLine = ({ turn, tellLate, startedAt }: TurnLineProps) => (
  <li class={`line ${turn.speaker} ${turn.state}`}>
    <Said turn={turn} seconds={secondsInCall(turn, startedAt)} />
    <span class="speaker">{SPEAKERS[turn.speaker]}</span>
    <div class="said">
      {turn.state === 'retracted' ? (
        <del>
          <Words text={turn.text} href={turn.href} />
        </del>
      ) : (
        <Words text={turn.text} href={turn.href} />
      )}
      {turn.state === 'interim' ? <span class="aside"> speaking ...</span> : null}
      {turn.state === 'retracted' ? <p class="aside">Taken back: the final transcript does not have these words.</p> : null}
      {turn.late && tellLate && turn.state !== 'retracted' ? <p class="aside">Added afterwards: these words came with the final transcript.</p> : null}
      {turn.before.length === 0 ? null : (
        <details class="before">
          <summary>Corrected. What it was</summary>
          {turn.before.map((text, index) => (
            <p key={index} dir="auto">
              <Name text={text} />
            </p>
          ))}
        </details>
      )}
    </div>
  </li>
);

/** When it was said, in the call. */
const Said = ({ turn, seconds }: { readonly turn: ShownTurn; readonly seconds: number | null }) =>
  seconds === null ? (
    <span />
  ) : (
    <time dateTime={turn.timestamp} title={dayAndTime(turn.timestamp)}>
      {duration(seconds)}
    </time>
  );

const ToolLine = ({ tool }: { readonly tool: ShownTool }) => {
  // Words have the time of the call, tools that of the log: beside each other the two would not add up.
  const at = tool.late ? null : (tool.startedAt ?? tool.endedAt);
  return (
    <li class={`line tool ${tool.failed ? 'failed' : ''}`} {...(at === null ? {} : { title: dayAndTime(at) })}>
      <span />
      <span class="speaker">Tool</span>
      <div class="said">
        <strong>
          <Name text={toolName(tool.name)} />
        </strong>{' '}
        <span class="result">{toolResult(tool)}</span>
        {tool.detail === null ? null : (
          <>
            {': '}
            <Name text={tool.detail} />
          </>
        )}
        {tool.late ? <span class="aside"> (told afterwards)</span> : null}
      </div>
    </li>
  );
};
