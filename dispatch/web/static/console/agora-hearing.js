// @ts-check
// Which of the two ways of an announced burst is heard, and when to ask for MQTT's. Pure: moments are passed in, ms.
//
// docs/protocol.md "Voice over two ways": MQTT's frames count where they are there; Agora's track sounds only while they
// are not, and never beside them; who hears nothing of either asks.

import { AGORA_ASK_REPEAT_S, AGORA_ASK_S } from "./timers.js";

const ASK_MS = AGORA_ASK_S * 1000;
const REPEAT_MS = AGORA_ASK_REPEAT_S * 1000;
/** An ASK waits this long at most, at random: the first one may spare all others. */
export const SPREAD_MS = 100;
/** The first frame of a burst may take this long from its announcement: the speaker must hear of its grant first. */
export const FIRST_MS = 600;
/** Agora that brings nothing but silence for this long brings nothing. */
export const SILENT_MS = 1500;
/** MQTT that brings nothing for this long has stopped. */
export const DRY_MS = 100;
/** So much later than MQTT's frames Agora brings the same speech: what waits to be played is not heard twice. */
export const LAG_MS = 250;

export class AgoraHearing {
  /** @param {() => number} [chance] 0 up to 1 */
  constructor(chance = Math.random) {
    this.chance = chance;
    /** @type {number|null} */
    this.burst = null;
    this.user = "";
    this.uid = 0;
    /** Agora's channel is joined. */
    this.joined = false;
    this.mayAsk = false;
    this.handover = false;
    /** @type {number|null} when MQTT's newest frame came */
    this.frameAt = null;
    this.playAt = 0;
    this.freshAt = 0;
    this.soundAt = 0;
    this.notBefore = 0;
    this.spread = 0;
  }

  /** `user` speaks `burst` by the server's announcement. @param {{burst: number, user: string, uid: number}} what uid 0: never over Agora @param {number} now */
  play({ burst, user, uid }, now) {
    if (burst === this.burst) {
      this.uid = uid;
      this.mayAsk ||= uid !== 0;
      return;
    }
    this.burst = burst;
    this.user = user;
    this.uid = uid;
    this.mayAsk = uid !== 0;
    this.handover = false;
    this.frameAt = null;
    this.playAt = now;
    this.freshAt = now + FIRST_MS - ASK_MS;
    this.soundAt = this.notBefore = now;
    this.spread = this.chance() * SPREAD_MS;
  }

  /** The burst (null: whichever) is over: nothing more of it is missed. @param {number|null} burst */
  over(burst = null) {
    if (burst === null || burst === this.burst) this.burst = null;
  }

  /** A frame of a burst came over MQTT. @param {{burst: number, handover: boolean}} what @param {number} now */
  frame({ burst, handover }, now) {
    if (burst !== this.burst) return;
    this.frameAt = now;
    this.handover = handover;
    this.heard(now);
    if (handover) {
      this.mayAsk = true;
      if (!this.joined) this.freshAt = now - ASK_MS;
    }
  }

  /** Agora's track of the burst was looked at; `loud`: there was sound in it. @param {boolean} loud @param {number} now */
  sound(loud, now) {
    if (this.burst === null) return;
    if (loud) this.soundAt = now;
    if (now - this.soundAt < SILENT_MS) this.heard(now);
  }

  /** Somebody else asked for the burst. @param {number} burst @param {number} now */
  asked(burst, now) {
    if (burst === this.burst) this.notBefore = Math.max(this.notBefore, now + REPEAT_MS);
  }

  /** Whether Agora's track is to sound now. @param {number} now */
  aloud(now) {
    return this.aloudFrom() <= now;
  }

  /** From when on Agora's track sounds, if nothing else happens; Infinity: not at all. */
  aloudFrom() {
    if (this.burst === null || !this.joined || this.uid === 0) return Infinity;
    if (this.frameAt === null) return this.playAt + LAG_MS;
    return this.frameAt + (this.handover ? LAG_MS : DRY_MS + LAG_MS);
  }

  /** The burst to ask for now, or null. @param {number} now */
  ask(now) {
    if (now < this.askFrom()) return null;
    this.notBefore = now + REPEAT_MS;
    this.spread = this.chance() * SPREAD_MS;
    return this.burst;
  }

  /** When `ask` must be called at the latest; Infinity: never. */
  askFrom() {
    if (this.burst === null || !this.mayAsk) return Infinity;
    return Math.max(this.freshAt + ASK_MS, this.notBefore) + this.spread;
  }

  /** @param {number} now */
  heard(now) {
    if (now <= this.freshAt) return;
    if (now - this.freshAt > ASK_MS / 4) this.spread = this.chance() * SPREAD_MS;
    this.freshAt = now;
  }
}
