// What is heard of the bursts the engine opened, 10 ms at a time: at most one sounds, and one waits behind the tail of the
// one before. As voice/core/listen.py and voice/ear.py do it. Pure: times are seconds passed in.

import { Hurry } from "./hurry.js";
import { CONCEAL_MAX_S, JitterBuffer } from "./jitter.js";
import { PERIOD_S_MAX, invent } from "./stretch.js";

export const STEP_S = 0.01;
/** What is missing of a released burst is waited for so long... */
export const DRAIN_S = 0.5;
/** ...and what waits of it is heard for so long at most... */
export const TAIL_HEARD_S = 2.5;
/** ...or so long, where another one waits behind it. */
export const NEXT_WAITS_S = 2;
const PACKETS_AT_ONCE_MAX = 16;

class Heard {
  constructor(burst) {
    this.burst = burst;
    this.buffer = new JitterBuffer(STEP_S);
    this.stopped = false;
    /** @type {number|null} */
    this.lastSeq = null;
    this.deadline = Infinity;
    this.until = Infinity;
    /** Packets that were rendered and did not sound. */
    this.silent = 0;
  }

  drainFrom(now) {
    this.deadline = Math.min(this.deadline, now + DRAIN_S);
    this.until = Math.min(this.until, now + TAIL_HEARD_S);
  }

  get due() {
    return this.buffer.empty ? this.deadline : Math.max(this.deadline, this.until);
  }

  get drained() {
    if (this.buffer.over) return true;
    return this.stopped && (this.lastSeq == null ? this.buffer.empty : this.buffer.reached(this.lastSeq));
  }
}

export class Playout {
  /** @param {number} rate samples a second */
  constructor(rate) {
    this.rate = rate;
    this.need = Math.round(STEP_S * rate);
    this.queue = new Hurry(rate);
    /** @type {Heard|null} */
    this.now = null;
    /** @type {Heard|null} */
    this.behind = null;
    /** @type {{burst: number, frames: number, concealed: number}[]} */
    this.ended = [];
    /** @type {{burst: number, atS: number}[]} */
    this.begun = [];
    this.hushed = false;
    /** @type {Float32Array} what was queued last, to invent from */
    this.before = new Float32Array(0);
    /** @type {Float32Array} invented, and not yet queued */
    this.invented = new Float32Array(0);
  }

  /** A burst may be heard. @param {number} burst @param {number} now */
  open(burst, now) {
    this.tick(now);
    if (this.behind) this.end(this.behind);
    this.behind = null;
    const coming = new Heard(burst);
    if (this.now?.stopped) {
      this.now.until = Math.min(this.now.until, now + NEXT_WAITS_S);
      this.behind = coming;
    } else {
      this.endNow();
      this.now = coming;
    }
  }

  /**
   * A frame, decoded; one that is not to be heard is dropped.
   * @param {number} burst @param {import("./jitter.js").Waiting} packet @param {number} now
   */
  put(burst, packet, now) {
    const heard = this.find(burst);
    if (heard && (heard.lastSeq == null || packet.seq <= heard.lastSeq)) heard.buffer.put(packet, now);
  }

  /** @param {number} burst @param {{drain: boolean, lastSeq: number|null}} how @param {number} now */
  close(burst, { drain, lastSeq }, now) {
    const heard = this.find(burst);
    if (!heard) return;
    if (!drain && heard === this.now) this.endNow();
    else if (!drain) {
      this.end(heard);
      this.behind = null;
    } else {
      if (!heard.stopped) heard.lastSeq = lastSeq;
      heard.stopped = true;
      if (heard === this.now) heard.drainFrom(now);
    }
    this.tick(now);
  }

  /** Give the next step; null: silence, nothing is there. @param {number} now @returns {Float32Array|null} */
  render(now) {
    this.tick(now);
    this.fill(now);
    const part = this.queue.take(this.need);
    if (!part.length) return null;
    const out = new Float32Array(this.need);
    if (!this.hushed) out.set(part);
    return out;
  }

  /** Every burst that ended since the last call, once. */
  takeEnded() {
    return this.ended.splice(0);
  }

  /** Every burst whose first sample was queued since the last call, aloud, and when it sounds; once. */
  takeBegun() {
    return this.begun.splice(0);
  }

  /** Whether there is nothing to do until the next open(). */
  get atRest() {
    return !this.now && this.queue.aheadS === 0;
  }

  fill(now) {
    const { queue, need } = this;
    for (let count = 0; count < 4 * PACKETS_AT_ONCE_MAX && queue.ready < queue.wanted(need); count += 1) {
      const buffer = this.now?.buffer;
      if (!buffer || buffer.empty || count >= PACKETS_AT_ONCE_MAX) {
        if (queue.ready >= need) return;
        if (queue.release()) continue;
      } else if (queue.ready >= need && queue.kept.length) return;
      if (!this.now) return;
      const out = this.now.buffer.pull(now, queue.aheadS);
      if (out.kind === "packet") this.append(out, now);
      else if (out.kind === "conceal") this.conceal(out.durationS);
      else if (this.now.drained) this.tick(now);
      else return;
    }
  }

  append({ pcm, spareS, first }, now) {
    if (first) {
      this.queue.begin();
      if (this.now && !this.hushed) this.begun.push({ burst: this.now.burst, atS: now + this.queue.aheadS });
      this.before = new Float32Array(0);
    }
    if (this.hushed && this.now) this.now.silent += 1;
    this.invented = new Float32Array(0);
    this.remember(pcm);
    this.queue.add(pcm, spareS);
  }

  conceal(durationS) {
    const count = Math.round(durationS * this.rate);
    if (this.invented.length < count) this.invented = invent(this.before, Math.round(CONCEAL_MAX_S * this.rate), this.rate, 1, 0);
    this.queue.addPlain(this.invented.subarray(0, count));
    this.invented = this.invented.slice(count);
    this.queue.spliced = true;
  }

  remember(pcm) {
    const most = Math.round(3 * PERIOD_S_MAX * this.rate);
    const whole = new Float32Array(this.before.length + pcm.length);
    whole.set(this.before);
    whole.set(pcm, this.before.length);
    this.before = whole.slice(Math.max(0, whole.length - most));
  }

  find(burst) {
    return [this.now, this.behind].find((heard) => heard?.burst === burst) ?? null;
  }

  tick(now) {
    while (this.now && (this.now.drained || now >= this.now.due)) {
      this.endNow();
      this.now = this.behind;
      this.behind = null;
      if (this.now?.stopped) this.now.drainFrom(now);
    }
  }

  endNow() {
    if (!this.now) return;
    if (!this.now.drained) this.queue.clear();
    this.end(this.now);
    this.now = null;
  }

  end(heard) {
    const { played, concealed } = heard.buffer;
    this.ended.push({ burst: heard.burst, frames: played - heard.silent, concealed: concealed + heard.silent });
  }
}
