// The engine and the rest of the office: link, credentials, two consoles, presence, who may be heard, what is shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { membersOf } from "../../dispatch/web/static/console/facts.js";
import { World } from "./world.mjs";

const MINUTE = 60_000;
const presence = (world) => world.sent("presence");
const told = (world) => ({ link: world.view.link, elsewhere: world.view.elsewhere, error: world.view.error });
const others = { type: "presence", state: "online", app_type: "call_manager", joined_at: 17 };

test("it connects as the document says: login, will, clean start, subscriptions, then presence", async () => {
  const world = await new World().begin();
  const { options, filters } = world.control;
  assert.deepEqual([options.clientId, options.username, options.clean, options.properties.sessionExpiryInterval], ["seoul.hq.desk.console", "seoul.hq.desk.console", true, 0]);
  const will = JSON.parse(options.will.payload);
  assert.deepEqual([will.state, will.connection_id, will.presence_no, options.will.retain, options.will.qos], ["lost", [0, 41, 1], 9007199254740991, true, 1]);
  assert.deepEqual(
    Object.entries(filters).map(([name, { qos }]) => [name.replace("ptt/v1/seoul/hq/", ""), qos]),
    [["session", 1], ["floor/desk/reply", 1], ["presence/desk", 1], ["roster", 1], ["device/+/alert/+", 1], ["device/+/cmd/reply", 1]],
  );
  assert.deepEqual(world.voice.filters, { "ptt/v1/seoul/hq/voice/+": { qos: 0, nl: true } });
  assert.deepEqual([presence(world)[0].state, presence(world)[0].presence_no, world.view.link, world.view.voiceLink], ["online", 1, "up", true]);
});

test("floor messages expire after 2 s and go out once only; presence is retained, commands are not", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.engine.clearEmergency("car-1");
  const options = Object.fromEntries(world.control.sent.map(({ said, options }) => [said.type, options]));
  assert.deepEqual(options.floor_request, { qos: 1, retain: false, properties: { messageExpiryInterval: 2 } });
  assert.deepEqual([options.presence.retain, options.command.retain, options.command.properties.messageExpiryInterval], [true, false, 30]);
});

test("a heartbeat goes out within the first minute, and then each minute", async () => {
  const world = await new World().begin();
  await world.pass(46_000);
  assert.equal(world.sent("heartbeat").length, 1);
  await world.pass(2 * MINUTE);
  assert.deepEqual(world.sent("heartbeat").map((one) => one.beat_no), [1, 2, 3]);
});

test("a lost link is dialled anew under a newer connection, ever more slowly, and never as one queue of old words", async () => {
  const world = await new World().begin();
  world.control.emit("close");
  await world.pass(60_000, () => world.control.ended === false && world.control.emit("close"));
  await world.pass(16_000);
  const dialled = world.clients.filter((one) => one.options.clientId.endsWith(".console"));
  assert.ok(dialled.length > 6 && dialled.length < 16, String(dialled.length));
  assert.deepEqual(JSON.parse(dialled.at(-1).options.will.payload).connection_id, [0, 41, dialled.length]);
  world.control.emit("connect");
  await world.settle();
  assert.deepEqual([world.view.link, presence(world)[0].connection_id[2], world.control.sent.length], ["up", dialled.length, 1]);
});

test("a connection that answers no ping is dead", async () => {
  const world = await new World().begin();
  world.control.answers = false;
  const before = world.control;
  await world.pass(17_000);
  assert.deepEqual([before.ended, world.control === before], [true, false]);
});

test("another console of the user takes over: this one is told, and dials no more until it is asked to", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.state = async () => ({ issue: 2, valid: true, since: 1000 });
  world.control.emit("disconnect", { reasonCode: 0x8e });
  await world.pass(100);
  assert.deepEqual(told(world), { link: "closed", elsewhere: { since: 1000 }, error: null });
  const dialled = world.clients.length;
  await world.pass(2 * MINUTE);
  assert.equal(world.clients.length, dialled);
  world.issue = 2;
  world.engine.start();
  await world.settle();
  world.control.emit("connect");
  world.voice.emit("connect");
  await world.settle();
  assert.deepEqual([told(world), world.control.options.will.payload.includes("[0,43,2]")], [{ link: "up", elsewhere: null, error: null }, true]);
});

test("a cut without a word may be another console too: the office is asked, and one that is none is dialled through", async () => {
  const world = await new World().begin();
  world.control.emit("close");
  await world.pass(300);
  world.control.emit("connect");
  await world.settle();
  assert.deepEqual(told(world), { link: "up", elsewhere: null, error: null });
  world.state = async () => ({ issue: 2, valid: true });
  world.control.emit("close");
  await world.settle();
  assert.deepEqual(told(world), { link: "closed", elsewhere: { since: null }, error: null });
});

test("a newer console that is online in the broker's own copy of the presence has taken over as well", async () => {
  const world = await new World().begin();
  world.say("presence/desk", { ...others, connection_id: [0, 99, 1], presence_no: 1 });
  await world.settle();
  assert.deepEqual(told(world), { link: "closed", elsewhere: { since: 17 }, error: null });
});

test("a newer one of the same enrolment that is dead is outdone; nothing said under a lower number would count", async () => {
  const world = await new World().begin();
  world.say("presence/desk", { ...others, state: "lost", connection_id: [0, 99, 1], presence_no: 1 });
  await world.pass(500);
  assert.deepEqual(JSON.parse(world.control.options.will.payload).connection_id, [0, 100, 2]);
});

test("an older presence of the user is put right", async () => {
  const world = await new World().begin();
  world.say("presence/desk", { ...others, state: "lost", connection_id: [0, 7, 1], presence_no: 9007199254740991 });
  await world.pass(10);
  assert.deepEqual(presence(world).map((one) => [one.state, one.presence_no]), [["online", 1], ["online", 2]]);
});

test("credentials are renewed from 45 min on while nobody talks, in a new connection", async () => {
  const world = await new World().begin();
  await world.pass(44 * MINUTE);
  assert.equal(world.fetched.length, 1);
  world.session({});
  await world.pass(5 * MINUTE);
  assert.equal(world.fetched.length, 1);
  world.session({ current_speaker: null, ended: "released" });
  await world.pass(6000);
  assert.equal(world.fetched.length, 2);
  assert.deepEqual(JSON.parse(world.control.options.will.payload).connection_id.slice(0, 2), [0, 42]);
});

test("at 58 min they are renewed though others talk, and never while the own key is held", async () => {
  const world = await new World().begin();
  world.session({});
  world.engine.press();
  world.reply({ type: "floor_deny", request_id: world.requestId, cause: "other" });
  await world.pass(58.5 * MINUTE);
  assert.equal(world.fetched.length, 1);
  world.engine.release();
  await world.pass(6000);
  assert.equal(world.fetched.length, 2);
});

test("being cut off while new credentials are on their way is no other console", async () => {
  const world = await new World().begin();
  let give;
  world.credentials = () => new Promise((done) => (give = done));
  await world.pass(46 * MINUTE);
  world.issue = 2;
  world.state = () => assert.fail("nobody asks");
  world.control.emit("disconnect", { reasonCode: 0x98 });
  await world.pass(300);
  world.control.emit("error", Object.assign(new Error("refused"), { code: 0x87 }));
  await world.settle();
  assert.deepEqual(told(world), { link: "connecting", elsewhere: null, error: null });
  give({ ...world.made(), secret: "new" });
  await world.settle();
  assert.equal(world.control.options.password, "new");
});

test("credentials the office holds for no more are replaced; without a session it says so and stops", async () => {
  const world = await new World().begin();
  await world.pass(1000);
  world.state = async () => Promise.reject(new Error("no network"));
  world.control.emit("close");
  await world.pass(300);
  assert.equal(world.fetched.length, 1);
  world.state = async () => ({ issue: 1, valid: false });
  world.control.emit("error", Object.assign(new Error("not authorized"), { code: 0x87 }));
  await world.settle();
  assert.equal(world.fetched.length, 2);
  world.credentials = async () => Promise.reject({ what: "signed_out", text: "sign in again" });
  world.control.emit("error", Object.assign(new Error("not authorized"), { code: 0x87 }));
  world.state = async () => ({ issue: 2, valid: false });
  await world.pass(1000, () => world.control.emit("error", Object.assign(new Error("not authorized"), { code: 0x87 })));
  assert.deepEqual(told(world), { link: "refused", elsewhere: null, error: { what: "expired", text: "sign in again" } });
});

test("an office that cannot be reached for credentials is asked again, and said to be so", async () => {
  const world = new World();
  const real = world.credentials;
  world.credentials = async () => Promise.reject({ what: "unreachable", text: "no answer" });
  world.engine.start();
  await world.pass(3000);
  assert.deepEqual(world.view.error, { what: "credentials", text: "no answer" });
  world.credentials = real;
  await world.pass(16_000);
  world.control.emit("connect");
  await world.settle();
  assert.deepEqual(told(world), { link: "up", elsewhere: null, error: null });
});

test("only the announced burst of the announced user is heard; frames that come early wait for their announcement", async () => {
  const world = await new World().begin();
  world.hear("car-1", { burst: 7, seq: 0 });
  world.hear("car-2", { burst: 7, seq: 0 });
  world.hear("car-2", { burst: 6, seq: 0 });
  assert.deepEqual(world.heard, []);
  world.session({});
  world.hear("car-1", { burst: 7, seq: 1 });
  world.hear("car-2", { burst: 7, seq: 2 });
  world.hear("car-1", { burst: 6, seq: 3 });
  assert.deepEqual(world.heard, [["open", "car-1", 7], ["frame", "car-1", 7, 0], ["frame", "car-1", 7, 1]]);
  await world.settle();
  assert.deepEqual([world.view.speaker, world.view.hearing], [{ user: "car-1", name: "1호차", mine: false, priority: "normal", burst: 7 }, true]);
});

test("early frames are kept 3 s and no longer", async () => {
  const world = await new World().begin();
  world.hear("car-1", { burst: 7, seq: 0 });
  await world.pass(3100);
  world.hear("car-1", { burst: 7, seq: 1 });
  world.session({});
  assert.deepEqual(world.heard, [["open", "car-1", 7], ["frame", "car-1", 7, 1]]);
});

test("a released burst is played out up to its last frame; one that was cut off is silent at once", async () => {
  const world = await new World().begin();
  world.session({});
  world.session({ current_speaker: null, ended: "released", last_seq: 4 });
  world.hear("car-1", { burst: 7, seq: 4 });
  world.hear("car-1", { burst: 7, seq: 5 });
  world.session({ burst: 8, current_speaker: "car-2" });
  world.session({ burst: 9, current_speaker: "car-3", priority: "emergency" });
  world.hear("car-2", { burst: 8, seq: 1 });
  assert.deepEqual(world.heard, [
    ["open", "car-1", 7],
    ["close", 7, true, 4],
    ["frame", "car-1", 7, 4],
    ["open", "car-2", 8],
    ["close", 8, false, null],
    ["close", 7, false, null],
    ["open", "car-3", 9],
  ]);
});

test("the own voice is never heard, whatever comes under the own name", async () => {
  const world = await new World().begin();
  world.session({ current_speaker: "desk", burst: 9 });
  world.hear("desk", { burst: 9, seq: 0 });
  assert.deepEqual(world.heard, []);
});

test("an older session is no session, unless it is of another store", async () => {
  const world = await new World().begin();
  world.session({ burst: 8 });
  world.rev -= 2;
  world.session({ burst: 7, current_speaker: null });
  await world.settle();
  assert.equal(world.view.speaker.user, "car-1");
  world.rev -= 2;
  world.session({ burst: 9, current_speaker: "car-2", store: "another" });
  await world.settle();
  assert.equal(world.view.speaker.user, "car-2");
});

test("what was played is told once, within 0.3 s, under this connection; nothing played is told to nobody", async () => {
  const world = await new World().begin();
  world.session({});
  world.session({ current_speaker: null, ended: "released", last_seq: 1 });
  world.played({ frames: 48, concealed: 2 });
  await world.pass(300);
  const unknown = { heard_at: null, heard_error_ms: null, join_ms: null };
  assert.deepEqual(world.sent("burst_played"), [{ type: "burst_played", connection_id: [0, 41, 1], burst: 7, frames: 48, concealed: 2, ...unknown }]);
  world.session({ burst: 8 });
  world.played({ frames: 0, concealed: 9 });
  await world.pass(1000);
  assert.equal(world.sent("burst_played").length, 1);
});

test("it is in the channel while a session runs, and says so within a second", async () => {
  const world = await new World().begin();
  world.session({});
  await world.pass(1000);
  assert.deepEqual([presence(world).at(-1).in_channel, presence(world).at(-1).voice], ["e", "mqtt"]);
  world.session({ active: false, current_speaker: null, ended: "released" });
  await world.pass(1000);
  assert.equal(presence(world).at(-1).in_channel, null);
});

test("an emergency stays while a line flaps; asked of a car that never answers, that is said", async () => {
  const world = await new World().begin();
  const alert = { type: "alert", alert: "emergency", severity: "critical", what: "help", mend: "call", since: 5 };
  world.say("device/car-1/alert/emergency", alert, { retain: true });
  await world.settle();
  world.engine.clearEmergency("car-1");
  await world.pass(40_000);
  assert.deepEqual(world.view.cleared, { what: "no answer", ok: false, by: "car-1" });
  world.control.emit("close");
  await world.pass(300);
  world.control.emit("connect");
  await world.pass(500);
  world.control.emit("close");
  await world.pass(5000);
  assert.equal(world.view.emergencies.length, 1);
});

test("emergencies are shown, asked to be taken down, and gone when they are; also behind a lost link", async () => {
  const world = await new World().begin();
  const alert = { type: "alert", alert: "emergency", severity: "critical", what: "help", mend: "call", since: 5 };
  world.say("device/car-1/alert/emergency", alert, { retain: true });
  world.say("device/car-2/alert/emergency", { ...alert, since: 4 }, { retain: true });
  world.say("device/car-3/alert/sound", { ...alert, alert: "sound" }, { retain: true });
  world.say("roster", { type: "roster", participants: 1, members: [{ user: "car-1", state: "online", name: "1호차" }] });
  await world.settle();
  assert.deepEqual(world.view.emergencies.map(({ user, name, since }) => [user, name, since]), [["car-2", "car-2", 4], ["car-1", "1호차", 5]]);
  world.engine.clearEmergency("car-1");
  const command = world.sent("command")[0];
  assert.deepEqual([command.op, world.control.sent.at(-1).topic], ["clear_emergency", "device/car-1/cmd"]);
  world.say("device/car-1/cmd/reply", { type: "command_reply", id: "another", op: "clear_emergency", ok: false, what: "no" });
  world.say("device/car-1/cmd/reply", { type: "command_reply", id: command.id, op: "clear_emergency", ok: true, what: "done" });
  world.say("device/car-1/alert/emergency", null);
  await world.settle();
  assert.deepEqual([world.view.cleared, world.view.emergencies.length], [{ what: "done", ok: true, by: "car-1" }, 1]);
  world.control.emit("close");
  await world.pass(300);
  world.control.emit("connect");
  await world.pass(2100);
  assert.deepEqual(world.view.emergencies, []);
});

test("what is malformed, misplaced or no frame is dropped and counted, and changes nothing", async () => {
  const world = await new World().begin();
  world.engine.press();
  const before = { ...world.view };
  world.say("floor/desk/reply", new Uint8Array([0xff, 0x7b]));
  world.say("floor/desk/reply", { type: "floor_granted", rev: 1 });
  world.say("floor/desk/reply", { type: "session" });
  world.say("floor/desk/reply", { type: "__proto__" });
  world.say("session", { type: "session", rev: -1, store: "s", active: true, channel_name: "c" });
  world.say("device/car-1/alert/emergency", { type: "alert" });
  world.say("floor/car-1/reply", { type: "floor_ack", rev: 1, request_id: world.requestId });
  world.say("elsewhere", { type: "session" });
  world.say("voice/car-1", new Uint8Array(3), { on: world.voice });
  await world.settle();
  const { malformed, misplaced } = world.view.counts;
  assert.deepEqual([malformed, misplaced, world.view.counts["bad frames"]], [6, 2, 1]);
  assert.deepEqual([world.view.floor, world.view.speaker, before.link], ["asking", null, "up"]);
});

test("a press is told as a trace once it is over, dated by the office's clock", async () => {
  const world = await new World().begin();
  for (let no = 0; no < 5; no += 1) {
    await world.pass(510);
    const probe = world.sent("time_probe").at(-1);
    if (probe) world.reply({ type: "time_answer", probe_no: probe.probe_no, at: 5_000_000 + world.ms });
  }
  world.engine.press();
  const at = world.ms;
  await world.pass(40);
  world.grant(9);
  world.renewed();
  world.speak(0);
  await world.pass(1000);
  world.engine.release();
  world.speak(1, true);
  await world.pass(1000);
  const [trace] = world.sent("press_trace");
  assert.deepEqual([trace.request_id, trace.burst, trace.asked_ms, trace.permitted_ms, trace.key_up_ms], [[0, 41, 1, 1], 9, 0, 40, 1040]);
  assert.deepEqual(trace.told, [{ ms: 40, what: "granted" }, { ms: 1040, what: "talk ended" }]);
  assert.ok(Math.abs(trace.edge_at - 5_000_000 - at) <= trace.edge_error_ms, `${trace.edge_at} ${trace.edge_error_ms}`);
});

test("a press without a connection is told when there is one again, and for how long it was away", async () => {
  const world = await new World().begin();
  world.control.emit("close");
  world.control.answers = false;
  await world.pass(100);
  world.engine.press();
  await world.settle();
  world.engine.release();
  await world.pass(400);
  world.control.emit("connect");
  await world.pass(5000);
  const [trace] = world.sent("press_trace");
  assert.deepEqual([trace.told[0].what, Math.round(trace.link_down_s * 10) / 10, trace.asked_ms], ["no connection", 0.1, undefined]);
});

test("closing gives back what is held, says good-bye, and parts", async () => {
  const world = await new World().begin();
  world.engine.press();
  world.grant(9);
  const control = world.control;
  await world.engine.close();
  await world.settle();
  assert.deepEqual(control.sent.slice(-2).map(({ said }) => said.state ?? said.type), ["floor_release", "offline"]);
  assert.deepEqual([control.ended, world.view.link, world.timers.size], [true, "closed", 0]);
});

test("members stand in the order of their numbers: car 2 before car 10", () => {
  const members = ["10호차", "2호차", "배차실", "1호차"].map((name, at) => ({ user: `u-${at}`, name, state: "online" }));
  assert.deepEqual(membersOf({ members }).map(({ name }) => name), ["1호차", "2호차", "10호차", "배차실"]);
});
