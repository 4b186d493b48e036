/** I4: seqs are dense from 1 and never reused; the text of (call, epoch, seq) never changes and never goes while the call is kept. */
import type { EpochLog, LoggedCall, Reading } from './logged-call.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

export const checkLog = (world: World, report: Report): void => {
  const ended = world.of('logged').some(({ record }) => record.final);
  for (const call of world.calls.values()) {
    if (ended && call.final === null && call.latest.index > world.restoredAt && !goesWithErased(world, call)) {
      report('I4', `call ${call.callSid} was in the log and is not any more`, call.latest.index);
    }
    checkEpochs(world, call, report);
    for (const log of call.epochs.values()) {
      checkReadings(log, report);
      checkTexts(log, report);
    }
  }
};

/** It was erased, or it is what was left of a call that was. */
const goesWithErased = (world: World, { callSid, latest }: LoggedCall): boolean => {
  const { conversation_id: conversation } = latest.record;
  return world.mayBeErased(callSid) || (conversation !== null && world.mayBeErasedConversation(conversation));
};

/** An epoch is fixed when the log of the call is created: only a log that was set back has a new one. */
const checkEpochs = (world: World, call: LoggedCall, report: Report): void => {
  let before: Reading | null = null;
  for (const log of call.epochs.values()) {
    const first = log.readings[0];
    if (first === undefined) continue;
    const restored = before !== null && world.restoredAt > before.index;
    if (before !== null && !restored) report('I4', `call ${call.callSid} changed its epoch from ${before.record.epoch} to ${log.epoch}, and nothing was restored`, first.index);
    before = log.readings.at(-1) ?? first;
  }
};

const checkReadings = (log: EpochLog, report: Report): void => {
  let last = 0;
  for (const { record, index } of log.readings) {
    if (record.last_seq !== record.texts.length) report('I4', `${log.callSid} says that it goes to ${record.last_seq} and holds ${record.texts.length} places`, index);
    if (record.texts.length < last) report('I4', `${log.callSid} went to ${last} and goes to ${record.texts.length} now`, index);
    last = Math.max(last, record.texts.length);
    for (let place = 0; place < record.texts.length; place++) {
      const text = record.texts[place] ?? null;
      if (text === null) {
        if (!log.removed.has(place + 1)) report('I4', `event ${place + 1} of ${log.callSid} is missing, and nobody removed it`, index);
      } else if (text !== log.texts[place]) report('I4', `event ${place + 1} of ${log.callSid} was changed`, index);
    }
  }
};

const checkTexts = (log: EpochLog, report: Report): void => {
  const at = log.readings[0]?.index ?? null;
  let conversation: string | null = null;
  for (let place = 0; place < log.texts.length; place++) {
    const text = log.texts[place];
    if (text === null || text === undefined) continue;
    const event = log.events[place];
    if (event === null || event === undefined) {
      report('I4', `event ${place + 1} of ${log.callSid} is not JSON`, at);
      continue;
    }
    if (event.seq !== place + 1 || event.call_sid !== log.callSid) report('I4', `event ${place + 1} of ${log.callSid} calls itself ${event.seq} of ${event.call_sid}`, at);
    if (JSON.stringify(event) !== text) report('I4', `event ${place + 1} of ${log.callSid} is not the text that a reader writes again`, at);
    if (conversation !== null && event.conversation_id !== conversation) report('I4', `event ${place + 1} of ${log.callSid} names ${event.conversation_id ?? 'no conversation'} after ${conversation}`, at);
    conversation ??= event.conversation_id;
  }
  const latest = log.readings.at(-1);
  if (conversation !== null && latest !== undefined && latest.record.conversation_id !== conversation) {
    report('I4', `the events of ${log.callSid} name ${conversation}, the call ${latest.record.conversation_id ?? 'no conversation'}`, latest.index);
  }
};
