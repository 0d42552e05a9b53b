// @ts-check
// From what the engine knows to what the page shows (types.js, View). Pure.

import { State } from "./participant.js";
import { TOLD } from "./schemas.js";

/** @type {readonly string[]} */
const DENIED = [
  TOLD.DENIED,
  TOLD.EMERGENCY_ON,
  TOLD.QUEUE_FULL,
  TOLD.OFFICE_FULL,
  TOLD.REFUSED,
  TOLD.NOT_ALLOWED,
  TOLD.NOT_ADMITTED,
  TOLD.NOBODY_THERE,
];
/** "2호차" before "10호차". */
const BY_NUMBER = new Intl.Collator(undefined, { numeric: true });
/** @type {readonly string[]} */
const REVOKED = [TOLD.PREEMPTED, TOLD.REVOKED, TOLD.LIMIT_REACHED];
/** @type {readonly string[]} */
const FAILED = [TOLD.NO_CONNECTION, TOLD.NO_ANSWER, TOLD.NO_VOICE, TOLD.NO_MICROPHONE, TOLD.FLOOR_LOST, TOLD.LET_GO];

/** How a press ended by a word, or null where the word ends none. @param {string} told */
export function outcomeOf(told) {
  if (DENIED.includes(told)) return "denied";
  if (REVOKED.includes(told)) return "revoked";
  return FAILED.includes(told) ? "failed" : null;
}

/**
 * @param {import("./participant.js").Participant} participant
 * @param {"denied"|"revoked"|"failed"|null} outcome of the press that is still down
 * @returns {import("./types.js").FloorState}
 */
export function floorOf(participant, outcome) {
  const talk = participant.talk;
  if (talk === null) return outcome ?? "idle";
  if (participant.state === State.PENDING_REQUEST) return "asking";
  if (participant.state === State.QUEUED) return "queued";
  if (talk.draining) return "ending";
  if (talk.permitted) return "talking";
  return talk.spoke ? "unheard" : "asking";
}

/** @param {any} session @param {string} user @returns {import("./types.js").View["speaker"]} */
export function speakerOf(session, user) {
  if (session === null || session.current_speaker === null) return null;
  const { current_speaker: who, speaker_name: name, priority, burst } = session;
  return { user: who, name: name || who, mine: who === user, priority, burst };
}

/** @param {any} roster @returns {import("./types.js").View["members"]} */
export function membersOf(roster) {
  const members = roster === null ? [] : roster.members;
  return members
    .map(({ user, name, state, app_type, in_channel }) => ({ user, name: name || user, state, app_type, in_channel }))
    .sort((a, b) => BY_NUMBER.compare(a.name, b.name) || BY_NUMBER.compare(a.user, b.user));
}

/**
 * @param {Map<string, any>} alerts emergencies by user
 * @param {import("./types.js").View["members"]} members
 * @returns {import("./types.js").View["emergencies"]}
 */
export function emergenciesOf(alerts, members) {
  const names = new Map(members.map((one) => [one.user, one.name]));
  return [...alerts]
    .map(([user, { since, what }]) => ({ user, name: names.get(user) ?? user, since, what }))
    .sort((a, b) => a.since - b.since);
}

const BURST = "burst/";

/**
 * What of the dashboard's changes are talks, by their number; all else is passed over.
 * @param {Map<number, any>} talks @param {{whole?: boolean, put: Record<string, any>, gone: string[]}} said
 */
export function takeTalks(talks, { whole, put, gone }) {
  if (whole) talks.clear();
  const number = (/** @type {string} */ key) => (key.startsWith(BURST) ? Number(key.slice(BURST.length)) : null);
  for (const [key, value] of Object.entries(put)) {
    const burst = number(key);
    if (burst !== null) talks.set(burst, value);
  }
  for (const burst of gone.map(number)) if (burst !== null) talks.delete(burst);
}
