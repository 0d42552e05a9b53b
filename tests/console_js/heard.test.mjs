// When the console heard a talk, and how long its channel took to join, as it tells the office.

import assert from "node:assert/strict";
import { test } from "node:test";

import { World } from "./world.mjs";

const moments = (world) => world.sent("burst_played").map((one) => [one.burst, one.heard_at, one.heard_error_ms, one.join_ms]);

test("when a burst was heard is told by the office's clock, and where that was not measured nothing is", async () => {
  const world = await new World().begin();
  world.session({});
  world.sounds({ atMs: world.ms + 40, errorMs: 5 });
  world.played({ frames: 48, concealed: 2 });
  await world.pass(300); // no answer about the time yet
  await world.toldTheTime(5_000_000);
  world.session({ burst: 8 });
  const at = world.ms + 40;
  world.sounds({ atMs: at, errorMs: 5 });
  await world.pass(2000);
  world.played({ frames: 100, concealed: 0 });
  await world.pass(300);
  world.session({ burst: 9 }); // its first sample made no sound
  world.played({ frames: 20, concealed: 30 });
  await world.pass(300);
  const [blind, [burst, heardAt, errorMs, joinMs], silent] = moments(world);
  assert.deepEqual([blind, silent], [[7, null, null, null], [9, null, null, null]]);
  assert.deepEqual([burst, heardAt, joinMs], [8, 5_000_000 + at, null]);
  assert.ok(errorMs >= 5 + 2 && errorMs <= 5 + 2 + 2, String(errorMs));
});

test("how long Agora's channel took to join is told with the burst it was joined for, and what it brought first is not dated", async () => {
  const world = new World({ credentials: { voice: "agora" } });
  let told = null;
  let aside = 0;
  world.engine.options.voicePath = (tells) => {
    told = tells;
    return { start() {}, session() {}, frame() {}, asked() {}, close() {}, hush() {}, talk() {}, framesOf: () => aside };
  };
  await world.begin();
  await world.toldTheTime(0);
  world.session({});
  await world.pass(730);
  told.joined("e");
  told.joined(null);
  await world.pass(500);
  told.joined("e");
  world.sounds({ atMs: world.ms, errorMs: 5 });
  const at = world.ms;
  world.played({ frames: 48, concealed: 2 });
  await world.pass(300);
  world.session({ burst: 8 });
  aside = 12;
  world.sounds({ atMs: world.ms, errorMs: 5 });
  world.played({ frames: 10, concealed: 2 });
  await world.pass(300);
  assert.deepEqual(moments(world).map(([burst, heardAt, , joinMs]) => [burst, heardAt, joinMs]), [[7, at, 730], [8, null, null]]);
  world.session({ active: false, current_speaker: null, ended: "released" });
  world.session({ event_id: "f", burst: 8, current_speaker: null, ended: "released" }); // joined in a pause
  told.joined("f");
  world.session({ event_id: "f", burst: 9 });
  world.played({ frames: 10, concealed: 2 });
  await world.pass(300);
  assert.equal(moments(world).at(-1)[3], null);
});
