// @ts-check
// One trace per press, told once it is over, and the office's clock it is dated by (gateway/core/press_traces.py,
// time_probes.py, server_clock.py). Pure; monotonic seconds.

import { Timers } from "./talk.js";

const PROBES = 5;
const PROBES_APART_S = 0.4;
const ROUND_EVERY_S = 600;
const SPREAD_S = 1;
const OPEN_MAX = 2 * PROBES;
const KEPT_MAX = 50;
const CLOCK_WAIT_S = 4;
const KEY_UP_WAIT_S = 5;
const APART_S = 0.05;
const TOLD_MAX = 16;
const MS_MAX = 3_600_000;
const NAME_MAX = 64;
const DRIFT = 100e-6;
const READING_MS = 2;

/** The office's wall clock as the page's monotonic clock can tell it: an offset, measured, with its error. */
export class ServerClock {
  constructor() {
    /** @type {{halfMs: number, offsetMs: number, at: number}|null} */
    this.best = null;
    this.anew = true;
  }

  begin() {
    this.anew = true;
  }

  /** Take one answer. @param {number} sentAt @param {number} answeredAt @param {number} serverMs */
  probed(sentAt, answeredAt, serverMs) {
    const halfMs = Math.max(0, (answeredAt - sentAt) * 500);
    if (!this.anew && this.best !== null && halfMs >= this.best.halfMs) return;
    const at = (sentAt + answeredAt) / 2;
    this.best = { halfMs, offsetMs: serverMs - at * 1000, at };
    this.anew = false;
  }

  /** The office's time (Unix ms) at a moment (s), and how wrong that can be (ms); null: not measured. @param {number} moment */
  at(moment) {
    if (this.best === null) return null;
    const errorMs = this.best.halfMs + READING_MS + Math.abs(moment - this.best.at) * 1000 * DRIFT;
    return { ms: Math.max(0, Math.round(moment * 1000 + this.best.offsetMs)), errorMs: Math.floor(errorMs) + 1 };
  }
}

/** Asks the office for its time, and tells what became of each press. */
export class Traces {
  /**
   * @param {{publish: (kind: "HEARTBEAT"|"DEVICE_TRACE", message: object, acked: () => void) => void,
   *   chance: () => number, talking: () => boolean}} parts
   */
  constructor(parts) {
    this.parts = parts;
    this.clock = new ServerClock();
    this.timers = new Timers();
    this.probeNo = 0;
    this.left = 0;
    /** @type {Map<number, number>} */
    this.sent = new Map();
    this.up = false;
    /** @type {number|null} */
    this.downSince = null;
    this.clockBy = 0;
    /** @type {Map<number, any>} */
    this.open = new Map();
    /** @type {any[]} */
    this.waiting = [];
  }

  // --- what happens -------------------------------------------------------------------------------------------------

  /** @param {number[]} requestId @param {number} edgeAt @param {number} edgeWallMs @param {number} now */
  pressed(requestId, edgeAt, edgeWallMs, now) {
    const downS = this.downSince === null ? null : Math.min(86_400, Math.max(0, now - this.downSince));
    const trace = { edgeAt, edgeWallMs, priority: "normal", moments: { handled_ms: now }, told: [], burst: null };
    this.open.set(requestId[3], { ...trace, requestId, linkDownS: downS, speaker: null, remainingS: null, overAt: null });
    while (this.open.size > KEPT_MAX) this.open.delete(this.open.keys().next().value ?? 0);
  }

  /** The first time that `what` happened to a press counts. @param {number} pressNo @param {string} what @param {number} now */
  moment(pressNo, what, now) {
    const press = this.open.get(pressNo);
    if (press !== undefined) press.moments[what] ??= now;
  }

  /** @param {number} pressNo @param {object} facts */
  know(pressNo, facts) {
    const press = this.open.get(pressNo);
    if (press !== undefined) Object.assign(press, facts);
  }

  /** @param {number} at */
  keyUp(at) {
    for (const press of this.open.values()) press.moments.key_up_ms ??= at;
  }

  /** @param {number} pressNo @param {string} what @param {{name?: string, remainingS?: number|null}} more @param {number} now */
  told(pressNo, what, more, now) {
    const press = this.open.get(pressNo);
    if (press === undefined) return;
    if (press.told.length < TOLD_MAX) press.told.push({ ms: ms(now, press), what });
    if (!more.name || press.speaker !== null) return;
    press.speaker = [...more.name].slice(0, NAME_MAX).join("");
    press.remainingS = more.remainingS ?? null;
  }

  /** After every event: presses that live no more are over. @param {number[]} alive numbers of presses @param {number} now */
  look(alive, now) {
    for (const [pressNo, press] of [...this.open]) {
      if (alive.includes(pressNo)) continue;
      press.overAt ??= now;
      if (press.moments.key_up_ms === undefined && now < press.overAt + KEY_UP_WAIT_S) continue;
      this.open.delete(pressNo);
      this.waiting = [...this.waiting, { due: now + SPREAD_S * this.parts.chance(), press, message: null }].slice(-KEPT_MAX);
    }
  }

  /** @param {number} now */
  connected(now) {
    this.up = true;
    this.downSince = null;
    this.clockBy = now + CLOCK_WAIT_S;
    this.sent.clear();
    this.round(now + SPREAD_S * this.parts.chance());
  }

  /** @param {number} now */
  disconnected(now) {
    if (this.up || this.downSince === null) this.downSince = now;
    this.up = false;
    this.timers.stop();
    for (const one of this.waiting) one.going = false;
  }

  /** Take a time_answer; the first one to each probe counts. @param {any} answer @param {number} now */
  answered(answer, now) {
    const sentAt = this.sent.get(answer.probe_no);
    this.sent.delete(answer.probe_no);
    if (sentAt !== undefined) this.clock.probed(sentAt, now, answer.at);
  }

  /** @param {number} now */
  tick(now) {
    if (!this.up || this.parts.talking()) return;
    while (this.timers.expire(now) !== null) this.probe(now);
    const at = this.dueAt();
    if (at === null || at > now) return;
    const one = this.waiting.find((each) => !each.going && each.due <= now);
    if (one !== undefined) this.tell(one, now);
  }

  /** When tick() or look() has something to do, or null. */
  next() {
    const overs = [...this.open.values()].filter((press) => press.overAt !== null).map((press) => press.overAt + KEY_UP_WAIT_S);
    const idle = this.up && !this.parts.talking();
    const times = [...overs, ...(idle ? [this.timers.next(), this.dueAt()] : [])].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(.../** @type {number[]} */ (times));
  }

  // --- inside -------------------------------------------------------------------------------------------------------

  round(at) {
    this.left = PROBES;
    this.clock.begin();
    this.timers.set("probe", at);
  }

  probe(now) {
    if (this.left === 0) this.round(now);
    this.probeNo += 1;
    this.left -= 1;
    this.sent.set(this.probeNo, now);
    while (this.sent.size > OPEN_MAX) this.sent.delete(this.sent.keys().next().value ?? 0);
    this.parts.publish("HEARTBEAT", { type: "time_probe", probe_no: this.probeNo }, () => {});
    this.timers.set("probe", now + (this.left > 0 ? PROBES_APART_S : ROUND_EVERY_S));
  }

  dueAt() {
    const dues = this.waiting.filter((one) => !one.going).map((one) => one.due);
    if (dues.length === 0) return null;
    const at = Math.min(...dues);
    return this.clock.best === null ? Math.max(at, this.clockBy) : at;
  }

  tell(one, now) {
    one.going = true;
    one.message ??= this.message(one.press);
    for (const other of this.waiting) if (!other.going) other.due = Math.max(other.due, now + APART_S);
    this.parts.publish("DEVICE_TRACE", one.message, () => {
      this.waiting = this.waiting.filter((each) => each !== one);
    });
  }

  message(press) {
    const edge = this.clock.at(press.edgeAt) ?? { ms: Math.max(0, Math.round(press.edgeWallMs)), errorMs: null };
    const moments = Object.fromEntries(Object.entries(press.moments).map(([name, at]) => [name, ms(at, press)]));
    return {
      type: "press_trace",
      request_id: press.requestId,
      edge_at: edge.ms,
      edge_error_ms: edge.errorMs === null ? null : Math.min(MS_MAX, edge.errorMs),
      priority: press.priority,
      ...moments,
      burst: press.burst,
      told: press.told,
      speaker: press.speaker,
      remaining_s: press.remainingS,
      link_down_s: press.linkDownS,
    };
  }
}

/** A moment as ms since the edge. */
function ms(moment, press) {
  return Math.min(MS_MAX, Math.max(0, Math.round((moment - press.edgeAt) * 1000)));
}
