// The adaptive jitter buffer of one burst: packets in as they arrive, one decision per packet out. As voice/core/jitter.py
// does it, which says how the delay is judged; here a packet waits at least MIN_S, for a browser's timers. Pure: times are
// seconds passed in, packets are decoded sound.

/** So much later than the link's least transit everything is played. */
export const MIN_S = 0.06;
const MAX_S = 0.5;
const BASE_WINDOW_S = 5;
const WINDOW_S = 3;
const LATE_SHARE = 0.02;
/** Speech that comes so much later than usual would only hold up the rest... */
const LATE_S = 1;
/** ...but where this goes on for so long, the link has become slower for good. */
const RESET_S = 1;
/** The first syllable is played as it was spoken; hurrying begins behind it. */
const UNTOUCHED_S = 0.25;
/** The longest stretch invented for missing speech. */
export const CONCEAL_MAX_S = 0.1;
const BACKLOG_MAX_S = 4.5;
const PACKETS_MAX = 512;

/**
 * @typedef {object} Waiting
 * @property {number} seq @property {number} capturedS @property {number} durationS
 * @property {Float32Array|null} pcm null: a bare last frame @property {boolean} last
 *
 * What to do next: play a packet, of which with all that waits up to `spareS` may be left out; invent so much; or be
 * silent, `over` where the last frame was played.
 * @typedef {{kind: "packet", pcm: Float32Array, spareS: number, first: boolean}|{kind: "conceal", durationS: number, whole: boolean}|{kind: "nothing", over: boolean}} Pulled
 */

export class JitterBuffer {
  /** @param {number} stepS length of what is rendered at a time */
  constructor(stepS) {
    this.stepS = stepS;
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
    /** @type {number|null} */
    this.next = null;
    this.nextCapturedS = 0;
    this.concealedS = 0;
    /** @type {number|null} */
    this.firstAt = null;
    this.started = false;
    this.playedS = 0;
    this.over = false;
    this.base = [Infinity, Infinity];
    this.baseSince = 0;
    /** @type {[number, number][]} */
    this.excesses = [];
    /** @type {number|null} */
    this.lateSince = null;
    this.played = 0;
    this.concealed = 0;
    this.late = 0;
    this.dropped = 0;
  }

  /** Take a packet as it arrives. @param {Waiting} packet @param {number} now @returns {boolean} whether it may sound */
  put(packet, now) {
    const { seq, capturedS, durationS, pcm, last } = packet;
    if (this.over || this.waiting.has(seq) || (this.next != null && seq < this.next)) {
      this.late += 1;
      return false;
    }
    if (this.judge(now - capturedS - durationS, now) && pcm && !last) {
      this.late += 1;
      return false;
    }
    this.firstAt ??= now;
    this.waiting.set(seq, packet);
    while (this.waiting.size > PACKETS_MAX || (this.waiting.size > 1 && this.backlogS > BACKLOG_MAX_S)) {
      this.waiting.delete(this.lowest());
      this.dropped += 1;
    }
    return true;
  }

  /** Say what to play next; `aheadS` is decoded already. @param {number} now @param {number} aheadS @returns {Pulled} */
  pull(now, aheadS) {
    if (this.over) return { kind: "nothing", over: true };
    if (!this.waiting.size || !this.mayStart(now)) return this.starved();
    const seq = this.lowest();
    const found = /** @type {Waiting} */ (this.waiting.get(seq));
    const waitedS = now - (found.capturedS + found.durationS) - Math.min(...this.base);
    let framesOver = Math.max(0, Math.floor((waitedS - this.wantedS(now)) / this.stepS));
    if (this.playedS < UNTOUCHED_S) framesOver = 0;
    if (this.isLostBefore(found) && !framesOver) return this.conceal(true);
    this.waiting.delete(seq);
    this.next = seq + 1;
    this.nextCapturedS = found.capturedS + found.durationS;
    this.concealedS = 0;
    this.over = found.last;
    if (!found.pcm) return { kind: "nothing", over: true };
    const first = !this.started;
    this.started = true;
    this.played += 1;
    this.playedS += found.durationS;
    return { kind: "packet", pcm: found.pcm, spareS: aheadS + framesOver * this.stepS, first };
  }

  /** The delay wanted over the link's least. @param {number} now */
  wantedS(now) {
    while (this.excesses.length && now - this.excesses[0][0] > WINDOW_S) this.excesses.shift();
    const worst = this.excesses.map(([, excess]) => excess).sort((a, b) => b - a);
    return Math.min(MAX_S, MIN_S + (worst[Math.floor(LATE_SHARE * worst.length)] ?? 0));
  }

  /** Everything up to `seq` was played or given up, or the last frame was. @param {number} seq */
  reached(seq) {
    return this.over || (this.next != null && this.next > seq);
  }

  get empty() {
    return this.waiting.size === 0;
  }

  /** Time from the first waiting sample to the last. */
  get backlogS() {
    let first = Infinity;
    let last = -Infinity;
    for (const { capturedS, durationS } of this.waiting.values()) {
      first = Math.min(first, capturedS);
      last = Math.max(last, capturedS + durationS);
    }
    return this.waiting.size ? last - first : 0;
  }

  lowest() {
    let least = Infinity;
    for (const seq of this.waiting.keys()) least = Math.min(least, seq);
    return least;
  }

  mayStart(now) {
    // What a burst still holds when its end is known is all there is to wait for.
    return this.started || this.firstAt == null || now - this.firstAt >= MIN_S || this.backlogS > MIN_S;
  }

  /** @returns {Pulled} */
  starved() {
    if (!this.started || this.concealedS + this.stepS > CONCEAL_MAX_S + 1e-9) return { kind: "nothing", over: false };
    return this.conceal(false);
  }

  /** @param {boolean} whole speech is known to be missing here; else it is late, and may come yet @returns {Pulled} */
  conceal(whole) {
    this.concealedS += this.stepS;
    this.concealed += 1;
    return { kind: "conceal", durationS: this.stepS, whole };
  }

  isLostBefore(found) {
    if (this.next == null || found.seq === this.next) return false;
    const gapS = found.capturedS - this.nextCapturedS;
    return this.concealedS + this.stepS / 2 < gapS && gapS <= CONCEAL_MAX_S;
  }

  /** Learn from a packet's transit; true where it is too late to be played. */
  judge(transitS, now) {
    if (now - this.baseSince > BASE_WINDOW_S) {
      this.base = [this.base[1], Infinity];
      this.baseSince = now;
    }
    let baseS = Math.min(...this.base);
    let tooLate = transitS - baseS > LATE_S;
    if (!tooLate) this.lateSince = null;
    else if (this.lateSince == null) this.lateSince = now;
    else if (now - this.lateSince > RESET_S) {
      tooLate = false;
      this.base = [Infinity, Infinity];
      baseS = transitS;
    }
    const excess = baseS < Infinity ? transitS - baseS : 0;
    this.excesses.push([now, Math.max(0, Math.min(excess, MAX_S))]);
    if (this.excesses.length > PACKETS_MAX) this.excesses.shift();
    this.base[1] = Math.min(this.base[1], transitS);
    return tooLate;
  }
}
