// The microphone: from the track to Opus packets of 20 ms. What the engine asks of it is in types.js.
//
// The track stays open while the page is used, so that a press has nothing to wait for; but sound leaves the audio thread
// (mic-worklet.js) only from the press on, and only until the release.

import { RATE } from "./audio.js";

/** As the vehicles send it: mono, 24 kb/s, 20 ms a packet, no DTX. */
export const CODEC = {
  codec: "opus",
  sampleRate: RATE,
  numberOfChannels: 1,
  bitrate: 24000,
  opus: { frameDuration: 20000, application: "voip", signal: "voice", complexity: 9, usedtx: false, useinbandfec: false },
};
export const PACKET_MS = 20;
const PACKET = (RATE * PACKET_MS) / 1000;
/** The encoder's own delay: as much silence must follow speech for its end to come out. */
const LOOKAHEAD = Math.ceil(0.0065 * RATE);
/** The most speech kept between the press and the grant (PRE_ROLL_S of docs/protocol.md). */
export const PRE_ROLL_MS = 2000;
/** What was said before the release is still on its way through the sound system: so much more is taken... */
const TAIL_S = { least: 0.04, most: 0.12, beyond: 0.03 };
/** ...and where nothing more comes of the sound system, the last frame leaves after this. */
const END_MS = 230;
/** A busy page hears so much later of a press, or of a release, at most. */
const LATE_S = { press: 0.4, release: 3 };
const RETRY_MS = 2000;

/** @typedef {import("./types.js").SoundFault} SoundFault */
/** @typedef {import("./types.js").Mic} Mic */

/** One press: what was captured of it, and how far it got. */
class Press {
  constructor(no, onFrame, onFault) {
    this.no = no;
    this.onFrame = onFrame;
    this.onFault = onFault;
    this.opened = false;
    this.held = false;
    this.stopping = false;
    this.over = false;
    /** @type {AudioEncoder|null} */
    this.encoder = null;
    /** @type {{opus: Uint8Array, captureMs: number}[]} */
    this.kept = [];
    this.rest = new Float32Array(0);
    this.fed = 0;
    this.encoded = 0;
    /** Nothing that was captured before this is given out (behind a hold). */
    this.fromMs = 0;
    /** Nothing that is heard behind this, in the context's time, belongs to it: known from the release on. */
    this.untilS = Infinity;
    /** Packets there will be; known when the last one was fed. */
    this.total = Infinity;
    this.lastMs = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
  }
}

/** @implements {Mic} */
export class Microphone {
  /**
   * @param {import("./audio.js").Audio} audio
   * @param {{changed: () => void, level: (peak: number) => void, cleanUp?: boolean}} page
   */
  constructor(audio, { changed, level, cleanUp = false }) {
    this.audio = audio;
    this.changed = changed;
    this.level = level;
    this.cleanUp = cleanUp;
    /** @type {SoundFault|null} why there is no microphone; null: there is one, or none was asked for yet */
    this.fault = null;
    /** @type {MediaStreamTrack|null} */
    this.track = null;
    this.name = "";
    /** @type {MediaStreamAudioSourceNode|null} */
    this.source = null;
    /** @type {AudioWorkletNode|null} */
    this.node = null;
    /** @type {Press|null} */
    this.press = null;
    /** @type {Press|null} whose encoder gives what is taken */
    this.active = null;
    this.presses = 0;
    /** Up to here, in the context's time, speech belongs to a press that is over. */
    this.takenS = 0;
    this.asking = false;
    this.wanted = false;
    /** @type {AudioEncoder|null} made ahead: the next press waits for nothing */
    this.spare = null;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.again());
  }

  /** Ask for the microphone, and keep it open; again after a fault. Never throws: see `fault`. */
  async prepare() {
    this.wanted = true;
    if (this.asking || this.track?.readyState === "live") return;
    this.asking = true;
    /** @type {MediaStream|null} */
    let stream = null;
    try {
      if (!(await AudioEncoder.isConfigSupported(CODEC)).supported) throw new DOMException("no Opus", "NotSupportedError");
      let on = this.cleanUp;
      stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(on) });
      while (on !== this.cleanUp) {
        for (const track of stream.getTracks()) track.stop(); // another wish came while the browser was asked
        on = this.cleanUp;
        stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(on) });
      }
      this.take(stream);
      this.spare ??= this.encoder();
    } catch (error) {
      for (const track of stream?.getTracks() ?? []) track.stop(); // one that cannot be used is not kept open
      this.track = null;
      this.fail(reason(error));
    }
    this.asking = false;
    this.changed();
  }

  /** Whether a press would be captured. */
  get ready() {
    return this.track?.readyState === "live" && this.node != null && this.node.context === this.audio.context && this.audio.state === "running";
  }

  /** Whether speech is being kept or sent: nothing may sound that it would hear. */
  get capturing() {
    return this.press != null && !this.press.over;
  }

  /** Whether the browser takes out noise and evens out the level. @param {boolean} on */
  async clean(on) {
    this.cleanUp = on;
    if (this.track?.readyState !== "live") return;
    this.track.stop();
    this.track = null;
    await this.prepare();
  }

  /** Let the microphone hear nothing, or hear again: while nobody sees the page. @param {boolean} on */
  enable(on) {
    if (this.track) this.track.enabled = on;
  }

  // --- what the engine calls ------------------------------------------------------------------------------------------

  start({ pressAt, onFrame, onFault }) {
    this.drop();
    const press = new Press((this.presses += 1), onFrame, onFault);
    this.press = press;
    const { context } = this.audio;
    if (!this.ready || !context) {
      setTimeout(() => this.broken(press, this.fault ?? "failed"), 0);
      return;
    }
    this.enable(true);
    try {
      press.encoder = this.spare?.state === "configured" ? this.spare : this.encoder();
    } catch {
      setTimeout(() => this.broken(press, "unsupported"), 0);
      return;
    }
    this.spare = null;
    this.active = press;
    const freeS = Math.min(this.takenS, context.currentTime + TAIL_S.most); // nothing is said twice
    const atS = Math.max(context.currentTime - agoS(pressAt, LATE_S.press), freeS);
    this.node?.port.postMessage({ do: "from", press: press.no, atS });
  }

  open(_burst) {
    const press = this.press;
    if (!press || press.opened) return;
    press.opened = true;
    if (press.held) press.fromMs = (1000 * (press.fed * PACKET + press.rest.length)) / RATE;
    press.held = false;
    const kept = press.kept.splice(0);
    for (const packet of kept) this.give(press, packet);
  }

  hold() {
    const press = this.press;
    if (!press || press.over) return;
    press.opened = false;
    press.held = true;
    press.kept = [];
  }

  /** @param {number} [at] when the button went up, as performance.now() says it */
  stop(at = performance.now()) {
    const press = this.press;
    if (!press || press.stopping || press.over) return;
    press.stopping = true;
    const { context } = this.audio;
    if (press.held || !this.ready || !context) return this.finish(press);
    const latencyS = /** @type {any} */ (this.track?.getSettings())?.latency ?? 0;
    const tailS = Math.min(TAIL_S.most, Math.max(TAIL_S.least, latencyS + TAIL_S.beyond));
    press.untilS = this.takenS = context.currentTime - agoS(at, LATE_S.release) + tailS;
    this.node?.port.postMessage({ do: "until", press: press.no, atS: press.untilS });
    press.timer = setTimeout(() => this.finish(press), END_MS);
  }

  drop() {
    const press = this.press;
    this.press = null;
    if (!press) return;
    this.end(press);
    this.node?.port.postMessage({ do: "drop", press: press.no });
  }

  // --- pieces ---------------------------------------------------------------------------------------------------------

  take(stream) {
    if (!this.audio.context) throw new Error("the sound is off");
    const [track] = stream.getAudioTracks();
    this.track = track;
    this.name = track.label;
    this.enable(!document.hidden);
    track.addEventListener("ended", () => this.lose());
    this.attach(this.audio.context);
    this.fault = null;
  }

  /** Lead the track to the context's audio thread. @param {AudioContext} context */
  attach(context) {
    this.source?.disconnect();
    this.source = context.createMediaStreamSource(new MediaStream(this.track ? [this.track] : []));
    if (this.node?.context !== context) {
      this.takenS = 0;
      this.node = new AudioWorkletNode(context, "ptt-mic", { numberOfInputs: 1, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
      this.node.port.onmessage = ({ data }) => this.heard(data);
      // A node that leads nowhere is not run everywhere; its output is silence.
      this.node.connect(context.destination);
    }
    this.source.connect(this.node);
  }

  lose() {
    if (this.track?.readyState === "live") return;
    this.track = null;
    this.fail("lost");
    setTimeout(() => this.again(), RETRY_MS);
  }

  again() {
    const back = this.fault === "lost" || this.fault === "missing";
    if (back && this.wanted) this.prepare();
  }

  fail(why) {
    this.fault = why;
    this.level(0);
    if (this.press) this.broken(this.press, why);
    this.changed();
  }

  /** The context stands still, or goes on, or is another one: a press that hears nothing any more must not keep the floor. */
  soundChanged() {
    const { press, audio } = this;
    if (audio.context && audio.ready && this.track && this.node?.context !== audio.context) this.attach(audio.context);
    if (press?.encoder && !press.stopping && audio.state !== "running") this.broken(press, "failed");
  }

  broken(press, why) {
    if (this.press !== press || press.over) return;
    if (press.stopping) return this.finish(press);
    const { onFault } = press;
    press.onFault = () => {};
    onFault(why);
  }

  heard({ level, press: no, sound: given, over, startS }) {
    if (level != null) this.level(this.fault ? 0 : level);
    const press = this.press;
    if (!press || no !== press.no || press.total !== Infinity) return;
    // A page that was busy reads what the audio thread gave out before it heard of the release.
    const sound = given.subarray(0, Math.max(0, Math.round(Math.min(given.length, (press.untilS - startS) * RATE))));
    const whole = new Float32Array(press.rest.length + sound.length + (over ? LOOKAHEAD : 0));
    whole.set(press.rest);
    whole.set(sound, press.rest.length);
    let at = 0;
    for (; whole.length - at >= PACKET; at += PACKET) this.encode(press, whole.slice(at, at + PACKET));
    press.rest = whole.slice(at);
    if (!over) return;
    const last = new Float32Array(PACKET);
    last.set(press.rest);
    this.encode(press, last);
    press.total = press.fed;
    press.encoder?.flush().catch(() => this.finish(press));
  }

  encode(press, data) {
    if (press.encoder.state !== "configured") return;
    const timestamp = press.fed * PACKET_MS * 1000;
    press.fed += 1;
    press.encoder.encode(new AudioData({ format: "f32", sampleRate: RATE, numberOfFrames: PACKET, numberOfChannels: 1, timestamp, data }));
  }

  encoder() {
    const made = new AudioEncoder({
      output: (chunk) => this.active?.encoder === made && this.encoded(this.active, chunk),
      error: () => this.active?.encoder === made && this.broken(this.active, "unsupported"),
    });
    made.configure(CODEC);
    return made;
  }

  encoded(press, chunk) {
    if (press.over) return;
    const opus = new Uint8Array(chunk.byteLength);
    chunk.copyTo(opus);
    const captureMs = press.encoded * PACKET_MS;
    press.encoded += 1;
    press.lastMs = captureMs;
    if (captureMs < press.fromMs) return;
    if (press.opened) return this.give(press, { opus, captureMs });
    if (press.held) return;
    press.kept.push({ opus, captureMs });
    while (captureMs - press.kept[0].captureMs >= PRE_ROLL_MS) press.kept.shift();
  }

  give(press, { opus, captureMs }) {
    const last = captureMs / PACKET_MS + 1 === press.total;
    if (last) this.end(press);
    press.onFrame({ opus, captureMs, last });
  }

  /** Whatever is still to come of it, this was the last. */
  finish(press) {
    if (press.over) return;
    this.end(press);
    this.node?.port.postMessage({ do: "drop", press: press.no });
    press.onFrame({ opus: new Uint8Array(0), captureMs: press.lastMs + PACKET_MS, last: true });
  }

  end(press) {
    press.over = true;
    clearTimeout(press.timer);
    if (press.encoder && press.encoder.state !== "closed") press.encoder.close();
    if (this.active === press) this.active = null;
    if (!this.spare && this.track) this.spare = this.encoder();
  }
}

/** Half duplex: nothing sounds while the key is held, so there is no echo to cancel. @param {boolean} on */
function constraints(on) {
  return { channelCount: 1, echoCancellation: false, noiseSuppression: on, autoGainControl: on };
}

/** How long ago that was, s. @param {number} at as performance.now() says it @param {number} mostS */
function agoS(at, mostS) {
  return Math.min(mostS, Math.max(0, performance.now() - at) / 1000);
}

/** @returns {SoundFault} */
function reason(error) {
  const name = error?.name ?? "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotSupportedError") return "unsupported";
  if (name === "NotReadableError" || name === "AbortError") return "lost";
  return "failed";
}
