// The page's one AudioContext. Browsers let it sound only after the first click or key on the page; until then, and
// whenever the sound system takes it away, `state` says so.

export const RATE = 48000;

/**
 * @typedef {"off"|"running"|"suspended"|"unsupported"|"failed"} AudioState
 * off: start() was not called; suspended: the browser or the sound system holds it back
 */

/** Of what the browser tells: its clock is coarse, and sound is rendered in steps. */
const ERROR_MS = 5;

/**
 * When what a context renders for `contextS` of its time is at the loudspeaker, ms of performance.now(), and how wrong
 * that can be; null: the browser does not tell. `nowMs`: performance.now() at this moment.
 * @param {Pick<AudioContext, "currentTime"|"outputLatency"> & {getOutputTimestamp?: () => AudioTimestamp}} context
 * @param {number} contextS @param {number} nowMs @returns {{atMs: number, errorMs: number}|null}
 */
export function soundsAt(context, contextS, nowMs) {
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp?.() ?? {};
  if (contextTime > 0 && performanceTime > 0) return { atMs: performanceTime + (contextS - contextTime) * 1000, errorMs: ERROR_MS };
  const latencyS = context.outputLatency;
  if (!(latencyS > 0)) return null;
  return { atMs: nowMs + (contextS - context.currentTime + latencyS) * 1000, errorMs: ERROR_MS + latencyS * 1000 };
}

export class Audio {
  /** @param {() => void} changed called when `state` changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {AudioContext|null} */
    this.context = null;
    /** @type {string} */
    this.failure = "";
    this.ready = false;
  }

  /** Whether this browser has what speech takes. */
  static supported() {
    return ["AudioContext", "AudioWorkletNode", "AudioEncoder", "AudioDecoder"].every((name) => name in globalThis) && !!navigator.mediaDevices;
  }

  /** @returns {AudioState} */
  get state() {
    if (!Audio.supported()) return "unsupported";
    if (this.failure) return "failed";
    if (!this.context || !this.ready) return "off";
    return this.context.state === "running" ? "running" : "suspended";
  }

  /** Start, from a click or a key; again after the sound system came back. Never throws: see `state`. */
  async start() {
    if (!Audio.supported()) return this.changed();
    try {
      if (!this.context) {
        this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
        this.context.onstatechange = () => this.changed();
        await Promise.all(["mic", "speaker"].map((name) => this.context?.audioWorklet.addModule(new URL(`./${name}-worklet.js`, import.meta.url))));
        this.ready = true;
        this.changed();
      }
      if (this.context.state !== "running") await this.context.resume();
      this.failure = "";
    } catch (error) {
      this.failure = String(error);
      await this.context?.close().catch(() => {});
      this.context = null;
      this.ready = false;
    }
    this.changed();
  }
}
