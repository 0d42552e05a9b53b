// @ts-check
// What of the microphone may leave, and when: the only way from the page's microphone to the network. Driven by the
// participant's words ("arm", "open", "hold", "up", "mute"); times are monotonic seconds.

import { LAST, pack } from "./frames.js";
import { SEND_AGE_S } from "./timers.js";

/** A microphone that gives no last frame within this time behind the key-up is taken for dead, and the press closed. */
const CAPTURE_END_S = 0.5;
/** Speech that waits for a full line is looked at again so often. */
const PUMP_EVERY_S = 0.02;
const QUEUE_MAX = 512;

/**
 * @typedef {object} Line the voice connection
 * @property {() => boolean} takes whether it is up and has room
 * @property {(frame: Uint8Array, burst: number, seq: number) => void} send
 */

export class VoiceGate {
  /**
   * @param {{mic: import("./types.js").Mic, line: Line, now: () => number,
   *   drained: (requestId: number[], lastSeq: number|null) => void,
   *   fault: (requestId: number[], why: import("./types.js").SoundFault) => void,
   *   count: (what: string) => void}} parts
   */
  constructor(parts) {
    this.parts = parts;
    /** @type {any} */
    this.press = null;
    /** A press that came while the last words of the one before still leave: its microphone opens behind them.
     * @type {{requestId: number[], at: number}|null} */
    this.behind = null;
  }

  /** Whether the microphone keeps or gives speech: nothing may sound. */
  get open() {
    return this.press !== null;
  }

  /** Whether the microphone is open to the office, surely and for speech. */
  get live() {
    const { press } = this;
    return press !== null && press.burst !== 0 && !press.held && press.upAt === null;
  }

  /** Take one of the participant's commands. @param {{do: string, requestId: number[], burst: number, at: number}} command */
  handle(command) {
    const press = this.press;
    if (command.do === "arm") {
      if (press === null || press.upAt === null || press.ended) return this.arm(command.requestId, command.at);
      this.behind = { requestId: command.requestId, at: command.at };
      return undefined;
    }
    if (this.behind?.requestId.join() === command.requestId.join()) {
      this.behind = null; // "mute" is all that can come of it: it has not been asked for
      return undefined;
    }
    if (press === null || press.requestId.join() !== command.requestId.join()) return undefined;
    switch (command.do) {
      case "open":
        return this.permit(press, command.burst, command.at);
      case "hold":
        return this.hold(press);
      case "up":
        press.upAt = this.parts.now();
        return this.parts.mic.stop();
      default:
        return this.close();
    }
  }

  /** Send what may be sent now. */
  tick() {
    const press = this.press;
    if (press === null) return;
    const now = this.parts.now();
    this.lapse(press, now);
    this.pump(press, now);
    if (press === this.press && press.upAt !== null && !press.ended && now >= press.upAt + CAPTURE_END_S) {
      this.take(press, { opus: new Uint8Array(0), captureMs: press.captureMs, last: true });
    }
  }

  /** When tick() has something to do, or null. */
  next() {
    const press = this.press;
    if (press === null) return null;
    if (press.queue.length > 0 && press.burst !== 0) return this.parts.now() + PUMP_EVERY_S;
    return press.upAt !== null && !press.ended ? press.upAt + CAPTURE_END_S : null;
  }

  arm(requestId, edgeAt) {
    const press = {
      requestId,
      burst: 0,
      until: 0,
      held: false,
      queue: [],
      nextSeq: 0,
      captureMs: 0,
      upAt: null,
      ended: false,
    };
    this.parts.mic.start({
      pressAt: edgeAt * 1000,
      onFrame: (frame) => this.take(press, frame),
      onFault: (why) => press === this.press && this.parts.fault(requestId, why),
    });
    this.press = press; // behind start(): where that throws, nothing is open
  }

  permit(press, burst, until) {
    press.until = until;
    if (press.burst !== 0 && !press.held) return;
    press.burst = burst;
    press.held = false;
    this.parts.mic.open(burst);
  }

  hold(press) {
    this.parts.count(press.queue.length > 0 ? "held" : "holds");
    press.held = true;
    press.queue = [];
    this.parts.mic.hold();
  }

  /** Permission is a lease: behind its end nothing leaves, whoever forgets to say so. */
  lapse(press, now) {
    if (press.burst !== 0 && !press.held && now >= press.until) this.hold(press);
  }

  take(press, frame) {
    if (press !== this.press || press.ended || press.burst === 0) return;
    const now = this.parts.now();
    press.captureMs = Math.max(press.captureMs, Math.round(frame.captureMs));
    press.ended = frame.last;
    this.lapse(press, now);
    if (press.held) {
      if (!frame.last) return this.parts.count("held");
      return this.finish(press);
    }
    press.queue.push({ opus: frame.opus, captureMs: press.captureMs, last: frame.last, at: now });
    if (press.queue.length > QUEUE_MAX) press.queue.shift();
    this.pump(press, now);
  }

  pump(press, now) {
    while (press === this.press && !press.held && press.queue.length > 0 && this.parts.line.takes()) {
      const frame = press.queue.shift();
      const old = now - frame.at > SEND_AGE_S; // counted from when the microphone gave it: pre-roll is as fresh as that
      if (old) this.parts.count("too old");
      if (old && !frame.last) continue;
      this.send(press, old ? new Uint8Array(0) : frame.opus, frame);
      if (frame.last) this.finish(press);
    }
  }

  send(press, opus, { captureMs, last }) {
    if (opus.length === 0 && (!last || press.nextSeq === 0)) return;
    const seq = press.nextSeq;
    press.nextSeq += 1;
    this.parts.line.send(pack({ burst: press.burst, seq, captureMs, flags: last ? LAST : 0, opus }), press.burst, seq);
  }

  finish(press) {
    this.close();
    this.parts.drained(press.requestId, press.nextSeq > 0 ? press.nextSeq - 1 : null);
  }

  /** The press is over; what waited behind it begins, from its own moment on. */
  close() {
    this.press = null;
    this.parts.mic.drop();
    const { behind } = this;
    this.behind = null;
    if (behind !== null) this.arm(behind.requestId, behind.at);
  }
}
