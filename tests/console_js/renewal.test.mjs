// A press while credentials are renewed: the office cuts off what stands, and the new connection is a moment away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { World } from "./world.mjs";

const MINUTE = 60_000;
const types = (world) => world.floor().map(([again, said]) => `${said.type}${again ? " again" : ""}`);

/** A console whose renewal is under way; `come` gives the new credentials, `fail` says that there are none. */
async function renewing() {
  const world = await new World().begin();
  let come = () => {};
  let fail = () => {};
  world.credentials = () => new Promise((done, failed) => ([come, fail] = [done, failed]));
  await world.pass(46 * MINUTE);
  world.issue = 2;
  return { world, come: () => come(world.made()), fail: (why) => fail(why) };
}

function cut(world) {
  const { control, voice } = world;
  for (const client of [control, voice]) client.emit("disconnect", { reasonCode: 0x98 });
}

async function connected(world) {
  world.control.emit("connect");
  world.voice.emit("connect");
  await world.settle();
}

for (const when of ["before the office cuts the old connection", "behind the cut", "while the new one is dialled"]) {
  test(`a press ${when} is kept from its edge on and asked in the new connection`, async () => {
    const { world, come } = await renewing();
    const press = () => world.engine.press("high");
    if (when.startsWith("before")) press();
    assert.deepEqual(types(world), []);
    cut(world);
    if (when.startsWith("behind")) press();
    await world.pass(100);
    come();
    await world.settle();
    if (when.startsWith("while")) press();
    await world.pass(500);
    assert.deepEqual([world.view.floor, world.view.said], ["asking", null]);
    await connected(world);
    assert.deepEqual(world.floor(), [[false, { type: "floor_request", request_id: [0, 42, 2, 1], priority: "high" }]]);
    world.grant(9);
    world.renewed();
    world.speak(0);
    world.engine.release();
    world.speak(1, true);
    await world.settle();
    assert.deepEqual(world.mic, ["start", "open 9", "stop", "drop"]);
    assert.deepEqual(world.frames().map(({ burst, seq }) => [burst, seq]), [[9, 0], [9, 1]]);
    assert.deepEqual(world.floor().at(-1)[1], { type: "floor_release", request_id: [0, 42, 2, 1], burst: 9, last_seq: 1 });
  });
}

test("a press between the two new connections waits for the voice's", async () => {
  const { world, come } = await renewing();
  cut(world);
  come();
  await world.settle();
  world.control.emit("connect");
  world.engine.press();
  await world.settle();
  assert.deepEqual([types(world), world.view.floor], [[], "asking"]);
  world.voice.emit("connect");
  await world.settle();
  assert.deepEqual(types(world), ["floor_request"]);
});

test("a press does not wait longer for the link than for an answer, and is told why it failed", async () => {
  const { world, come } = await renewing();
  cut(world);
  world.engine.press();
  await world.pass(1499);
  assert.equal(world.view.floor, "asking");
  await world.pass(2);
  assert.deepEqual([world.view.floor, world.view.said.what], ["failed", "no connection"]);
  world.engine.release();
  come();
  await world.settle();
  await connected(world);
  assert.equal(types(world).includes("floor_request"), false, "nothing presses by itself");
});

test("where the office is slow, a press is asked over the connection that still stands", async () => {
  const { world } = await renewing();
  world.engine.press();
  await world.pass(1501);
  assert.deepEqual(world.floor(), [[false, { type: "floor_request", request_id: [0, 41, 1, 1], priority: "normal" }]]);
  world.grant(9);
  await world.settle();
  assert.equal(world.view.floor, "talking");
});

test("a renewal that fails lets the press go at once over what stands", async () => {
  const { world, fail } = await renewing();
  world.engine.press();
  fail({ what: "unreachable", text: "no answer" });
  await world.settle();
  assert.deepEqual(types(world), ["floor_request"]);
});

test("new credentials that do not get in end the waiting: a press is told so at once", async () => {
  const { world, come } = await renewing();
  cut(world);
  come();
  await world.settle();
  world.engine.press();
  world.control.emit("close");
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what], ["failed", "no connection"]);
  world.engine.release();
  world.engine.press();
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.no], ["failed", 2], "the next one waits for nothing");
});

test("a button that is let go while it waits asks for nothing", async () => {
  const { world, come } = await renewing();
  cut(world);
  world.engine.press();
  world.engine.release();
  come();
  await world.settle();
  await connected(world);
  assert.equal(types(world).includes("floor_request"), false);
  assert.equal(world.mic.at(-1), "drop");
});

test("a line that is cut without a renewal keeps no press waiting", async () => {
  const world = await new World().begin();
  cut(world);
  world.engine.press();
  await world.settle();
  assert.deepEqual([world.view.floor, world.view.said.what], ["failed", "no connection"]);
});
