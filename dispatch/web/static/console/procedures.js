// @ts-check
// Procedures of the floor participant: asking, holding, ending; participant.js says which input runs which. Pure.

import { RANK } from "./words.js";
import { Releases, Talk, TalkLimit, Timers, order } from "./talk.js";
import { TOLD } from "./schemas.js";
import {
  FIRST_RENEW_S,
  LOST_S,
  QUEUED_GIVE_UP_S,
  QUEUED_REFRESH_S,
  RENEW_S,
  REQUEST_GIVE_UP_S,
  REQUEST_RETRANSMIT_S,
  TAIL_S,
  TALK_WARNING_S,
  VOICE_THROUGH_S,
} from "./timers.js";

/** A press waits so long for credentials that are being changed: within this and one answer it would be given up. */
const LINK_WAIT_S = 1.5;

/** States, with the standard's names. */
export const State = Object.freeze({
  NO_PERMISSION: "U: has no permission",
  PENDING_REQUEST: "U: pending Request",
  HAS_PERMISSION: "U: has permission",
  PENDING_RELEASE: "U: pending Release",
  QUEUED: "U: queued",
});
const { NO_PERMISSION, PENDING_REQUEST, HAS_PERMISSION, PENDING_RELEASE, QUEUED } = State;

const DENIED_TOLD = Object.freeze({
  another_has_permission: TOLD.DENIED,
  queue_full: TOLD.QUEUE_FULL,
  receive_only: TOLD.NOT_ALLOWED,
  not_admitted: TOLD.NOT_ADMITTED,
  no_resources: TOLD.OFFICE_FULL,
  only_participant: TOLD.NOBODY_THERE,
  internal_error: TOLD.NO_ANSWER,
  retry_after: TOLD.REFUSED,
  other: TOLD.REFUSED,
});

/**
 * What the machine knows and uses of its surroundings.
 * @typedef {object} Surroundings
 * @property {string} user
 * @property {number[]} connectionId
 * @property {boolean} linkUp
 * @property {string|null} problem a word of TOLD that makes a press useless at once
 * @property {boolean} [awaited] new credentials are on their way or being connected with: a press waits for them
 * @property {any} session the newest known, or null
 * @property {(message: object, again: boolean) => void} floor sends only while the link is up
 * @property {(command: {do: "arm"|"open"|"hold"|"up"|"mute", requestId: number[], burst: number, at: number}) => void} voice
 * @property {(what: string, pressNo: number, more?: {name?: string, remainingS?: number|null, count?: number}) => void} tell
 */

/** State, and the moves between the inputs. */
export class Procedures {
  /** @param {Surroundings} around */
  constructor(around) {
    this.around = around;
    this.releases = new Releases((message, again) => around.floor(message, again));
    this.timers = new Timers();
    this.limit = new TalkLimit();
    /** @type {string} */
    this.state = NO_PERMISSION;
    /** @type {Talk|null} */
    this.talk = null;
    /** @type {Talk|null} */
    this.waiting = null;
    this.presses = 0;
    this.discarded = 0;
  }

  // --- asking -------------------------------------------------------------------------------------------------------

  get asks() {
    return this.state === PENDING_REQUEST || this.state === QUEUED;
  }

  get holds() {
    return this.state === HAS_PERMISSION || (this.state === PENDING_RELEASE && this.talk !== null);
  }

  newTalk(now, edgeAt, priority) {
    this.presses += 1;
    const problem = this.hindrance ?? (this.limit.counts(edgeAt) ? null : TOLD.LET_GO);
    if (problem !== null) {
      this.around.tell(problem, this.presses);
      return null;
    }
    const talk = new Talk([...this.around.connectionId, this.presses], edgeAt, now, priority);
    talk.limitAt = this.limit.runsOn(edgeAt);
    this.arm(talk, edgeAt);
    return talk;
  }

  /** What makes it useless to ask, now or in a moment: null or a word of TOLD. */
  get hindrance() {
    return this.around.awaited ? null : this.around.problem;
  }

  arm(talk, at) {
    if (talk.armed) return;
    talk.armed = true;
    this.voice("arm", talk, at);
  }

  askFor(talk, now) {
    this.talk = talk;
    this.enter(PENDING_REQUEST);
    if (this.around.awaited) return this.timers.set("link awaited", now + LINK_WAIT_S);
    return this.askNow(talk, now);
  }

  askNow(talk, now) {
    talk.baseline = now;
    this.ask(talk, false);
    this.timers.set("ask again (T101)", now + REQUEST_RETRANSMIT_S);
    this.timers.set("request unanswered", talk.askedAt + REQUEST_GIVE_UP_S);
  }

  ask(talk, again) {
    this.around.floor({ type: "floor_request", request_id: talk.requestId, priority: talk.priority }, again);
  }

  askAgain(now) {
    this.ask(this.live(), true);
    this.timers.set("ask again (T101)", now + (this.state === QUEUED ? QUEUED_REFRESH_S : REQUEST_RETRANSMIT_S));
  }

  giveUp(now) {
    this.say(TOLD.NO_ANSWER);
    this.abandon(now);
  }

  cancel(now) {
    this.say(TOLD.CANCELLED);
    this.abandon(now);
  }

  denied(deny, now) {
    const talk = this.live();
    if (order(deny.request_id, talk.requestId) !== 0) return this.discard();
    const taken = deny.cause === "another_has_permission" || deny.cause === "queue_full";
    const told = taken && deny.priority === "emergency" ? TOLD.EMERGENCY_ON : DENIED_TOLD[deny.cause];
    const name = deny.speaker_name || deny.speaker || "";
    this.around.tell(told, talk.pressNo, { name, remainingS: deny.remaining_s });
    this.voice("mute", talk, now);
    this.end(now);
  }

  queued(position, now) {
    const talk = this.live();
    if (order(position.request_id, talk.requestId) !== 0) return this.discard();
    if (this.state !== QUEUED) {
      talk.armed = false;
      talk.limitAt = null;
      this.voice("mute", talk, now);
      this.enter(QUEUED);
      talk.waited = true;
      this.timers.set("ask again (T101)", now + QUEUED_REFRESH_S);
    }
    this.timers.set("request unanswered", now + QUEUED_GIVE_UP_S);
    if (position.position !== talk.position) {
      talk.position = position.position;
      this.around.tell(TOLD.QUEUED, talk.pressNo, { count: position.position });
    }
  }

  // --- holding ------------------------------------------------------------------------------------------------------

  granted(grant, now) {
    const talk = this.live();
    if (order(grant.request_id, talk.requestId) !== 0) return this.releaseStray(grant, now);
    const session = this.around.session;
    talk.burst = grant.burst;
    talk.grantedRev = grant.rev;
    if (session !== null && session.rev > grant.rev && !this.isMine(session, talk)) {
      this.say(TOLD.FLOOR_LOST);
      return this.abandon(now);
    }
    if (this.state === QUEUED) {
      talk.askedAt = now;
      talk.baseline = now - FIRST_RENEW_S;
    }
    this.arm(talk, now);
    talk.leaseS = grant.lease_s;
    const runsOnS = talk.limitAt === null ? grant.duration_s : talk.limitAt - now;
    talk.durationS = Math.max(0, Math.min(grant.duration_s, runsOnS));
    talk.limitAt = now + talk.durationS;
    talk.throughAt = now;
    const certain = now < talk.leaseEnds;
    this.enter(HAS_PERMISSION);
    this.timers.set("limit reached (T2)", now + talk.durationS);
    this.timers.set("limit near", now + Math.max(0, talk.durationS - TALK_WARNING_S));
    this.timers.set("burst unanswered", certain ? now + LOST_S : talk.askedAt + REQUEST_GIVE_UP_S);
    if (certain) this.permit(now);
    this.renew(now);
  }

  /** A grant nobody wants (any more): give it back at once. */
  releaseStray(grant, now) {
    const talk = this.talk;
    if (talk !== null && order(talk.requestId, grant.request_id) === 0 && talk.burst === grant.burst) return;
    if (!this.releases.has(grant.request_id)) this.releases.send(grant.request_id, grant.burst, null, now);
  }

  permit(now) {
    const talk = this.live();
    talk.permitted = true;
    talk.toldUnheard = false;
    talk.throughAt = now;
    this.voice("open", talk, talk.leaseEnds);
    this.timers.set("lease unanswered", talk.leaseEnds);
    if (talk.spoke) return this.say(TOLD.HEARD_AGAIN);
    talk.spoke = true;
    this.say(talk.waited ? TOLD.TURN_CAME : TOLD.GRANTED);
  }

  /** Renew, unless voice does not get through: then the floor must not be kept from others. */
  renew(now) {
    const talk = this.live();
    this.timers.set("renewal due", now + (talk.confirmed ? RENEW_S : REQUEST_RETRANSMIT_S));
    const through = now - talk.throughAt <= VOICE_THROUGH_S;
    const again = talk.sent.size > 0;
    const unanswered = again && !talk.permitted;
    if (!this.around.linkUp || !(through || unanswered || !talk.confirmed)) return;
    talk.renewNo += 1;
    talk.sent.set(talk.renewNo, now);
    this.around.floor({ type: "floor_renew", burst: talk.burst, renew_no: talk.renewNo }, again);
  }

  renewed(answer, now) {
    const talk = this.live();
    const first = !talk.confirmed;
    if (answer.burst !== talk.burst || !talk.renewed(answer.renew_no)) return this.discard();
    if (first) this.timers.set("renewal due", Math.max(talk.baseline + RENEW_S, now));
    if (now >= talk.leaseEnds) return;
    this.timers.set("burst unanswered", Math.max(talk.baseline + LOST_S, now));
    if (!talk.permitted) return this.permit(now);
    this.voice("open", talk, talk.leaseEnds);
    this.timers.set("lease unanswered", talk.leaseEnds);
  }

  /** The server may have given the floor away by now: mute, tell, resume if the same burst is answered. */
  hold() {
    const talk = this.live();
    if (!talk.permitted) return;
    talk.permitted = false;
    this.timers.stop("lease unanswered");
    this.voice("hold", talk, 0);
    if (talk.toldUnheard) return;
    talk.toldUnheard = true;
    this.say(TOLD.NOT_HEARD);
  }

  limitNear() {
    this.live().ending = true;
    this.say(TOLD.LIMIT_NEAR);
  }

  // --- ending -------------------------------------------------------------------------------------------------------

  /** Capture ends; the floor is kept, renewed, until the last frame is sent. */
  endTalk(now, at) {
    const talk = this.live();
    if (!talk.spoke) return this.cancel(now);
    talk.draining = true;
    this.timers.stop("limit reached (T2)", "limit near");
    this.timers.set("tail too long", now + TAIL_S);
    this.state = PENDING_RELEASE;
    this.voice("up", talk, at);
  }

  limitReached(now) {
    this.atLimit();
    this.say(TOLD.LIMIT_REACHED);
    this.endTalk(now, now);
  }

  atLimit() {
    this.limit.reached();
  }

  /** The tail takes too long: release with what got through. */
  tailOver(now) {
    const talk = this.live();
    talk.lastSeq = talk.throughSeq;
    this.voice("mute", talk, now);
    this.release(now);
  }

  release(now) {
    const talk = this.live();
    this.say(TOLD.TALK_ENDED);
    this.releases.send(talk.requestId, talk.burst, talk.lastSeq, now);
    this.end(now, PENDING_RELEASE);
  }

  /** The release is acknowledged, or its burst announced over. */
  releaseAnswered() {
    if (this.state === PENDING_RELEASE && this.talk === null) this.state = NO_PERMISSION;
  }

  /** `U: pending Release` ends with the last release answered, announced over, or given up. */
  settle() {
    if (this.releases.open.size === 0) this.releaseAnswered();
  }

  revoked(revoke, now) {
    const talk = this.live();
    if (revoke.burst !== talk.burst) return this.discard();
    if (revoke.cause === "burst_too_long") this.atLimit();
    this.say({ preempted: TOLD.PREEMPTED, burst_too_long: TOLD.LIMIT_REACHED }[revoke.cause] ?? TOLD.REVOKED);
    this.abandon(now);
  }

  unanswered(now) {
    this.say(this.live().spoke ? TOLD.FLOOR_LOST : TOLD.NO_ANSWER);
    this.abandon(now);
  }

  /** Mute, and give back the request with whatever it may have been granted. */
  abandon(now) {
    const talk = this.live();
    this.voice("mute", talk, now);
    this.releases.send(talk.requestId, talk.burst || null, null, now);
    this.end(now);
  }

  // --- inside -------------------------------------------------------------------------------------------------------

  /** Forget the talk; a press that waited for its tail is asked for now. @param {number} now @param {string} state */
  end(now, state = NO_PERMISSION) {
    this.talk = null;
    const waiting = this.waiting;
    this.waiting = null;
    this.enter(state);
    if (waiting === null) return;
    const problem = this.hindrance;
    if (problem === null) return this.askFor(waiting, now);
    this.voice("mute", waiting, now);
    return this.around.tell(problem, waiting.pressNo);
  }

  forgetWaiting() {
    const waiting = this.waiting;
    if (waiting === null) return;
    this.waiting = null;
    this.voice("mute", waiting, 0);
    this.around.tell(TOLD.CANCELLED, waiting.pressNo);
  }

  isMine(session, talk) {
    return session.burst === talk.burst && session.current_speaker === this.around.user;
  }

  enter(state) {
    this.timers.stop();
    this.state = state;
  }

  say(what) {
    this.around.tell(what, this.live().pressNo);
  }

  voice(what, talk, at) {
    this.around.voice({ do: what, requestId: talk.requestId, burst: talk.burst, at });
  }

  discard() {
    this.discarded += 1;
  }

  /** @returns {Talk} */
  live() {
    if (this.talk === null) throw new Error(`${this.state} without a talk`);
    return this.talk;
  }
}
