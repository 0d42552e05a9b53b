// The loudspeaker's end, on the audio thread: what waits is played at the context's own pace. See speaker.js.

import { Playout } from "./playout.js";

class SpeakerWorklet extends AudioWorkletProcessor {
  constructor() {
    super();
    this.playout = new Playout(sampleRate);
    /** @type {Float32Array} */
    this.step = new Float32Array(0);
    this.at = 0;
    this.sounding = false;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(said) {
    const { playout } = this;
    if (said.do === "open") playout.open(said.burst, currentTime);
    else if (said.do === "put") playout.put(said.burst, said.packet, currentTime);
    else if (said.do === "close") {
      playout.close(said.burst, said, currentTime);
      if (!said.drain) this.step = new Float32Array(0);
    } else if (said.do === "hush") {
      playout.hushed = said.on;
      if (said.on) this.step = new Float32Array(0);
    }
    this.tell();
  }

  process(_inputs, outputs) {
    const out = outputs[0][0];
    let done = 0;
    while (done < out.length) {
      if (this.at >= this.step.length) {
        const step = this.playout.render(currentTime + done / sampleRate);
        this.note(step != null && !this.playout.hushed);
        if (!step) break;
        this.step = step;
        this.at = 0;
      }
      const part = this.step.subarray(this.at, this.at + out.length - done);
      out.set(part, done);
      this.at += part.length;
      done += part.length;
    }
    this.tell();
    return true;
  }

  note(sounding) {
    if (sounding === this.sounding) return;
    this.sounding = sounding;
    this.port.postMessage({ sounding });
  }

  tell() {
    for (const begun of this.playout.takeBegun()) this.port.postMessage({ begun });
    for (const ended of this.playout.takeEnded()) this.port.postMessage({ ended });
  }
}

registerProcessor("ptt-speaker", SpeakerWorklet);
