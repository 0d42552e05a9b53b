// Everything that is heard: a speaker and a buzzer a vehicle, side by side from left to right.
const BUZZER_GAIN = 0.06;
const QUIET_DBFS = -60;

export class Sound {
  constructor(rateHz, cars) {
    this.context = new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
    this.cars = new Map();
    this.users = cars;
  }

  async begin() {
    await this.context.audioWorklet.addModule("speaker.js");
    this.users.forEach((user, place) => this.cars.set(user, this.make(place)));
    await this.context.resume();
  }

  make(place) {
    const { context } = this;
    const pan = new StereoPannerNode(context, {
      pan: this.users.length > 1 ? (1.4 * place) / (this.users.length - 1) - 0.7 : 0,
    });
    pan.connect(context.destination);
    const listen = new GainNode(context, { gain: 1 });
    listen.connect(pan);
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    analyser.connect(listen);
    const speaker = new AudioWorkletNode(context, "speaker", { numberOfInputs: 0, outputChannelCount: [1] });
    speaker.connect(analyser);
    const volume = new GainNode(context, { gain: 0 });
    volume.connect(pan);
    const tone = new OscillatorNode(context, { type: "square", frequency: 1000 });
    tone.connect(volume);
    tone.start();
    return { listen, analyser, speaker, volume, tone, block: new Float32Array(analyser.fftSize) };
  }

  play(user, samples) {
    this.cars.get(user)?.speaker.port.postMessage(samples, [samples.buffer]);
  }

  buzz(user, hz) {
    const car = this.cars.get(user);
    if (!car) return;
    const now = this.context.currentTime;
    if (hz) car.tone.frequency.setValueAtTime(hz, now);
    car.volume.gain.setTargetAtTime(hz ? BUZZER_GAIN : 0, now, 0.002);
  }

  listen(user, on) {
    const car = this.cars.get(user);
    if (car) car.listen.gain.value = on ? 1 : 0;
  }

  // What is played now, in dB under full scale.
  level(user) {
    const car = this.cars.get(user);
    if (!car) return QUIET_DBFS;
    car.analyser.getFloatTimeDomainData(car.block);
    const power = car.block.reduce((sum, sample) => sum + sample * sample, 0) / car.block.length;
    return Math.max(QUIET_DBFS, 10 * Math.log10(power + 1e-12));
  }
}
