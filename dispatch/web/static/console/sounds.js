// Short tones of the page's own, so that one need not look at it. None sounds into an open microphone unless the
// dispatcher has said that a headset is worn: page.js asks for none, and a press ends one that still sounds.

/** What each sounds like: [Hz, s] one after the other; 0 Hz is a pause. */
export const TONES = {
  granted: [[880, 0.07], [1320, 0.09]],
  denied: [[330, 0.16], [0, 0.06], [330, 0.16]],
  limit: [[990, 0.08], [0, 0.08], [990, 0.08]],
  cut: [[520, 0.12], [390, 0.12], [290, 0.2]],
  queued: [[660, 0.08], [0, 0.06], [660, 0.08]],
  emergency: [[1200, 0.12], [900, 0.12], [1200, 0.12], [900, 0.12], [1200, 0.12]],
};
const PEAK = 0.12;
const EDGE_S = 0.008;

export class Tones {
  /** @param {import("./audio.js").Audio} audio */
  constructor(audio) {
    this.audio = audio;
    /** @type {GainNode|null} of the one that sounds */
    this.gain = null;
  }

  /** Sound one in place of whatever sounds. @param {keyof typeof TONES} what @param {number} volume 0 to 1 */
  sound(what, volume) {
    const { context } = this.audio;
    this.stop();
    if (!context || this.audio.state !== "running" || volume === 0) return;
    const gain = new GainNode(context, { gain: 0 });
    gain.connect(context.destination);
    let at = context.currentTime + 0.005;
    for (const [hz, length] of TONES[what]) {
      if (hz) {
        const wave = new OscillatorNode(context, { frequency: hz });
        gain.gain.setValueAtTime(0, at);
        gain.gain.linearRampToValueAtTime(PEAK * volume, at + EDGE_S);
        gain.gain.setValueAtTime(PEAK * volume, at + length - EDGE_S);
        gain.gain.linearRampToValueAtTime(0, at + length);
        wave.connect(gain);
        wave.start(at);
        wave.stop(at + length);
      }
      at += length;
    }
    this.gain = gain;
  }

  /** Be silent at once. */
  stop() {
    this.gain?.disconnect();
    this.gain = null;
  }
}
