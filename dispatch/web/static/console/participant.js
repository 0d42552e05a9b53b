// @ts-check
// The floor participant (TS 24.380 6.2.4, profile of docs/protocol.md), as gateway/core/participant*.py has it for a
// vehicle, without its telephone and navigation. Pure: time comes in, words, voice commands and messages go out.

import { Procedures, State } from "./procedures.js";
import { RANK } from "./words.js";
import { TAIL_S } from "./timers.js";
import { TOLD } from "./schemas.js";
import { order } from "./talk.js";

export { State };

/** A dispatcher who presses again waits at most this long for the last burst's tail. */
const TAIL_BEFORE_NEXT_S = 0.5;

/** The inputs: the button, the server's words, link and microphone, time. What makes no sense in a state is discarded. */
export class Participant extends Procedures {
  // --- the button ---------------------------------------------------------------------------------------------------

  /** The button went down at `edgeAt`. @param {number} now @param {number} edgeAt @param {string} priority */
  press(now, edgeAt, priority) {
    const tail = this.state === State.PENDING_RELEASE && this.talk !== null && this.talk.draining;
    if (this.state !== State.NO_PERMISSION && this.state !== State.PENDING_RELEASE) return;
    const talk = this.newTalk(now, edgeAt, priority);
    if (!tail) {
      if (talk !== null) this.askFor(talk, now);
      return;
    }
    this.waiting = talk;
    this.timers.set("tail too long", Math.min(now + TAIL_BEFORE_NEXT_S, this.timers.at("tail too long", now + TAIL_S)));
  }

  /** The button went up. @param {number} now @param {number} at */
  keyUp(now, at) {
    this.limit.letGo(at, this.talk === null ? null : this.talk.limitAt);
    if (this.asks) this.cancel(now);
    else if (this.state === State.HAS_PERMISSION) this.endTalk(now, at);
    else if (this.state === State.PENDING_RELEASE) this.forgetWaiting();
  }

  /** Unkey and give back whatever is held or asked for. @param {number} now */
  stop(now) {
    this.forgetWaiting();
    if (this.talk !== null) this.abandon(now);
  }

  // --- what the server says -----------------------------------------------------------------------------------------

  /** Take a reply of the server; each in its state, else discarded and counted. @param {any} said @param {number} now */
  reply(said, now) {
    switch (said.type) {
      case "floor_granted":
        return this.asks ? this.granted(said, now) : this.releaseStray(said, now);
      case "floor_deny":
        return this.asks ? this.denied(said, now) : this.discard();
      case "floor_queued":
        return this.asks ? this.queued(said, now) : this.discard();
      case "floor_renewed":
        return this.holds ? this.renewed(said, now) : this.discard();
      case "floor_revoke":
        return this.holds ? this.revoked(said, now) : this.discard();
      case "floor_ack":
        return this.releases.acked(said.request_id) ? this.releaseAnswered() : undefined;
      default:
        return this.discard();
    }
  }

  /** A newer session is known (`around.session`). @param {any} session @param {number} now */
  sessionMoved(session, now) {
    this.followSession(session, now);
    this.releases.burstOver(session.burst - (session.current_speaker === this.around.user ? 1 : 0));
    this.settle();
  }

  followSession(session, now) {
    const talk = this.talk;
    if (!this.holds || talk === null || session.rev <= talk.grantedRev || this.isMine(session, talk)) return;
    if (session.burst === talk.burst) {
      if (session.ended === "limit") this.atLimit();
      this.say({ limit: TOLD.LIMIT_REACHED, preempted: TOLD.PREEMPTED }[session.ended] ?? TOLD.FLOOR_LOST);
    } else {
      this.say(RANK[session.priority] > RANK[talk.priority] ? TOLD.PREEMPTED : TOLD.FLOOR_LOST);
    }
    this.abandon(now);
  }

  // --- what link and microphone say ---------------------------------------------------------------------------------

  /** No answer can come (asking), or mute and keep the floor for a reconnection within the lease. @param {number} now */
  linkDown(now) {
    if (this.awaits) return;
    if (this.asks) {
      this.say(TOLD.NO_CONNECTION);
      this.abandon(now);
    } else if (this.holds) {
      this.hold();
    }
  }

  /** Whether a press waits for the link: not asked for yet. */
  get awaits() {
    return this.timers.running("link awaited");
  }

  /** The link that was waited for is there, or takes too long: ask over the one there is. @param {number} now */
  askAtLast(now) {
    const talk = this.live();
    const { problem } = this.around;
    if (problem !== null) {
      this.say(problem);
      return this.abandon(now);
    }
    this.timers.stop("link awaited");
    talk.connected(this.around.connectionId);
    return this.askNow(talk, now);
  }

  /** Renew over the new connection at once: the answer says whether the burst is still ours. @param {number} now */
  linkUp(now) {
    if (!this.holds) return;
    this.live().throughAt = now;
    this.renew(now);
  }

  /** Voice of `burst` up to `seq` had left by `at`. @param {number} burst @param {number} seq @param {number} at */
  through(burst, seq, at) {
    if (!this.holds || this.live().burst !== burst) return;
    this.live().throughAt = at;
    this.live().throughSeq = seq;
  }

  /** All was sent. @param {number[]} requestId @param {number|null} lastSeq @param {number} now */
  drained(requestId, lastSeq, now) {
    const talk = this.talk;
    if (this.state !== State.PENDING_RELEASE || talk === null || !talk.draining || order(talk.requestId, requestId) !== 0) {
      return this.discard();
    }
    talk.lastSeq = lastSeq;
    this.release(now);
  }

  /** Nothing can be sent any more. @param {string} told @param {number} now */
  voiceLost(told, now) {
    if (this.state === State.NO_PERMISSION || this.talk === null) return;
    this.say(told);
    this.abandon(now);
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  /** @param {number} now */
  tick(now) {
    if (this.awaits && !this.around.awaited) this.askAtLast(now);
    for (let name = this.timers.expire(now); name !== null; name = this.timers.expire(now)) this.due(name, now);
    this.releases.tick(now);
    this.settle();
  }

  /** When tick() has something to do, or null. */
  next() {
    const times = [this.timers.next(), this.releases.next()].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(.../** @type {number[]} */ (times));
  }

  due(name, now) {
    switch (name) {
      case "link awaited":
        return this.asks ? this.askAtLast(now) : undefined;
      case "ask again (T101)":
        return this.asks ? this.askAgain(now) : undefined;
      case "request unanswered":
        return this.asks ? this.giveUp(now) : undefined;
      case "renewal due":
        return this.holds ? this.renew(now) : undefined;
      case "lease unanswered":
        return this.holds ? this.hold() : undefined;
      case "burst unanswered":
        return this.holds ? this.unanswered(now) : undefined;
      case "limit near":
        return this.state === State.HAS_PERMISSION ? this.limitNear() : undefined;
      case "limit reached (T2)":
        return this.state === State.HAS_PERMISSION ? this.limitReached(now) : undefined;
      default:
        return this.state === State.PENDING_RELEASE && this.talk !== null ? this.tailOver(now) : undefined;
    }
  }
}
