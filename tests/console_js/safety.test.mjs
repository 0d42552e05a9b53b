// What must never happen: a floor kept by nobody, speech behind the release, a button that is held by itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { takeTalks } from "../../dispatch/web/static/console/facts.js";
import { Hold } from "../../dispatch/web/static/console/hold.js";
import { Microphone } from "../../dispatch/web/static/console/mic.js";
import { Shown } from "../../dispatch/web/static/console/shown.js";
import { World } from "./world.mjs";

// --- the engine -----------------------------------------------------------------------------------------------------------

test("a microphone that throws instead of saying what is wrong takes neither time nor floor with it", async () => {
  const world = await new World().begin();
  const { mic } = world.engine.options;
  const start = mic.start;
  mic.start = () => {
    throw new Error("no encoder");
  };
  assert.throws(() => world.engine.press(), /no encoder/);
  assert.equal(world.engine.hushed, false, "others are heard");
  await world.pass(30_000);
  const pings = world.control.sent.length;
  await world.pass(61_000);
  assert.ok(world.control.sent.length > pings, "it still beats");
  world.engine.release();
  mic.start = start;
  world.engine.press();
  world.grant(9);
  await world.settle();
  assert.equal(world.view.floor, "talking");
});

test("a page that was started again while it parted goes on", async () => {
  const world = await new World().begin();
  let parted = () => {};
  world.control.end = (_force, _options, done) => (parted = done);
  const closing = world.engine.close();
  world.engine.start();
  await world.settle();
  parted();
  await closing;
  assert.ok(world.timers.size > 0);
});

test("where the machine's clock is wrong, what is dated is dated by the office's", async () => {
  const office = 1_893_456_000_000 + 1_000_000;
  const wrong = new World({ credentials: { now: office - 7 * 3_600_000 } });
  await wrong.begin();
  assert.equal(wrong.sent("presence")[0].joined_at, office - 7 * 3_600_000);
});

test("a talk that another console ended is told as lost: nobody waits for it to be heard again", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.issue = 99;
  world.control.emit("close");
  await world.settle();
  assert.notEqual(world.view.elsewhere, null);
  assert.deepEqual([world.view.said.what, world.view.floor], ["floor lost", "failed"]);
  world.engine.release();
  await world.settle();
  assert.equal(world.view.floor, "idle");
});

test("while the own microphone keeps speech the second way is silent too", async () => {
  const said = [];
  const path = { start() {}, session() {}, frame() {}, asked() {}, close() {}, framesOf: () => 0, talk: (on) => said.push(["talk", on]), hush: (on) => said.push(["hush", on]) };
  const world = new World({ credentials: { voice: "agora" } });
  world.engine.options.voicePath = () => path;
  await world.begin();
  said.length = 0;
  world.engine.press("high");
  assert.deepEqual(said, [["hush", true]]);
  world.grant(9);
  assert.deepEqual(said, [["hush", true], ["talk", true]]);
  world.engine.release();
  world.speak(0, true);
  assert.deepEqual(said.slice(2), [["talk", false], ["hush", false]]);
});

// --- what is told ---------------------------------------------------------------------------------------------------------

test("why a talk was taken back stays said while the button is down, and the warning says how long is left", () => {
  const places = {};
  const place = (name) => (places[name] ??= { dataset: {}, replaceChildren: (text) => (places[name].said = text) });
  Object.assign(globalThis, { document: { getElementById: place } });
  const words = { told_limit_near: "{remaining} left", told_limit_reached: "limit", told_talk_ended: "over", seconds: "{value} s" };
  const shown = new Shown({ words, lang: "en", zone: "UTC" }, {});
  const tell = (what, view) => {
    shown.view = view;
    shown.tell({ no: 1, what, name: null, remaining_s: null, count: null });
    return places.told.said;
  };
  assert.equal(tell("limit near", { floor: "talking", remaining_ms: 4990 }), "5 s left");
  assert.equal(tell("limit reached", { floor: "ending" }), "limit");
  assert.equal(tell("talk ended", { floor: "revoked" }), "limit");
  assert.equal(tell("talk ended", { floor: "idle" }), "over");
});

test("who may only listen is told so before pressing", () => {
  const places = {};
  const place = (name) => (places[name] ??= { dataset: {}, setAttribute() {} });
  Object.assign(globalThis, { document: { getElementById: place } });
  const shown = new Shown({ words: { ptt_idle: "hold", ptt_listens: "listen", ptt_off: "off" }, lang: "en", zone: "UTC" }, {});
  const says = (link) => {
    shown.drawButton({ link, voiceLink: true, floor: "idle", position: null, heard: null });
    return places["ptt-state"].textContent;
  };
  assert.equal(says("up"), "hold");
  shown.listens = true;
  assert.deepEqual([says("up"), says("lost")], ["listen", "off"]);
});

test("of the dashboard's changes talks alone come and go, whatever else is numbered", () => {
  const talks = new Map();
  takeTalks(talks, { whole: true, put: { "burst/7": { user: "a" }, "burst/8": { user: "b" }, "state/9": {} }, gone: [] });
  takeTalks(talks, { put: {}, gone: ["burst/7", "state/8", "alert/8"] });
  assert.deepEqual([...talks], [[8, { user: "b" }]]);
  takeTalks(talks, { whole: true, put: {}, gone: [] });
  assert.equal(talks.size, 0);
});

// --- what is held ---------------------------------------------------------------------------------------------------------

class Element extends EventTarget {
  setPointerCapture() {}

  closest() {
    return null;
  }
}

/** A page with a button. */
function page() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { hidden: false, querySelector: () => null });
  Object.assign(globalThis, { Element, document, addEventListener: window.addEventListener.bind(window) });
  const button = new Element();
  const told = [];
  const hold = new Hold(button, { press: () => told.push("press"), release: (why) => told.push(why) });
  const fire = (on, name, more) => {
    const event = new Event(name, { cancelable: true });
    for (const [key, value] of Object.entries({ ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, ...more })) Object.defineProperty(event, key, { value });
    on.dispatchEvent(event);
  };
  const key = (name, code, more = {}) => fire(window, name, { code, key: code, repeat: false, ...more });
  const mouse = (name, buttons, button_ = 0) => fire(button, name, { pointerId: 1, button: button_, buttons });
  return { hold, told, window, document, button, fire, key, mouse };
}

test("a key that repeats is one press; two that hold it are let go with the last", () => {
  const { told, key, mouse } = page();
  key("keydown", "Space");
  key("keydown", "Space", { repeat: true });
  mouse("pointerdown", 1);
  key("keyup", "Space");
  assert.deepEqual(told, ["press"]);
  mouse("pointerup", 0);
  assert.deepEqual(told, ["press", "pointerup"]);
});

test("beside the Command key no key's release is told: that key lets go itself", () => {
  const { told, key } = page();
  key("keydown", "Space");
  key("keydown", "MetaLeft", { key: "Meta", metaKey: true });
  assert.deepEqual(told, ["press", "doubt"]);
});

test("of two Shift keys only the last one's release is told", () => {
  const { hold, told, key } = page();
  hold.key = "ShiftRight";
  key("keydown", "ShiftRight", { shiftKey: true });
  key("keydown", "ShiftLeft", { shiftKey: true });
  assert.deepEqual(told, ["press"]);
  key("keyup", "ShiftLeft", { shiftKey: false });
  assert.deepEqual(told, ["press", "doubt"]);
});

test("a mouse button that goes up while another one is down is told by its movement alone", () => {
  const { told, mouse } = page();
  mouse("pointerdown", 1);
  mouse("pointermove", 3, -1);
  assert.deepEqual(told, ["press"]);
  mouse("pointermove", 2, -1);
  assert.deepEqual(told, ["press", "buttons"]);
});

test("a touch that is taken away, a lost focus, a hidden page and a left one let go, each once", () => {
  const events = { pointercancel: "button", blur: "window", beforeunload: "window", pagehide: "window", visibilitychange: "document", freeze: "document" };
  for (const [name, on] of Object.entries(events)) {
    const made = page();
    made.mouse("pointerdown", 1);
    made.document.hidden = true;
    made.fire(made[on], name, { pointerId: 1 });
    made.mouse("lostpointercapture", 0);
    assert.equal(made.told.length, 2, name);
  }
});

// --- the microphone -------------------------------------------------------------------------------------------------------

const RATE = 48_000;

class Encoder {
  constructor({ output }) {
    Object.assign(this, { output, state: "configured", fed: [] });
    Encoder.made.push(this);
  }

  configure() {}

  encode({ data }) {
    this.fed.push(data);
  }

  async flush() {
    for (const _ of this.fed) this.output({ byteLength: 1, copyTo() {} });
  }

  close() {
    this.state = "closed";
  }
}

class AudioData {
  constructor({ data }) {
    this.data = data;
  }
}

function microphone() {
  Encoder.made = [];
  Object.assign(globalThis, { AudioEncoder: Encoder, AudioData });
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  const asked = [];
  const audio = { context: { currentTime: 10 }, state: "running" };
  const mic = new Microphone(audio, { changed() {}, level() {} });
  mic.track = { readyState: "live", enabled: true, getSettings: () => ({}) };
  mic.node = { context: audio.context, port: { postMessage: (said) => asked.push(said) } };
  const frames = [];
  const faults = [];
  mic.start({ pressAt: performance.now(), onFrame: (frame) => frames.push(frame), onFault: (why) => faults.push(why) });
  mic.open(9);
  const give = (startS, lengthS, over = false) => mic.heard({ press: 1, sound: new Float32Array(lengthS * RATE).fill(0.5), over, startS });
  /** Seconds of sound that were coded. */
  const coded = () => Encoder.made[0].fed.reduce((sum, data) => sum + data.filter((sample) => sample > 0).length, 0) / RATE;
  return { mic, audio, frames, faults, asked, give, coded };
}

test("what a busy page hears behind the release was said behind it, and is not sent", async () => {
  const { mic, audio, give, coded, asked, frames } = microphone();
  give(10, 0.5);
  // the button went up 1.5 s ago: since then the audio thread has given out what was not to be heard
  audio.context.currentTime = 12;
  mic.stop(performance.now() - 1500);
  give(10.5, 1.5);
  give(12, 0, true);
  await Promise.resolve();
  assert.ok(Math.abs(coded() - 0.54) < 0.01, `${coded()} s`);
  assert.ok(asked.at(-1).atS < 10.6);
  assert.equal(frames.at(-1).last, true);
});

test("a microphone that stands still with the sound system is told at once", () => {
  const { mic, audio, faults } = microphone();
  mic.soundChanged();
  assert.deepEqual(faults, []);
  audio.state = "suspended";
  mic.soundChanged();
  mic.soundChanged();
  assert.deepEqual(faults, ["failed"]);
});

test("a coder that was taken away meanwhile is made anew", () => {
  const { mic, coded } = microphone();
  mic.spare = new Encoder({ output() {} });
  mic.spare.close();
  mic.start({ pressAt: performance.now(), onFrame() {}, onFault() {} });
  assert.equal(mic.press.encoder.state, "configured");
});
