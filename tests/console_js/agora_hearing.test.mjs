// What is heard over Agora, in virtual time, and when the speaker is asked for MQTT's frames again.
import assert from "node:assert/strict";
import { test } from "node:test";

import { DRY_MS, FIRST_MS, LAG_MS, SILENT_MS } from "../../dispatch/web/static/console/agora-hearing.js";
import { CAR, OTHER, Bench, burst, joined, settled } from "./agora_bench.mjs";

// --- hearing ------------------------------------------------------------------------------------------------------------

test("nobody is subscribed to but the announced speaker", async () => {
  const bench = await joined();
  bench.client.speaks(OTHER);
  await settled();
  assert.equal(bench.client.subscribed.size, 0);
  await bench.session(burst(1));
  assert.deepEqual([...bench.client.subscribed], [CAR]);
  await bench.session(burst(2, OTHER, "car-2"));
  assert.deepEqual([...bench.client.subscribed], [OTHER]);
  await bench.session();
  assert.equal(bench.client.subscribed.size, 0);
});

test("a speaker that publishes after its announcement is subscribed to then, and again when it publishes again", async () => {
  const bench = await joined();
  await bench.session(burst(1, OTHER));
  assert.equal(bench.client.subscribed.size, 0);
  bench.client.speaks(OTHER);
  await settled();
  assert.deepEqual([...bench.client.subscribed], [OTHER]);
  bench.client.falls(OTHER);
  bench.client.speaks(OTHER);
  await settled();
  assert.equal(bench.sdk.calls.filter((each) => each === `subscribe ${OTHER}`).length, 2);
});

test("while MQTT's frames come Agora's track is silent", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  for (let at = 0; at < 3000; at += 20) {
    bench.frame(1);
    assert.equal(bench.remote.isPlaying, false);
    await bench.clock.pass(20);
  }
  assert.equal(bench.voice.framesOf(1), 0);
});

test("behind HANDOVER Agora's track sounds, once what MQTT brought is out, until the burst ends", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  await bench.clock.pass(100);
  bench.frame(1, true);
  await bench.clock.pass(LAG_MS - 10);
  assert.equal(bench.remote.isPlaying, false);
  await bench.clock.pass(60);
  assert.equal(bench.remote.isPlaying, true);
  await bench.clock.pass(2000);
  assert.deepEqual(bench.asks, []);
  assert.ok(Math.abs(bench.voice.framesOf(1) - 100) <= 10, `${bench.voice.framesOf(1)} frames of 20 ms in 2 s`);
  await bench.session();
  assert.equal(bench.remote.isPlaying, false);
});

test("a press that keeps speech silences Agora's track before it is granted, and what is not to be heard counts as not heard", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  bench.frame(1, true);
  await bench.clock.pass(1000);
  bench.voice.hush(true);
  assert.equal(bench.remote.isPlaying, false);
  const heard = bench.voice.framesOf(1);
  await bench.clock.pass(1000);
  assert.equal(bench.voice.framesOf(1), heard);
  bench.voice.hush(false);
  assert.equal(bench.remote.isPlaying, true);
  bench.voice.volume(0);
  await bench.clock.pass(1000);
  assert.ok(bench.voice.framesOf(1) - heard <= 5, "nobody hears at a volume of 0");
});

test("frames that come back over MQTT silence Agora's track at once", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  bench.frame(1, true);
  await bench.clock.pass(1000);
  assert.equal(bench.remote.isPlaying, true);
  bench.frame(1);
  assert.equal(bench.remote.isPlaying, false);
});

test("MQTT that stops without a word is followed by Agora", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  bench.frame(1);
  await bench.clock.pass(DRY_MS + LAG_MS - 50);
  assert.equal(bench.remote.isPlaying, false);
  await bench.clock.pass(100);
  assert.equal(bench.remote.isPlaying, true);
});

test("frames of another burst count for nothing", async () => {
  const bench = await joined();
  await bench.session(burst(2));
  bench.frame(2, true);
  await bench.clock.pass(500);
  bench.frame(1);
  assert.equal(bench.remote.isPlaying, true);
});

test("a burst whose speaker is never on Agora is never taken from there, and not asked for", async () => {
  const bench = await joined();
  await bench.session(burst(1, 0));
  await bench.clock.pass(5000);
  assert.equal(bench.client.subscribed.size, 0);
  assert.deepEqual(bench.asks, []);
});

test("with the own microphone open nothing sounds", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  bench.frame(1, true);
  await bench.clock.pass(1000);
  bench.voice.talk(true);
  assert.equal(bench.remote.isPlaying, false);
});

test("the page's volume holds for who is heard and who will be", async () => {
  const bench = await joined();
  bench.voice.volume(30);
  await bench.session(burst(1));
  assert.equal(bench.remote.percent, 30);
  bench.voice.volume(80);
  assert.equal(bench.remote.percent, 80);
});

// --- asking -------------------------------------------------------------------------------------------------------------

test("who has not joined asks at once when MQTT hands over, and goes on asking", async () => {
  const bench = new Bench();
  bench.sdk.held.set("join", new Promise(() => {}));
  await bench.session(burst(1));
  await bench.clock.pass(200);
  bench.frame(1, true);
  const from = bench.clock.now;
  await bench.clock.pass(1300);
  assert.deepEqual(bench.asks.map(([no]) => no), [1, 1, 1]);
  assert.ok(bench.asks[0][1] - from <= 100, `${bench.asks[0][1] - from} ms`);
});

test("who hears nothing at all asks once the speaker had its time", async () => {
  const bench = new Bench();
  bench.sdk.errors.set("join", "NETWORK_ERROR");
  await bench.session(burst(1));
  const from = bench.clock.now;
  await bench.clock.pass(FIRST_MS - 50);
  assert.deepEqual(bench.asks, []);
  await bench.clock.pass(250);
  assert.ok(bench.asks[0][1] - from >= FIRST_MS, `${bench.asks[0][1] - from} ms`);
});

test("Agora that brings silence alone is asked beside, and sound is not", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  bench.frame(1, true);
  await bench.clock.pass(3000);
  assert.deepEqual(bench.asks, []);
  bench.remote.volume = 0;
  await bench.clock.pass(SILENT_MS);
  assert.deepEqual(bench.asks, []);
  await bench.clock.pass(500);
  assert.equal(bench.asks.length, 1);
});

test("another's ASK spares the own one", async () => {
  const bench = new Bench();
  bench.sdk.errors.set("join", "NETWORK_ERROR");
  await bench.session(burst(1));
  for (let at = 0; at < 3000; at += 400) {
    bench.voice.asked(1);
    await bench.clock.pass(400);
  }
  assert.deepEqual(bench.asks, []);
});

test("a burst that is over is asked for no more", async () => {
  const bench = new Bench();
  bench.sdk.errors.set("join", "NETWORK_ERROR");
  await bench.session(burst(1));
  bench.frame(1, true);
  await bench.session();
  await bench.clock.pass(3000);
  assert.deepEqual(bench.asks, []);
});
