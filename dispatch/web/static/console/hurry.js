// Working off delay: sound waits here to be played, a little faster than it was spoken where it is late. Speech loses
// single periods of its pitch, at most up to SPEED_MAX; long pauses become short ones; no word is ever left out. As
// voice/hurry.py does it. Pure.

import { PERIOD_S_MAX, isQuiet, join, shorten } from "./stretch.js";

/** Speech played faster than this is understood with effort (docs/adr/0016-delay-worked-off.md). */
export const SPEED_MAX = 1.25;
const WINDOW_S = 2 * PERIOD_S_MAX + 0.005;
const WORTH_S = 0.0002;
/** Shorter pauses are the sentence's own; of a longer one head and tail are left. */
const PAUSE_LONG_S = 0.2;
const PAUSE_HEAD_S = 0.06;
const PAUSE_TAIL_S = 0.04;

export class Hurry {
  /** @param {number} rate samples a second */
  constructor(rate) {
    this.rate = rate;
    /** @type {Float32Array} */
    this.sound = new Float32Array(0);
    /** @type {Float32Array[]} a pause, kept back until it is known how long it is */
    this.kept = [];
    this.last = 0;
    this.leftOutS = 0;
    /** How long the pause is that goes on. */
    this.pauseS = 0;
    /** How much of what waits may be left out, and how much of that by now. */
    this.spareS = 0;
    this.creditS = 0;
    this.spliced = false;
  }

  /** Another burst begins: what waits is played, nothing is known of what comes. */
  begin() {
    this.release();
    this.pauseS = 0;
    this.spareS = 0;
    this.creditS = 0;
    this.spliced = false;
  }

  /** What waits is not played. */
  clear() {
    this.sound = new Float32Array(0);
    this.kept = [];
    this.spareS = 0;
    this.spliced = false;
  }

  /** Samples that may be taken without asking for more. */
  get ready() {
    return this.sound.length;
  }

  get keptCount() {
    return this.kept.reduce((sum, part) => sum + part.length, 0);
  }

  /** Length of all that waits, in seconds. */
  get aheadS() {
    return (this.sound.length + this.keptCount) / this.rate;
  }

  /** How many samples should be ready before `count` are taken. @param {number} count */
  wanted(count) {
    return this.due() ? Math.max(count, Math.round(WINDOW_S * this.rate)) : count;
  }

  /**
   * Have sound played behind what waits. @param {Float32Array} sound
   * @param {number} spareS how much of all that waits may be left out
   */
  add(sound, spareS) {
    const lengthS = sound.length / this.rate;
    this.spareS = spareS;
    if (!isQuiet(sound)) {
      this.release();
      this.pauseS = 0;
      this.play(sound);
      return;
    }
    this.pauseS += lengthS;
    if (this.pauseS - lengthS < PAUSE_HEAD_S || spareS < lengthS) {
      this.release();
      this.play(sound);
      return;
    }
    this.kept.push(sound);
    if (this.pauseS > PAUSE_LONG_S) this.leaveOut();
  }

  /** Have sound played of which nothing may be left out. @param {Float32Array} sound */
  addPlain(sound) {
    this.release();
    this.spareS = 0;
    this.play(sound);
  }

  /** Have the pause played that is kept back; false where none is. */
  release() {
    if (!this.kept.length) return false;
    for (const part of this.kept) this.play(part);
    this.kept = [];
    return true;
  }

  /** Give the next `count` samples, or what there is. @param {number} count @returns {Float32Array} */
  take(count) {
    if (this.due()) {
      const shorter = shorten(this.sound, this.rate, Math.min(this.spareS, PERIOD_S_MAX));
      const goneS = (this.sound.length - shorter.length) / this.rate;
      this.sound = shorter;
      this.spareS -= goneS;
      this.creditS -= goneS;
      this.leftOutS += goneS;
    }
    if (this.sound.length < count) this.release();
    const part = this.sound.slice(0, count);
    this.sound = this.sound.slice(count);
    this.creditS = Math.min(PERIOD_S_MAX, this.creditS + ((SPEED_MAX - 1) * part.length) / this.rate);
    return part;
  }

  due() {
    return this.spareS > WORTH_S && this.creditS >= Math.min(this.spareS, PERIOD_S_MAX) - 1e-9;
  }

  play(sound) {
    const part = sound.slice();
    if (this.spliced) join(this.last, part, this.rate);
    this.spliced = false;
    if (part.length) this.last = part[part.length - 1];
    const whole = new Float32Array(this.sound.length + part.length);
    whole.set(this.sound);
    whole.set(part, this.sound.length);
    this.sound = whole;
  }

  leaveOut() {
    const tail = PAUSE_TAIL_S * this.rate;
    for (let first = this.kept[0]; first && this.keptCount - first.length >= tail && this.spareS >= first.length / this.rate; [first] = this.kept) {
      this.kept.shift();
      const goneS = first.length / this.rate;
      this.spliced = true;
      this.spareS -= goneS;
      this.leftOutS += goneS;
    }
  }
}
