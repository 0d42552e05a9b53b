// Microphone and loudspeaker on what the browser gives: a context that fails and another one, wishes that change.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Audio } from "../../dispatch/web/static/console/audio.js";
import { Microphone } from "../../dispatch/web/static/console/mic.js";
import { Loudspeaker } from "../../dispatch/web/static/console/speaker.js";

const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

class Node {
  constructor(context, name) {
    if (context.state === "closed") throw new DOMException("closed", "InvalidStateError");
    Object.assign(this, { context, name, leads: [], said: [], gain: { value: 1 } });
    this.port = { postMessage: (said) => this.said.push(said) };
    context.nodes.push(this);
  }

  connect(to) {
    if (to.context !== this.context) throw new DOMException("another context", "InvalidAccessError");
    this.leads.push(to);
    return to;
  }

  disconnect() {
    this.leads = [];
  }
}

class Context {
  constructor() {
    Object.assign(this, { state: "suspended", currentTime: 0, nodes: [], destination: { context: this } });
    this.audioWorklet = { addModule: async () => {} };
    browser.contexts.push(this);
  }

  createMediaStreamSource(stream) {
    return Object.assign(new Node(this, "source"), { stream });
  }

  async resume() {
    if (browser.refuses) throw new DOMException("no device", "InvalidStateError");
    this.state = "running";
    this.onstatechange?.();
  }

  async close() {
    this.state = "closed";
  }

  named(name) {
    return this.nodes.find((node) => node.name === name);
  }
}

class Encoder {
  static isConfigSupported = async () => ({ supported: true });
  state = "configured";
  configure() {}
  close() {}
}

let browser;

/** A browser in which a microphone is asked for; `give` answers the oldest question. */
function open() {
  browser = { contexts: [], asked: [], tracks: [], refuses: false };
  const getUserMedia = ({ audio }) => {
    let done = () => {};
    const answer = new Promise((given) => (done = given));
    browser.asked.push({ audio, done });
    return answer;
  };
  const mediaDevices = { getUserMedia, addEventListener() {} };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  class MediaStream {
    constructor(tracks) {
      this.tracks = tracks;
    }
    getTracks = () => this.tracks;
    getAudioTracks = () => this.tracks;
  }
  class GainNode extends Node {
    constructor(context) {
      super(context, "gain");
    }
  }
  Object.assign(globalThis, { AudioContext: Context, AudioWorkletNode: Node, GainNode, AudioEncoder: Encoder, AudioDecoder: class {}, MediaStream, document: { hidden: false } });
  const give = async (at = 0) => {
    const { audio, done } = browser.asked[at];
    const track = { audio, readyState: "live", enabled: true, label: "", addEventListener() {}, stop: () => (track.readyState = "ended") };
    browser.tracks.push(track);
    done(new MediaStream([track]));
    await settled();
  };
  const audio = new Audio(() => {
    speaker.attach();
    mic.soundChanged();
  });
  const mic = new Microphone(audio, { changed() {}, level() {} });
  const speaker = new Loudspeaker(audio, { sounding() {} });
  return { audio, mic, speaker, give };
}

// --- a context that fails -------------------------------------------------------------------------------------------------

test("where the sound could not be taken up again, the next try leads microphone and loudspeaker to a new context", async () => {
  const { audio, mic, speaker, give } = open();
  await audio.start();
  mic.prepare();
  await settled();
  await give();
  assert.equal(mic.ready, true);
  speaker.open({ burst: 7, onHeard() {}, onPlayed() {} });
  browser.contexts[0].state = "suspended";
  browser.refuses = true;
  await audio.start();
  assert.deepEqual([audio.state, mic.ready, browser.contexts[0].state], ["failed", false, "closed"]);
  browser.refuses = false;
  await audio.start();
  const [, anew] = browser.contexts;
  assert.deepEqual([audio.state, mic.ready, browser.asked.length], ["running", true, 1]);
  assert.deepEqual(anew.named("source").stream.tracks, browser.tracks);
  assert.deepEqual(anew.named("source").leads, [anew.named("ptt-mic")]);
  assert.deepEqual(anew.named("ptt-speaker").leads, [anew.named("gain")]);
  assert.deepEqual(anew.named("ptt-speaker").said, [{ do: "hush", on: false }, { do: "open", burst: 7 }]);
  mic.start({ pressAt: performance.now(), onFrame() {}, onFault: assert.fail });
  assert.equal(anew.named("ptt-mic").said.at(-1).do, "from");
});

// --- what is wished of the microphone ---------------------------------------------------------------------------------------

for (const [name, wishes, asked] of [
  ["changed while the browser is asked", [true], [false, true]],
  ["changed and taken back while the browser is asked", [true, false], [false]],
]) {
  test(`of a wish that is ${name} the last one is so, with one track open`, async () => {
    const { audio, mic, give } = open();
    await audio.start();
    mic.prepare();
    await settled();
    for (const on of wishes) mic.clean(on);
    for (const [at] of asked.entries()) await give(at);
    assert.deepEqual(browser.asked.map((one) => one.audio.noiseSuppression), asked);
    const live = browser.tracks.filter((track) => track.readyState === "live");
    assert.deepEqual([live, live[0].audio.autoGainControl], [[mic.track], wishes.at(-1)]);
  });
}

test("a wish that changes twice quickly behind an open microphone leaves one track, as wished last", async () => {
  const { audio, mic, give } = open();
  await audio.start();
  mic.prepare();
  await settled();
  await give();
  for (const on of [true, false]) {
    mic.clean(on);
    await settled();
  }
  for (let at = 1; at < browser.asked.length; at += 1) await give(at);
  const live = browser.tracks.filter((track) => track.readyState === "live");
  assert.deepEqual([live, live[0].audio.noiseSuppression], [[mic.track], false]);
});
