// @ts-check
// Which frames may be heard: the burst and user that `session` announced, and no others. Pure; monotonic seconds.

import { ASK } from "./frames.js";
import { EARLY_FRAMES_S, HEARD_WAIT_S, PLAYED_SPREAD_S } from "./timers.js";

const EARLY_FRAMES_MAX = 512;
const EARLY_BURSTS_MAX = 4;
const REPORTS_MAX = 8;

export class Audience {
  /**
   * @param {{user: string, speaker: import("./types.js").Speaker, chance: () => number, now: () => number,
   *   count: (what: string) => void, played: () => void, beside?: (burst: number) => number,
   *   sounded?: (burst: number, first: {atMs: number, errorMs: number}) => void}} parts
   *   `played`: a report waits; `sounded`: the burst's first sample is at the loudspeaker; `beside`: frames' worth of a burst that sounded over the other way
   */
  constructor(parts) {
    this.parts = parts;
    /** The burst that may be heard now; 0 is none. */
    this.playing = 0;
    this.newest = 0;
    /** Bursts the speaker knows and has not played out. @type {Map<number, {user: string, lastSeq: number|null}>} */
    this.known = new Map();
    /** @type {Map<number, {user: string, frame: any, at: number}[]>} */
    this.early = new Map();
    /** @type {{due: number, until: number, burst: number, frames: number, concealed: number}[]} */
    this.reports = [];
  }

  /** Take a newer session. @param {any} session */
  session(session) {
    const speaker = session.current_speaker;
    const heard = speaker !== null && speaker !== this.parts.user;
    const now = heard ? session.burst : 0;
    if (this.playing !== 0 && this.playing !== now) {
      const drain = session.burst === this.playing && session.ended === "released";
      this.close(this.playing, drain, drain ? session.last_seq : null);
      this.playing = 0;
    }
    if (heard && session.burst > this.newest) {
      if (session.priority === "emergency") for (const burst of [...this.known.keys()]) this.close(burst, false, null);
      this.open(session.burst, speaker);
      this.playing = session.burst;
    }
    this.newest = Math.max(this.newest, session.burst);
    for (const burst of [...this.early.keys()]) if (burst <= this.newest) this.forget(burst, "old");
  }

  /** Take a frame that came on `user`'s topic. @param {string} user @param {import("./frames.js").VoiceFrame} frame */
  frame(user, frame) {
    if (user === this.parts.user) return this.parts.count("own");
    if ((frame.flags & ASK) !== 0) return this.parts.count("ask");
    const known = this.known.get(frame.burst);
    if (known !== undefined) {
      if (known.user !== user) return this.parts.count("wrong user");
      if (known.lastSeq !== null && frame.seq > known.lastSeq) return this.parts.count("after last");
      return this.give(user, frame);
    }
    if (frame.burst <= this.newest) return this.parts.count("old");
    return this.keep(user, frame);
  }

  /** The link was lost for good, or the console ends: nothing is heard any more. */
  silence() {
    for (const burst of [...this.known.keys()]) this.close(burst, false, null);
    this.playing = 0;
    this.early.clear();
  }

  /** Give the reports that are due, oldest first; those the office waits for no more are forgotten. @param {number} now */
  takeReports(now) {
    this.reports = this.reports.filter((one) => now < one.until);
    const due = this.reports.filter((one) => one.due <= now);
    this.reports = this.reports.filter((one) => one.due > now);
    return due.map(({ burst, frames, concealed }) => ({ burst, frames, concealed }));
  }

  /** When takeReports() has something to give, or null. */
  next() {
    return this.reports.length === 0 ? null : Math.min(...this.reports.map((one) => one.due));
  }

  // --- inside -------------------------------------------------------------------------------------------------------

  open(burst, user) {
    this.known.set(burst, { user, lastSeq: null });
    const onHeard = (first) => this.parts.sounded?.(burst, first);
    this.parts.speaker.open({ user, burst, onHeard, onPlayed: (played) => this.playedOut(burst, played) });
    const waiting = this.early.get(burst) ?? [];
    this.early.delete(burst);
    const fresh = this.parts.now() - EARLY_FRAMES_S;
    for (const one of waiting) {
      if (one.user !== user) this.parts.count("wrong user");
      else if (one.at < fresh) this.parts.count("early expired");
      else this.give(user, one.frame);
    }
  }

  give(user, { burst, seq, captureMs, flags, opus }) {
    this.parts.speaker.frame({ user, burst, seq, captureMs, flags, opus });
  }

  close(burst, drain, lastSeq) {
    const known = this.known.get(burst);
    if (known === undefined) return;
    if (drain) known.lastSeq = lastSeq;
    else this.known.delete(burst);
    this.parts.speaker.close(burst, { drain, lastSeq });
  }

  playedOut(burst, { frames, concealed }) {
    this.known.delete(burst);
    const beside = this.parts.beside?.(burst) ?? 0;
    if (!(frames + beside > 0)) return;
    const now = this.parts.now();
    const due = now + PLAYED_SPREAD_S * this.parts.chance();
    const report = { burst, frames: Math.round(frames + beside), concealed: Math.round(Math.max(0, concealed - beside)) };
    this.reports.push({ due, until: now + HEARD_WAIT_S, ...report });
    this.reports = this.reports.slice(-REPORTS_MAX);
    this.parts.played();
  }

  keep(user, frame) {
    const now = this.parts.now();
    for (const [burst, frames] of [...this.early]) {
      const fresh = frames.filter((one) => now - one.at <= EARLY_FRAMES_S);
      if (fresh.length < frames.length) this.parts.count("early expired");
      if (fresh.length === 0) this.early.delete(burst);
      else this.early.set(burst, fresh);
    }
    const kept = [...this.early.values()].reduce((sum, frames) => sum + frames.length, 0);
    const room = this.early.has(frame.burst) || this.early.size < EARLY_BURSTS_MAX;
    if (kept >= EARLY_FRAMES_MAX || !room) return this.parts.count("early full");
    this.early.set(frame.burst, [...(this.early.get(frame.burst) ?? []), { user, frame, at: now }]);
    return undefined;
  }

  forget(burst, why) {
    this.early.delete(burst);
    this.parts.count(why);
  }
}
