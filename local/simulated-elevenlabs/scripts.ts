/**
 * What is said in simulated calls: a dispatcher's voice agent phones truck drivers about violations.
 * `{driver_name}` is filled in from the dial's dynamic variables. Each call takes 15 to 40 seconds with ringing and
 * analysis; a unit test holds the scripts to it.
 */

/** Somebody says something. */
export interface SpokenLine {
  readonly who: 'agent' | 'driver';
  readonly text: string;
  /** What was understood while the call ran, where that differs. */
  readonly heard?: string;
  /** Where the difference shows: while the call still runs, or only in the final transcript. Default: `live`. */
  readonly corrected?: 'live' | 'final';
  /** The driver cuts in after this many words. */
  readonly interrupted_after_words?: number;
  /** Nobody posts it while the call runs: only the final transcript has it. */
  readonly late?: boolean;
}

/** The agent uses a tool. */
export interface ToolLine {
  readonly tool: string;
  /** A `system` tool (ElevenLabs' own) has no live counterpart. */
  readonly type: 'webhook' | 'system';
  readonly params: Readonly<Record<string, unknown>>;
  readonly result: unknown;
  readonly takes_ms: number;
  readonly is_error?: boolean;
}

export type ScriptLine = SpokenLine | ToolLine;

export interface Script {
  readonly name: string;
  /** Which violation it is about; null: chosen only when it is asked for. */
  readonly violation: 'speeding' | 'hours_of_service' | 'missed_inspection' | null;
  readonly call_result: 'answered' | 'voicemail';
  readonly lines: readonly ScriptLine[];
  readonly title: string;
  readonly summary: string;
  readonly call_successful: 'success' | 'failure' | 'unknown';
  readonly termination_reason: string;
  /** Data collection: id, what was found, why. */
  readonly collected: Readonly<Record<string, { readonly value: unknown; readonly type: string; readonly rationale: string }>>;
  /** Evaluation criterion `violation_discussed`. */
  readonly discussed: { readonly result: 'success' | 'failure' | 'unknown'; readonly rationale: string };
}

const hangUp: ToolLine = {
  tool: 'end_call',
  type: 'system',
  params: { reason: 'The conversation came to its natural end.', system__message_to_speak: null },
  result: { status: 'success' },
  takes_ms: 200,
};

export const SCRIPTS: readonly Script[] = [
  {
    name: 'speeding_admitted',
    violation: 'speeding',
    call_result: 'answered',
    lines: [
      { who: 'agent', text: 'Hey {driver_name}, this is dispatch calling about a speeding alert from your truck this morning.' },
      { who: 'driver', text: 'Yeah, hey. What does it say?' },
      { tool: 'get_violation_details', type: 'webhook', params: { type: 'speeding' }, result: { speed_mph: 74, limit_mph: 62, road: 'I-80' }, takes_ms: 900 },
      { who: 'agent', text: 'It shows seventy four in a sixty two zone on I-80. What happened there?' },
      { who: 'driver', heard: 'I was passing a tanker and did not watch the gate.', text: 'I was passing a tanker and did not watch the gauge.' },
      { who: 'agent', text: 'I understand. Please keep to the limit, because the next alert goes to the safety manager.', interrupted_after_words: 8 },
      { who: 'driver', text: 'Okay, okay, I will slow down.' },
      { who: 'agent', text: 'Thank you. I have noted that. Drive safely.' },
      { who: 'driver', text: 'Bye.', late: true },
      hangUp,
    ],
    title: 'Speeding alert acknowledged',
    summary: 'The agent told the driver of a speeding alert on I-80. The driver said that he had been passing a tanker and promised to slow down.',
    call_successful: 'success',
    termination_reason: 'end_call tool was called.',
    collected: {
      acknowledged: { value: true, type: 'boolean', rationale: 'The driver said that he will slow down.' },
      driver_reason: { value: 'passing a tanker', type: 'string', rationale: 'The driver named it when he was asked what happened.' },
    },
    discussed: { result: 'success', rationale: 'Speed, limit and road were named and the driver answered.' },
  },
  {
    name: 'speeding_disputed',
    violation: 'speeding',
    call_result: 'answered',
    lines: [
      { who: 'agent', text: 'Hello {driver_name}, dispatch here. Your truck reported a speeding event last night. Do you have a minute?' },
      { who: 'driver', text: 'I do, but that was not me. I was parked.' },
      { tool: 'get_trip_log', type: 'webhook', params: { date: 'yesterday' }, result: { error: 'upstream timed out' }, takes_ms: 1_600, is_error: true },
      { who: 'agent', text: 'I could not open the trip log just now. Where were you parked?' },
      { who: 'driver', heard: 'At the loves in Amarillo, from nine on.', text: "At the Love's in Amarillo, from nine on.", corrected: 'final' },
      { who: 'agent', text: 'Thanks. I will ask the safety team to compare that with the log and call you back.' },
      { who: 'driver', text: 'Please do, because that unit is broken.' },
      { who: 'agent', text: 'I will add that. Goodbye.' },
    ],
    title: 'Driver disputes speeding alert',
    summary: 'The driver disputed a speeding event and said that the truck was parked in Amarillo. The trip log could not be opened; the safety team will follow up.',
    call_successful: 'failure',
    termination_reason: 'Call ended by remote party',
    collected: {
      acknowledged: { value: false, type: 'boolean', rationale: 'The driver said that it was not him.' },
      driver_reason: { value: 'truck was parked', type: 'string', rationale: 'The driver said that he was parked in Amarillo.' },
    },
    discussed: { result: 'success', rationale: 'The event was named and the driver answered.' },
  },
  {
    name: 'hours_of_service_stop',
    violation: 'hours_of_service',
    call_result: 'answered',
    lines: [
      { who: 'agent', text: 'Hi {driver_name}, this is dispatch. Your log shows ten and a half hours of driving without a full break.' },
      { who: 'driver', text: 'Right, the dock kept me waiting. I am forty minutes out.' },
      { tool: 'find_truck_stop', type: 'webhook', params: { within_miles: 15 }, result: { name: 'Exit 214', distance_miles: 9, free_spaces: 12 }, takes_ms: 1_200 },
      { who: 'agent', text: 'There is room at exit two fourteen, nine miles ahead. Can you stop there?', interrupted_after_words: 9 },
      { who: 'driver', text: 'Exit two fourteen, sure, I know it.' },
      { tool: 'reschedule_delivery', type: 'webhook', params: { by_hours: 10 }, result: { ok: true }, takes_ms: 700 },
      { who: 'agent', text: 'Good. I moved your delivery by ten hours, so take the whole break.' },
      { who: 'driver', heard: 'Thanks, I depreciate it.', text: 'Thanks, I appreciate it.' },
      { who: 'agent', text: 'Sleep well.' },
      hangUp,
    ],
    title: 'Driver takes his break',
    summary: 'The driver was close to his limit of driving hours after a delay at the dock. He agreed to stop at exit 214, and the delivery was moved by ten hours.',
    call_successful: 'success',
    termination_reason: 'end_call tool was called.',
    collected: {
      acknowledged: { value: true, type: 'boolean', rationale: 'The driver agreed to stop.' },
      driver_reason: { value: 'waiting at the dock', type: 'string', rationale: 'The driver said that the dock kept him waiting.' },
    },
    discussed: { result: 'success', rationale: 'The driving hours were named and a break was agreed.' },
  },
  {
    name: 'hours_of_service_short',
    violation: 'hours_of_service',
    call_result: 'answered',
    lines: [
      { who: 'agent', text: 'Hello {driver_name}, dispatch calling about your hours of service. Yesterday ended eleven minutes over the limit.' },
      { who: 'driver', text: 'There was a wreck and no place to pull over.' },
      { who: 'agent', text: 'That counts as adverse conditions. Please write it into your log today.' },
      { who: 'driver', text: 'Will do.' },
      { who: 'agent', text: 'Thank you, that is all.' },
      hangUp,
    ],
    title: 'Eleven minutes over explained',
    summary: 'The driver ended eleven minutes over his hours because of a wreck. He will note adverse conditions in his log.',
    call_successful: 'success',
    termination_reason: 'end_call tool was called.',
    collected: {
      acknowledged: { value: true, type: 'boolean', rationale: 'The driver said: will do.' },
      driver_reason: { value: 'a wreck blocked the road', type: 'string', rationale: 'The driver said that there was a wreck.' },
    },
    discussed: { result: 'success', rationale: 'The overrun was named and explained.' },
  },
  {
    name: 'missed_inspection',
    violation: 'missed_inspection',
    call_result: 'answered',
    lines: [
      { who: 'agent', text: 'Good morning {driver_name}, this is dispatch. We have no pre-trip inspection for your truck today.' },
      { who: 'driver', text: 'I did it, on paper. The tablet froze again.' },
      { tool: 'get_inspections', type: 'webhook', params: { days: 3 }, result: { inspections: 2, missing: ['today'] }, takes_ms: 800 },
      { who: 'agent', text: 'I see the other days. Were there any defects this time?' },
      { who: 'driver', heard: 'Left market light is out, nothing else.', text: 'Left marker light is out, nothing else.' },
      { tool: 'open_work_order', type: 'webhook', params: { part: 'left marker light' }, result: { work_order: 'WO-1182' }, takes_ms: 1_000 },
      { who: 'agent', text: 'I opened a work order for the light. Please send a photo of the paper, and restart the tablet.', interrupted_after_words: 14 },
      { who: 'driver', text: 'Photo, got it. Talk later.' },
      { who: 'driver', text: 'Bye now.', late: true },
    ],
    title: 'Inspection was made on paper',
    summary: 'The driver had made the pre-trip inspection on paper because his tablet froze. A left marker light is out; a work order was opened and a photo of the paper was asked for.',
    call_successful: 'success',
    termination_reason: 'Call ended by remote party',
    collected: {
      acknowledged: { value: true, type: 'boolean', rationale: 'The driver will send a photo of the paper.' },
      driver_reason: { value: 'the tablet froze', type: 'string', rationale: 'The driver said so.' },
    },
    discussed: { result: 'success', rationale: 'The missing inspection was named and explained.' },
  },
  {
    name: 'voicemail',
    violation: null,
    call_result: 'voicemail',
    lines: [
      { who: 'driver', text: 'You have reached my voicemail. Leave a message after the tone.' },
      { tool: 'voicemail_detection', type: 'system', params: { reason: 'A greeting was heard.' }, result: { status: 'success' }, takes_ms: 300 },
      { who: 'agent', text: 'Hello {driver_name}, this is dispatch about an alert from your truck. Please call us back when you are parked.' },
    ],
    title: 'Message left on voicemail',
    summary: 'Nobody answered. The agent left a message on the voicemail and asked the driver to call back.',
    call_successful: 'unknown',
    termination_reason: 'Voicemail detected',
    collected: {
      acknowledged: { value: null, type: 'boolean', rationale: 'Nobody was spoken to.' },
      driver_reason: { value: null, type: 'string', rationale: 'Nobody was spoken to.' },
    },
    discussed: { result: 'unknown', rationale: 'Nobody was spoken to.' },
  },
];

/** The script of that name. Throws RangeError for a name that is none. */
export const scriptNamed = (name: string): Script => {
  const script = SCRIPTS.find((candidate) => candidate.name === name);
  if (script === undefined) throw new RangeError('there is no script of this name');
  return script;
};

/**
 * The scripts that a call about these violations may follow: those of a violation that is named, else all that are about one.
 * @param violationTypes the dial's dynamic variable, free text such as `speeding, Hours of Service`
 */
export const scriptsFor = (violationTypes: string): readonly Script[] => {
  const asked = violationTypes.toLowerCase().replace(/[\s-]+/g, '_');
  const about = SCRIPTS.filter((script) => script.violation !== null);
  const fitting = about.filter((script) => script.violation !== null && asked.includes(script.violation));
  return fitting.length > 0 ? fitting : about;
};
