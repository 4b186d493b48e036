/** What became of a call: its summary, what the agent was to judge and to find out, what was changed since, its recording. */
import type { ComponentChildren } from 'preact';
import type { Amendment } from '../view.ts';
import type { CallFacts } from './call-facts.ts';
import type { Followed } from './call-follow.ts';
import { endingText, fieldText, findingsOf, outcomeText, reasonText, valueText, type Finding } from './call-words.ts';
import { Recording } from './call-recording.tsx';
import { costText } from './numbers.ts';
import { may } from './session.ts';
import { dayAndTime, duration } from './times.ts';
import { Name, Words } from './words.tsx';

export interface CallOutcomeProps {
  readonly followed: Followed;
  readonly facts: CallFacts | null;
}

export const CallOutcome = ({ followed: { view }, facts }: CallOutcomeProps) => {
  const { outcome, amendments } = view;
  if (!view.over || outcome === null) return null;
  const summary = outcome.transcript_summary ?? (view.outcomeHref === null ? null : (facts?.transcript_summary ?? null));
  const ending = facts?.termination_reason ?? null;
  // Of a call that nobody picked up there is no recording.
  const nobodySpoke = view.status === 'failed' && !view.items.some(({ kind }) => kind === 'turn');
  const cost = costText(outcome.cost, outcome.cost_credits);
  return (
    <section class="outcome" aria-label="Outcome">
      {outcome.call_summary_title === null ? null : (
        <h3>
          <Name text={outcome.call_summary_title} />
        </h3>
      )}
      {summary === null ? <p class="hint">There is no summary of this call.</p> : <p class="summary"><Words text={summary} /></p>}
      <dl class="facts">
        <Fact label="Outcome">{outcomeText(outcome)}</Fact>
        {view.reason === null ? null : <Fact label="Reason"><Name text={reasonText(view.reason)} /></Fact>}
        {outcome.call_duration_seconds === null ? null : <Fact label="Duration">{duration(outcome.call_duration_seconds)}</Fact>}
        <Fact label="Cost">{cost === '' ? 'not known' : cost}</Fact>
        {ending === null || ending === '' ? null : <Fact label="How it ended"><Name text={endingText(ending)} /></Fact>}
        <Findings label="Judged" of={findingsOf(outcome.evaluation_results)} />
        <Findings label="Found out" of={findingsOf(outcome.collection_results)} />
      </dl>
      {amendments.length === 0 ? null : <Amendments of={amendments} />}
      {view.imported ? <p class="hint">Taken over from an older system: there is no transcript.</p> : null}
      {may('calls.audio') && view.conversationId !== null && !view.imported && !nobodySpoke ? <Recording id={view.callSid ?? view.conversationId} /> : null}
    </section>
  );
};

const Fact = ({ label, children }: { readonly label: string; readonly children: ComponentChildren }) => (
  <>
    <dt>{label}</dt>
    <dd>{children}</dd>
  </>
);

const Findings = ({ label, of }: { readonly label: string; readonly of: readonly Finding[] }) =>
  of.length === 0 ? null : (
    <Fact label={label}>
      <ul class="findings">
        {of.map(({ name, value, rationale }) => (
          <li key={name}>
            <Name text={name} />: <strong><Name text={value} /></strong>
            {rationale === null ? null : <p class="aside"><Name text={rationale} /></p>}
          </li>
        ))}
      </ul>
    </Fact>
  );

const Amendments = ({ of }: { readonly of: readonly Amendment[] }) => (
  <ul class="amendments">
    {of.map((amendment, index) => {
      const [from, to] = [valueText(amendment.field, amendment.from), valueText(amendment.field, amendment.to)];
      return (
        <li key={index}>
          Changed after the call: {fieldText(amendment.field)} {from === null || to === null ? '' : <>from <Name text={from} /> to <Name text={to} /></>}
          <time class="aside" dateTime={amendment.timestamp}> {dayAndTime(amendment.timestamp)}</time>
        </li>
      );
    })}
  </ul>
);
