// What the console's loudspeaker plays, in virtual time: nothing here sounds, decodes or waits.
import assert from "node:assert/strict";
import { test } from "node:test";

import { SPEED_MAX } from "../../dispatch/web/static/console/hurry.js";
import { soundsAt } from "../../dispatch/web/static/console/audio.js";
import { MIN_S } from "../../dispatch/web/static/console/jitter.js";
import { NEXT_WAITS_S, Playout, STEP_S, TAIL_HEARD_S } from "../../dispatch/web/static/console/playout.js";
import { peak, shorten } from "../../dispatch/web/static/console/stretch.js";

const RATE = 48000;
const PACKET_S = 0.02;
const PACKET = RATE * PACKET_S;

/** A voice of 120 Hz with two harmonics, as loud as speech, its pitch rising a little. */
function voice(seconds) {
  const out = new Float32Array(Math.round(seconds * RATE));
  let phase = 0;
  for (let i = 0; i < out.length; i += 1) {
    phase += (2 * Math.PI * (120 + (10 * i) / out.length)) / RATE;
    out[i] = 0.2 * Math.sin(phase) + 0.1 * Math.sin(2 * phase) + 0.05 * Math.sin(3 * phase);
  }
  return out;
}

class Bench {
  constructor() {
    this.playout = new Playout(RATE);
    this.now = 10;
    this.heard = [];
    this.arrivals = [];
  }

  /** Packets of `said`, captured from `capturedAt` on, each arriving by `arrival(seq, capture end)`. */
  speak(burst, said, { capturedAt = 0, arrival = (_seq, end) => end + 0.02, last = true, without = [] } = {}) {
    const count = Math.floor(said.length / PACKET);
    for (let seq = 0; seq < count; seq += 1) {
      if (without.includes(seq)) continue;
      const capturedS = seq * PACKET_S;
      const pcm = said.slice(seq * PACKET, (seq + 1) * PACKET);
      const packet = { seq, capturedS, durationS: PACKET_S, pcm, last: last && seq === count - 1 };
      this.at(arrival(seq, this.now + capturedAt + capturedS + PACKET_S), () => this.playout.put(burst, packet, this.now));
    }
    return count;
  }

  at(when, run) {
    this.arrivals.push([when, run]);
    this.arrivals.sort(([a], [b]) => a - b);
  }

  run(seconds) {
    const end = this.now + seconds;
    while (this.now < end - 1e-9) {
      this.now += STEP_S;
      while (this.arrivals.length && this.arrivals[0][0] <= this.now) this.arrivals.shift()[1]();
      this.heard.push(this.playout.render(this.now));
    }
    return this;
  }

  /** Seconds in which something sounds. */
  get soundedS() {
    return this.heard.filter((step) => step && peak(step) > 0.01).length * STEP_S;
  }

  get firstAtS() {
    return this.heard.findIndex((step) => step && peak(step) > 0.01) * STEP_S;
  }

  get whole() {
    const out = new Float32Array(this.heard.length * RATE * STEP_S);
    this.heard.forEach((step, i) => step && out.set(step, i * RATE * STEP_S));
    return out;
  }
}

const near = (value, wanted, by) => assert.ok(Math.abs(value - wanted) <= by, `${value} is not ${wanted} ± ${by}`);

test("speech that comes in time is played sample by sample, MIN_S behind the link", () => {
  const bench = new Bench();
  const said = voice(1);
  bench.playout.open(1, bench.now);
  bench.speak(1, said);
  bench.run(1.5);
  near(bench.firstAtS, PACKET_S + 0.02 + MIN_S, 0.025);
  const whole = bench.whole;
  const first = whole.findIndex((sample) => Math.abs(sample) > 0);
  const changed = said.findIndex((sample, i) => sample !== whole[first + i]);
  assert.equal(changed, -1);
  assert.deepEqual(bench.playout.takeEnded(), [{ burst: 1, frames: 50, concealed: 0 }]);
});

test("what was kept before the grant is all heard, and its delay is worked off without a jump", () => {
  const bench = new Bench();
  const said = voice(6);
  bench.playout.open(1, bench.now);
  bench.speak(1, said, { capturedAt: -1.5, arrival: (_seq, end) => Math.max(end, bench.now) + 0.02 });
  bench.run(8);
  assert.ok(bench.firstAtS <= 0.05, `the first syllable waited ${bench.firstAtS} s`);
  const [ended] = bench.playout.takeEnded();
  assert.deepEqual(ended, { burst: 1, frames: 300, concealed: 0 });
  // 4.5 s were left to be said when it began: a good second of delay is gone, nowhere faster than a listener follows
  assert.ok(bench.soundedS < 5.2, `the delay was not worked off: ${bench.soundedS} s for 6 s of speech`);
  assert.ok(bench.soundedS > 6 / SPEED_MAX - 0.05, `faster than ${SPEED_MAX}: ${bench.soundedS} s`);
  let jump = 0;
  const whole = bench.whole;
  const first = whole.findIndex((sample) => Math.abs(sample) > 0);
  for (let i = first + 1; i < first + RATE * 4; i += 1) jump = Math.max(jump, Math.abs(whole[i] - whole[i - 1]));
  assert.ok(jump < 0.05, `a splice clicks: ${jump}`);
});

test("one lost packet is invented, and nothing behind it is moved", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  bench.speak(1, voice(1), { without: [20] });
  bench.run(1.5);
  assert.deepEqual(bench.playout.takeEnded(), [{ burst: 1, frames: 49, concealed: 2 }]);
  near(bench.soundedS, 1, 0.011);
});

test("when a burst begins to sound is told once, behind the tail before it; of one that is silent it is not", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  bench.speak(1, voice(1));
  bench.run(0.5);
  const [first] = bench.playout.takeBegun();
  near(first.atS, 10 + bench.firstAtS + STEP_S, 1e-6);
  bench.run(1);
  bench.playout.hushed = true;
  bench.playout.open(2, bench.now);
  bench.speak(2, voice(1));
  bench.run(2);
  assert.deepEqual([first.burst, bench.playout.takeBegun()], [1, []]);
});

test("a moment of the audio context is one of the page's clock: by what comes out now, by the latency, or not at all", () => {
  const at = (more) => soundsAt({ currentTime: 100, outputLatency: 0, ...more }, 100.5, 7000);
  const stamp = (contextTime, performanceTime) => ({ getOutputTimestamp: () => ({ contextTime, performanceTime }) });
  assert.deepEqual(at(stamp(99.75, 6990)), { atMs: 7740, errorMs: 5 });
  assert.deepEqual(at({ ...stamp(0, 0), outputLatency: 0.25 }), { atMs: 7750, errorMs: 255 });
  assert.deepEqual([at(stamp(0, 0)), at({}), at({ outputLatency: undefined })], [null, null, null]);
});

test("a stall is concealed for a moment, then silent, and all of it is heard later", () => {
  const bench = new Bench();
  const began = bench.now;
  bench.playout.open(1, bench.now);
  bench.speak(1, voice(2), { arrival: (_seq, end) => (end > began + 0.5 && end < began + 0.9 ? began + 0.9 : end) + 0.02 });
  bench.run(3);
  const [ended] = bench.playout.takeEnded();
  assert.equal(ended.frames, 100);
  assert.ok(ended.concealed > 0 && ended.concealed <= 12, `${ended.concealed} steps invented`);
});

test("what is closed without drain is silent at once, and counts what was played", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  bench.speak(1, voice(2));
  bench.run(0.5);
  bench.playout.close(1, { drain: false, lastSeq: null }, bench.now);
  const before = bench.soundedS;
  bench.run(1);
  assert.equal(bench.soundedS, before);
  const [ended] = bench.playout.takeEnded();
  assert.ok(ended.frames > 15 && ended.frames < 25);
});

test("a released burst is heard to its last number, and what is missing is not waited for for ever", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  const count = bench.speak(1, voice(1), { last: false, without: [49] });
  bench.at(bench.now + 1.05, () => bench.playout.close(1, { drain: true, lastSeq: count - 1 }, bench.now));
  bench.run(1.2);
  assert.deepEqual(bench.playout.takeEnded(), []);
  bench.run(0.5);
  const [ended] = bench.playout.takeEnded();
  assert.equal(ended.frames, 49);
});

test("a tail that waited for its grant is heard, but never longer than TAIL_HEARD_S", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  const count = bench.speak(1, voice(4), { capturedAt: -4, arrival: () => bench.now + 0.02, last: false });
  bench.at(bench.now + 0.1, () => bench.playout.close(1, { drain: true, lastSeq: count - 1 }, bench.now));
  bench.run(4);
  near(bench.soundedS, TAIL_HEARD_S + 0.08, 0.05);
});

test("the next burst waits behind a tail, NEXT_WAITS_S at most, and no two sound at once", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  const count = bench.speak(1, voice(4), { capturedAt: -4, arrival: () => bench.now + 0.02, last: false });
  bench.run(0.1);
  bench.playout.close(1, { drain: true, lastSeq: count - 1 }, bench.now);
  bench.playout.open(2, bench.now);
  bench.speak(2, voice(1));
  bench.run(NEXT_WAITS_S - 0.1);
  assert.deepEqual(bench.playout.takeEnded(), []);
  bench.run(3);
  assert.deepEqual(bench.playout.takeEnded().map(({ burst, frames }) => [burst, frames > 40]), [[1, true], [2, true]]);
});

test("while the own microphone is open nothing sounds, time goes on, and nobody is told it was heard", () => {
  const bench = new Bench();
  bench.playout.open(1, bench.now);
  bench.speak(1, voice(1));
  bench.playout.hushed = true;
  bench.run(0.5);
  assert.equal(bench.soundedS, 0);
  bench.playout.hushed = false;
  bench.run(1);
  const [ended] = bench.playout.takeEnded();
  near(ended.frames, 28, 4);
  assert.equal(ended.frames + ended.concealed, 50);
});

test("frames of a burst that was not opened, or is over, are heard by nobody", () => {
  const bench = new Bench();
  bench.speak(7, voice(0.5));
  bench.run(1);
  bench.playout.open(8, bench.now);
  bench.playout.close(8, { drain: false, lastSeq: null }, bench.now);
  bench.speak(8, voice(0.5));
  bench.run(1);
  assert.equal(bench.soundedS, 0);
  assert.deepEqual(bench.playout.takeEnded(), [{ burst: 8, frames: 0, concealed: 0 }]);
});

test("shortening takes a whole period of a voice: both ends stay and nothing jumps", () => {
  const said = voice(0.05);
  const shorter = shorten(said, RATE, 0.0125);
  const gone = (said.length - shorter.length) / RATE;
  assert.ok([1, 2].some((periods) => Math.abs(gone - periods / 121) < 0.0005), `${gone} s is no period of 120 Hz`);
  assert.equal(shorter[0], said[0]);
  assert.equal(shorter.at(-1), said.at(-1));
});
