// The engine and the floor: what is sent, when the microphone is open, what the page is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { World } from "./world.mjs";

const types = (world) => world.floor().map(([again, said]) => `${said.type}${again ? " again" : ""}`);

test("a press is asked, granted, renewed at once, spoken from its beginning on, and released with its last frame's number", async () => {
  const world = await new World().begin();
  world.engine.press("high");
  await world.settle();
  assert.equal(world.view.floor, "asking");
  assert.deepEqual(world.floor()[0], [false, { type: "floor_request", request_id: [0, 41, 1, 1], priority: "high" }]);
  world.grant(9);
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what, world.view.remaining_ms], ["talking", "granted", 30000]);
  assert.deepEqual(types(world), ["floor_request", "floor_renew"]);
  world.renewed();
  [0, 1, 2].forEach((no) => world.speak(no));
  world.engine.release();
  await world.settle();
  assert.equal(world.view.floor, "ending");
  assert.deepEqual(types(world), ["floor_request", "floor_renew"]);
  world.speak(3, true);
  await world.settle();
  assert.deepEqual(world.frames().map(({ burst, seq, captureMs, flags }) => [burst, seq, captureMs, flags]), [[9, 0, 0, 0], [9, 1, 20, 0], [9, 2, 40, 0], [9, 3, 60, 1]]);
  assert.deepEqual(world.floor().at(-1), [false, { type: "floor_release", request_id: [0, 41, 1, 1], burst: 9, last_seq: 3 }]);
  assert.equal(world.view.floor, "idle");
  assert.deepEqual(world.mic, ["start", "open 9", "stop", "drop"]);
});

test("nothing of the microphone leaves before the grant", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.speak(0);
  await world.pass(400);
  assert.deepEqual(world.frames(), []);
});

test("a button let go before the answer takes the request back, and a grant that comes late is given back", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.engine.release();
  assert.deepEqual(types(world), ["floor_request", "floor_release"]);
  assert.equal(world.floor()[1][1].burst, null);
  world.reply({ type: "floor_ack", request_id: world.requestId });
  world.grant(9);
  assert.deepEqual(world.floor().at(-1)[1], { type: "floor_release", request_id: [0, 41, 1, 1], burst: 9, last_seq: null });
  assert.deepEqual(world.frames(), []);
});

test("an unanswered request is repeated on `again`, given up after 1.9 s, and told", async () => {
  const world = await new World().begin();
  world.engine.press();
  await world.pass(1899);
  assert.deepEqual(types(world), ["floor_request", "floor_request again", "floor_request again", "floor_request again"]);
  await world.pass(2);
  assert.equal(types(world).at(-1), "floor_release");
  assert.deepEqual([world.view.floor, world.view.said.what], ["failed", "no answer"]);
  world.engine.release();
  await world.settle();
  assert.equal(world.view.floor, "idle");
});

test("a denial says who speaks, why, and for how long; nothing is sent, and the next press asks anew", async () => {
  const world = await new World().begin();
  world.engine.press();
  const why = { cause: "another_has_permission", speaker: "car-1", speaker_name: "1호차", remaining_s: 12.5, priority: "normal" };
  world.reply({ type: "floor_deny", request_id: world.requestId, ...why });
  world.speak(0);
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.deny, world.view.said.name], ["denied", why, "1호차"]);
  assert.deepEqual([world.frames(), world.mic.at(-1)], [[], "drop"]);
  world.engine.release();
  world.engine.press();
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.deny, world.requestId[3]], ["asking", null, 2]);
});

test("answers to an older press, and the same answer twice, change nothing", async () => {
  const world = await new World().begin();
  world.engine.press();
  const old = world.requestId;
  world.engine.release();
  world.engine.press();
  world.reply({ type: "floor_deny", request_id: old, cause: "other" });
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.deny], ["asking", null]);
  world.grant(9);
  world.grant(9);
  world.renewed();
  world.renewed();
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.counts.discarded], ["talking", 2]);
  assert.equal(types(world).filter((type) => type === "floor_release").length, 1);
});

test("an unanswered lease mutes, and the answer to a renewal opens again with the numbers going on", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.speak(0);
  let no = 1;
  await world.pass(2900, () => world.speak(no++));
  const before = world.frames().length;
  assert.ok(before > 2);
  await world.pass(200);
  world.speak(no++);
  assert.deepEqual([world.view.floor, world.view.said.what, world.frames().length], ["unheard", "not heard", before]);
  assert.equal(world.mic.at(-1), "hold");
  world.renewed();
  world.speak(no++);
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what, world.frames().at(-1).seq], ["talking", "heard again", before]);
});

test("permission is looked at with each frame: behind its end nothing leaves, though no timer has run", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.ms += 3001;
  world.speak(0);
  assert.deepEqual(world.frames(), []);
});

test("a burst that nobody answers for is given up after 5 s", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.voice.stream.socket.bufferedAmount = 0;
  await world.pass(5001);
  assert.deepEqual([world.view.floor, world.view.said.what], ["failed", "floor lost"]);
  assert.ok(world.floor().some(([, said]) => said.type === "floor_release" && said.burst === 9));
});

test("the limit warns, ends the talk as a key-up, and a press at once behind it is none", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9, { duration_s: 6 });
  world.renewed();
  const go = () => world.floor().at(-1)[1].type === "floor_renew" && world.renewed();
  await world.pass(1500, () => (world.speak(1), go()));
  assert.equal(world.view.limitNear, true);
  await world.pass(4600, () => (world.speak(1), go()));
  assert.deepEqual([world.view.said.what, world.mic.at(-1)], ["limit reached", "stop"]);
  world.speak(2, true);
  await world.settle();
  assert.equal(world.floor().at(-1)[1].type, "floor_release");
  assert.equal(world.view.floor, "revoked");
  world.engine.release();
  await world.pass(100);
  world.engine.press();
  await world.settle();
  assert.equal(world.view.said.what, "let go");
});

test("a revocation silences at once and is answered with a release", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.speak(0);
  world.reply({ type: "floor_revoke", burst: 9, cause: "preempted" });
  world.speak(1);
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what, world.frames().length], ["revoked", "preempted", 1]);
  assert.deepEqual([world.floor().at(-1)[1].type, world.floor().at(-1)[1].burst], ["floor_release", 9]);
});

test("a newer session that names another ends the talk; an older one does not", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.say("session", { type: "session", rev: 49, store: "s", active: true, channel_name: "c", burst: 8, current_speaker: "car-1" });
  world.speak(0);
  assert.equal(world.frames().length, 1);
  world.session({ burst: 10, priority: "emergency" });
  world.speak(1);
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what, world.frames().length], ["revoked", "preempted", 1]);
});

test("a link lost while talking mutes at once, and its return renews and goes on in the same burst", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.speak(0);
  world.control.emit("close");
  world.speak(1);
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.link, world.frames().length], ["unheard", "lost", 1]);
  await world.pass(300);
  world.control.emit("connect");
  assert.deepEqual(types(world), ["floor_renew"]);
  assert.equal(world.control.options.will.properties.willDelayInterval, 0);
  world.renewed();
  world.speak(2);
  await world.settle();
  assert.deepEqual([world.view.floor, world.frames().at(-1).seq], ["talking", 1]);
});

test("a link lost before the answer is told at once: nothing can come", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.control.emit("close");
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what], ["failed", "no connection"]);
});

test("voice that does not get through is not kept for: old speech is dropped, renewals end, the floor goes", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.voice.answers = false;
  world.voice.stream.socket.bufferedAmount = 99999;
  const go = () => world.floor().at(-1)[1].type === "floor_renew" && world.renewed();
  world.speak(0);
  await world.pass(900, go);
  const renewals = types(world).length;
  await world.pass(2000);
  assert.equal(types(world).length, renewals + 1);
  world.voice.stream.socket.bufferedAmount = 0;
  world.speak(1);
  await world.pass(200);
  assert.deepEqual([world.frames().map(({ opus }) => opus[1]), world.view.counts["too old"]], [[1], 1]);
  assert.equal(world.view.floor, "unheard");
});

test("a queued press waits with its position, repeats itself, and is not heard before its first renewal is answered", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.reply({ type: "floor_queued", request_id: world.requestId, position: 2 });
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.position], ["queued", 2]);
  await world.pass(1001);
  assert.equal(types(world).at(-1), "floor_request again");
  world.grant(9);
  world.speak(0);
  assert.deepEqual([world.frames().length, world.mic.includes("open 9")], [0, false]);
  world.renewed();
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what, world.mic.at(-1)], ["talking", "turn came", "open 9"]);
});

test("a microphone that fails ends the press, and says why", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.press.onFault("lost");
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.micFault, world.view.said.what], ["failed", "lost", "no microphone"]);
  assert.deepEqual([world.floor().at(-1)[1].type, world.floor().at(-1)[1].burst], ["floor_release", 9]);
});

test("a microphone that never gives its last frame does not keep the floor", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.speak(0);
  world.engine.release();
  await world.pass(600);
  assert.deepEqual(world.frames().map(({ flags, opus }) => [flags, opus.length]), [[0, 2], [1, 0]]);
  assert.equal(world.floor().at(-1)[1].last_seq, 1);
});

test("a press while the last words still leave is asked for behind them, with its own number", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.renewed();
  world.speak(0);
  const first = world.press;
  world.engine.release();
  world.engine.press();
  assert.equal(world.press, first, "its microphone opens behind the last words");
  const pressed = world.ms;
  await world.pass(100);
  first.onFrame({ opus: new Uint8Array([1]), captureMs: 20, last: true });
  assert.deepEqual(world.frames().map(({ seq, flags }) => [seq, flags]), [[0, 0], [1, 1]]);
  assert.equal(world.press.pressAt, pressed);
  assert.deepEqual(world.mic, ["start", "open 9", "stop", "drop", "start"]);
  await world.pass(600);
  const order = types(world).filter((type) => !type.includes("renew") && !type.includes("again"));
  assert.deepEqual(order, ["floor_request", "floor_release", "floor_request"]);
  assert.equal(world.requestId[3], 2);
});

test("a press behind last words that never end begins without them, and one that is let go first begins nothing", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.engine.release();
  world.engine.press();
  await world.pass(600);
  assert.equal(world.requestId[3], 2);
  assert.deepEqual(world.mic, ["start", "open 9", "stop", "drop", "start"]);
  world.grant(10);
  world.engine.release();
  world.engine.press();
  world.engine.release();
  await world.pass(3000);
  assert.deepEqual(world.mic.slice(5), ["open 10", "stop", "drop"]);
  assert.equal(world.requestId[3], 2);
});

test("a release is repeated until it is acknowledged, or a session shows the burst over", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.engine.release();
  world.speak(0, true);
  await world.pass(1200);
  assert.equal(types(world).filter((type) => type === "floor_release again").length, 2);
  world.session({ burst: 9, current_speaker: null, ended: "released", last_seq: 0 });
  const before = types(world).length;
  await world.pass(2000);
  assert.equal(types(world).length, before);
});

test("while the own microphone is open nothing sounds", async () => {
  const world = await new World().begin();
  world.engine.press();
  await world.settle();
  assert.deepEqual(world.heard.at(-1), ["hush", true]);
  world.engine.release();
  await world.settle();
  assert.deepEqual(world.heard.at(-1), ["hush", false]);
});

test("who heard the own burst is shown, of the newest burst alone", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  world.engine.release();
  world.speak(0, true);
  world.reply({ type: "floor_heard", burst: 8, heard_by: 9, heard_of: 9 });
  world.reply({ type: "floor_heard", burst: 9, heard_by: 2, heard_of: 3 });
  await world.settle();
  assert.deepEqual(world.view.heard, { by: 2, of: 3 });
});
