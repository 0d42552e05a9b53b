// The loudspeaker: from Opus packets to sound. What the engine asks of it is in types.js; what waits, is late or missing
// is the audio thread's matter (speaker-worklet.js, playout.js).

import { RATE, soundsAt } from "./audio.js";

const CODEC = { codec: "opus", sampleRate: RATE, numberOfChannels: 1 };
const LAST = 1;
/** Behind close() the audio thread has told by then, if it runs at all. */
const TOLD_MS = 6000;
const FLUSH_MS = 200;
const FRAMES_MAX = 4096;

class Burst {
  constructor(burst, onHeard, onPlayed) {
    this.burst = burst;
    this.onHeard = onHeard;
    this.onPlayed = onPlayed;
    /** @type {AudioDecoder|null} */
    this.decoder = null;
    /** @type {{seq: number, captureMs: number, last: boolean}[]} packets being decoded, oldest first */
    this.inside = [];
    this.newest = -1;
    /** Frames that came and could not sound. */
    this.silent = 0;
    this.told = false;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
  }
}

/** @typedef {import("./types.js").Speaker} Speaker */

/** @implements {Speaker} */
export class Loudspeaker {
  /**
   * @param {import("./audio.js").Audio} audio
   * @param {{sounding: (on: boolean) => void, volume?: number}} page
   */
  constructor(audio, { sounding, volume = 1 }) {
    this.audio = audio;
    this.sounding = sounding;
    this.level = volume;
    this.hushed = false;
    /** @type {AudioWorkletNode|null} */
    this.node = null;
    /** @type {GainNode|null} */
    this.gain = null;
    /** @type {Map<number, Burst>} */
    this.bursts = new Map();
  }

  /** Connect to the context there is, once it runs; harmless again, and anew where it is another one. */
  attach() {
    const { context } = this.audio;
    if (!context || !this.audio.ready || this.node?.context === context) return;
    this.gain = new GainNode(context, { gain: this.level });
    this.node = new AudioWorkletNode(context, "ptt-speaker", { numberOfInputs: 0, numberOfOutputs: 1, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => this.heard(data);
    this.node.connect(this.gain).connect(context.destination);
    this.tellHush();
    for (const burst of this.bursts.keys()) this.node.port.postMessage({ do: "open", burst });
  }

  /** From 0 (what comes then counts as not heard) to 1. @param {number} level */
  volume(level) {
    this.level = level;
    if (this.gain) this.gain.gain.value = level;
    this.tellHush();
  }

  // --- what the engine calls ------------------------------------------------------------------------------------------

  open({ burst, onHeard, onPlayed }) {
    this.attach();
    const made = new Burst(burst, onHeard, onPlayed);
    this.bursts.set(burst, made);
    this.node?.port.postMessage({ do: "open", burst });
  }

  frame({ burst, seq, captureMs, flags, opus }) {
    const found = this.bursts.get(burst);
    if (!found || found.told || seq <= found.newest) return; // in order, as TCP brings them; a second one is dropped
    found.newest = seq;
    if (!this.node || this.audio.state !== "running") {
      found.silent += 1;
      return;
    }
    const last = (flags & LAST) !== 0;
    if (!opus.length) {
      if (last) this.after(found, () => this.put(found, { seq, captureMs }, null, 0, true));
      return;
    }
    if (found.inside.length >= FRAMES_MAX) {
      found.silent += 1;
      return;
    }
    found.inside.push({ seq, captureMs, last });
    try {
      found.decoder ??= this.decoder(found);
      found.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: seq * 1000, data: opus }));
      if (last) found.decoder.flush().catch(() => {});
    } catch {
      this.undecodable(found);
    }
  }

  close(burst, { drain, lastSeq }) {
    const found = this.bursts.get(burst);
    if (!found) return;
    const say = () => this.node?.port.postMessage({ do: "close", burst, drain, lastSeq });
    if (drain) this.after(found, say);
    else say();
    clearTimeout(found.timer);
    // Where the audio thread does not run, nobody else will ever say that it ended.
    found.timer = setTimeout(() => this.end(found, { frames: 0, concealed: 0 }), this.node && this.audio.state === "running" ? TOLD_MS : 0);
  }

  hush(on) {
    this.hushed = on;
    this.tellHush();
  }

  // --- pieces ---------------------------------------------------------------------------------------------------------

  tellHush() {
    this.node?.port.postMessage({ do: "hush", on: this.hushed || this.level === 0 });
  }

  decoder(found) {
    const made = new AudioDecoder({
      output: (data) => {
        const packet = found.inside.shift();
        const pcm = new Float32Array(data.numberOfFrames);
        data.copyTo(pcm, { planeIndex: 0, format: "f32-planar" });
        data.close();
        if (packet) this.put(found, packet, pcm, pcm.length / RATE, packet.last);
      },
      error: () => found.decoder === made && this.undecodable(found),
    });
    made.configure(CODEC);
    return made;
  }

  /** A packet that is no Opus closed its decoder: what it held is lost, and the next one begins anew. */
  undecodable(found) {
    found.silent += found.inside.length;
    found.inside = [];
    found.decoder = null;
  }

  /** Do it when what was given to the decoder is out of it. */
  after(found, run) {
    if (!found.decoder || !found.inside.length) return run();
    let done = false;
    const once = () => {
      if (!done) run();
      done = true;
    };
    found.decoder.flush().then(once, once);
    setTimeout(once, FLUSH_MS);
  }

  put(found, { seq, captureMs }, pcm, durationS, last) {
    const packet = { seq, capturedS: captureMs / 1000, durationS, pcm, last };
    this.node?.port.postMessage({ do: "put", burst: found.burst, packet }, pcm ? [pcm.buffer] : []);
  }

  heard({ begun, ended, sounding }) {
    if (sounding != null) this.sounding(sounding);
    if (begun) this.began(begun);
    const found = ended && this.bursts.get(ended.burst);
    if (found) this.end(found, ended);
  }

  /** Where speech came before and could not sound, this is not the burst's first. */
  began({ burst, atS }) {
    const found = this.bursts.get(burst);
    const { context } = this.audio;
    const moment = found && context && !found.silent ? soundsAt(context, atS, performance.now()) : null;
    if (moment) found?.onHeard(moment);
  }

  end(found, { frames, concealed }) {
    if (found.told) return;
    found.told = true;
    clearTimeout(found.timer);
    if (found.decoder && found.decoder.state !== "closed") found.decoder.close();
    this.bursts.delete(found.burst);
    found.onPlayed({ frames, concealed: concealed + found.silent });
  }
}
