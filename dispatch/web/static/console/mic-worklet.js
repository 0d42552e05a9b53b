// The microphone's end, on the audio thread. It keeps the last moments of sound to itself; what it gives out begins at the
// press and ends behind the release, on the sample. Levels are always given out, for the meter. See mic.js.

const STEP_S = 0.01;
/** The message of a press may come so much later than the press. */
const LOOK_BACK_S = 0.5;
const LEVEL_EVERY_S = 0.1;

class MicWorklet extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ring = new Float32Array(Math.round(LOOK_BACK_S * sampleRate));
    /** The frame behind the newest in the ring. */
    this.head = 0;
    this.first = -1;
    /** The next frame to give out, and the one behind the last. */
    this.from = Infinity;
    this.until = Infinity;
    this.press = 0;
    this.peak = 0;
    this.levelAt = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(said) {
    if (said.do === "from") {
      this.press = said.press;
      this.from = Math.round(said.atS * sampleRate);
      this.until = Infinity;
    } else if (said.press === this.press && said.do === "until") {
      this.until = Math.max(this.from, Math.round(said.atS * sampleRate));
    } else if (said.press === this.press && said.do === "drop") {
      this.from = Infinity;
    }
    this.give();
  }

  process(inputs) {
    const sound = inputs[0]?.[0];
    const count = sound?.length ?? 128;
    if (this.first < 0) this.first = currentFrame;
    this.head = currentFrame;
    for (let i = 0; i < count; i += 1) {
      const sample = sound ? sound[i] : 0;
      this.ring[(this.head + i) % this.ring.length] = sample;
      this.peak = Math.max(this.peak, Math.abs(sample));
    }
    this.head += count;
    if (currentTime - this.levelAt >= LEVEL_EVERY_S) {
      this.port.postMessage({ level: this.peak });
      this.levelAt = currentTime;
      this.peak = 0;
    }
    this.give();
    return true;
  }

  give() {
    if (this.from === Infinity) return;
    const end = Math.min(this.head, this.until);
    const start = Math.max(this.from, this.first, this.head - this.ring.length);
    const over = this.until <= this.head;
    if (!over && end - start < STEP_S * sampleRate) return;
    const sound = new Float32Array(Math.max(0, end - start));
    for (let i = 0; i < sound.length; i += 1) sound[i] = this.ring[(start + i) % this.ring.length];
    this.from = over ? Infinity : Math.max(start, end);
    this.port.postMessage({ press: this.press, sound, over, startS: start / sampleRate }, [sound.buffer]);
  }
}

registerProcessor("ptt-mic", MicWorklet);
