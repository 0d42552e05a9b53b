// @ts-check
// The console's presence and heartbeats: ordered, spread out, and put right where the retained one is wrong
// (gateway/core/presence.py). Pure; monotonic seconds.

import { HEARTBEAT_ACK_S, HEARTBEAT_RETRY_S, HEARTBEAT_S, JOIN_SPREAD_S } from "./timers.js";
import { Timers, order } from "./talk.js";

/** Of a last will: newer than anything the connection says itself. */
export const WILL_NO = Number.MAX_SAFE_INTEGER;
const CORRECT_EVERY_S = 1;

export class Presence {
  /**
   * @param {{who: {name: string, device_info: string}, chance: () => number,
   *   publish: (kind: "PRESENCE"|"HEARTBEAT", message: object, acked: () => void) => void}} parts
   */
  constructor(parts) {
    this.parts = parts;
    this.timers = new Timers();
    this.connectionId = [0, 0, 0];
    this.no = 0;
    this.beatNo = 0;
    this.joinedAt = 0;
    this.up = false;
    /** @type {string|null} */
    this.inChannel = null;
    /** @type {string|null} */
    this.told = null;
    /** What is heard in that channel. @type {"mqtt"|"agora"} */
    this.over = "mqtt";
    /** @type {"mqtt"|"agora"} */
    this.toldOver = "mqtt";
    this.burst = 0;
  }

  /** The last will of a connection. @param {number[]} connectionId */
  will(connectionId) {
    return this.message("lost", connectionId, WILL_NO, { reason: "connection lost" });
  }

  /** Say hello on a new connection, and beat from now on. @param {number[]} connectionId @param {number} now @param {number} wallMs */
  connected(connectionId, now, wallMs) {
    this.connectionId = connectionId;
    this.no = 0;
    this.beatNo = 0;
    this.joinedAt = wallMs;
    this.up = true;
    this.timers.stop();
    this.say("online");
    this.timers.set("beat", now + HEARTBEAT_S * (0.5 + this.parts.chance() / 2));
  }

  disconnected() {
    this.up = false;
    this.timers.stop();
  }

  /** The session's channel was joined or left. @param {string|null} eventId @param {number} now @param {"mqtt"|"agora"} over */
  channel(eventId, now, over = "mqtt") {
    if (eventId === this.inChannel && over === this.over) return;
    this.inChannel = eventId;
    this.over = over;
    if (this.up && !this.timers.running("channel")) this.timers.set("channel", now + JOIN_SPREAD_S * this.parts.chance());
  }

  /**
   * Look at the broker's copy of the own presence. "mine": nothing to do, or it is put right; "outdo": a newer one of
   * this user is dead, and must be outdone by a newer connection; "elsewhere": another console of this user is online.
   * @param {any} seen @param {number} now @returns {"mine"|"outdo"|"elsewhere"}
   */
  retained(seen, now) {
    const dead = seen.state === "lost" || seen.state === "offline";
    const by = order(seen.connection_id, this.connectionId);
    if (by === 0 && seen.presence_no === WILL_NO) return dead ? "outdo" : "mine";
    if (by > 0) return dead ? "outdo" : "elsewhere";
    if (by === 0 && seen.presence_no === this.no && seen.state === "online") return "mine";
    const older = by < 0 || seen.presence_no <= this.no;
    if (older && !dead && seen.connection_id[0] === this.connectionId[0]) return "mine";
    if (by === 0) this.no = Math.max(this.no, seen.presence_no);
    if (!this.timers.running("correct")) this.timers.set("correct", Math.max(now, this.correctedAt + CORRECT_EVERY_S));
    return "mine";
  }

  correctedAt = -Infinity;

  /** Say good-bye before a clean disconnection. */
  goodbye() {
    if (!this.up) return;
    this.inChannel = null;
    this.say("offline");
    this.disconnected();
  }

  /** @param {number} now */
  tick(now) {
    for (let name = this.timers.expire(now); name !== null; name = this.timers.expire(now)) {
      if (name === "channel" && (this.inChannel !== this.told || this.over !== this.toldOver)) this.say("online");
      else if (name === "correct") this.correct(now);
      else if (name === "unacked") this.timers.set("beat", now + HEARTBEAT_RETRY_S);
      else if (name === "beat") this.beat(now);
    }
  }

  next() {
    return this.timers.next();
  }

  // --- inside -------------------------------------------------------------------------------------------------------

  correct(now) {
    this.correctedAt = now;
    this.say("online");
  }

  beat(now) {
    this.beatNo += 1;
    const no = this.beatNo;
    const heartbeat = { type: "heartbeat", connection_id: this.connectionId, beat_no: no, burst: this.burst };
    this.timers.set("beat", now + HEARTBEAT_S);
    this.timers.set("unacked", now + HEARTBEAT_ACK_S);
    this.parts.publish("HEARTBEAT", heartbeat, () => no === this.beatNo && this.timers.stop("unacked"));
  }

  say(state) {
    this.no += 1;
    this.told = this.inChannel;
    this.toldOver = this.over;
    this.parts.publish("PRESENCE", this.message(state, this.connectionId, this.no, { in_channel: this.inChannel }), () => {});
  }

  message(state, connectionId, no, more) {
    const { name, device_info } = this.parts.who;
    const who = { app_type: "call_manager", name, device_info, voice: this.over, joined_at: this.joinedAt || null };
    return { type: "presence", state, connection_id: connectionId, presence_no: no, ...who, ...more };
  }
}
