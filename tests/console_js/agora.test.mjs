// The console's way over Agora in virtual time: the channel, speaking, and the token's way.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { JOIN_MS } from "../../dispatch/web/static/console/agora-channel.js";
import { fetchToken } from "../../dispatch/web/static/console/agora.js";
import { TOKEN, Bench, burst, joined, settled } from "./agora_bench.mjs";

// --- the channel --------------------------------------------------------------------------------------------------------

test("a session is joined as audience, in live mode, with the own token and uid, and told once", async () => {
  const bench = new Bench();
  await bench.session();
  assert.deepEqual(bench.client.config, { mode: "live", codec: "vp8" });
  assert.deepEqual(bench.sdk.calls, ["setClientRole audience", "join app room token-1 77"]);
  assert.deepEqual(bench.states, ["joining", "joined"]);
  assert.deepEqual(bench.joins, ["e1"]);
});

test("without a session there is no connection, and its end leaves", async () => {
  const bench = new Bench();
  bench.voice.session({ eventId: null, speaker: null });
  await bench.clock.pass(5000);
  assert.equal(bench.sdk.clients.length, 0);
  await bench.session();
  await bench.session(null, null);
  assert.equal(bench.sdk.calls.at(-1), "leave");
  assert.deepEqual(bench.joins, ["e1", null]);
  assert.equal(bench.states.at(-1), "off");
});

test("a session behind another is told anew without a join of its own", async () => {
  const bench = new Bench();
  await bench.session();
  await bench.session(null, "e2");
  assert.deepEqual(bench.joins, ["e1", "e2"]);
  assert.equal(bench.sdk.clients.length, 1);
});

test("a session that ends while it is being joined is left once the join is done", async () => {
  const bench = new Bench();
  let go;
  bench.sdk.held.set("join", new Promise((resolve) => (go = resolve)));
  await bench.session();
  await bench.session(null, null);
  assert.equal(bench.sdk.calls.includes("leave"), false);
  go();
  await settled();
  assert.equal(bench.sdk.calls.at(-1), "leave");
  assert.equal(bench.client.joined, false);
  assert.equal(bench.states.at(-1), "off");
});

test("SDK and token fetched ahead serve the join", async () => {
  const bench = new Bench();
  bench.voice.start();
  await bench.clock.pass(99);
  assert.equal(bench.tokens, 0);
  await bench.clock.pass(401);
  assert.equal(bench.tokens, 1);
  await bench.clock.pass(10_000);
  await bench.session();
  assert.equal(bench.tokens, 1);
  assert.equal(bench.states.at(-1), "joined");
});

test("a token near its end is not used for a join", async () => {
  const bench = new Bench();
  bench.voice.start();
  await bench.clock.pass(560_000);
  await bench.session();
  assert.equal(bench.sdk.calls.at(-1), "join app room token-2 77");
});

test("a token that will expire is renewed in place", async () => {
  const bench = await joined();
  bench.client.fire("token-privilege-will-expire");
  await settled();
  assert.equal(bench.sdk.calls.at(-1), "renewToken token-2");
  assert.equal(bench.sdk.clients.length, 1);
  assert.equal(bench.states.at(-1), "joined");
});

test("an expired token ends the connection, and a new one joins again", async () => {
  const bench = await joined();
  bench.client.fire("token-privilege-did-expire");
  await bench.clock.pass(1000);
  assert.equal(bench.sdk.calls.at(-1), "join app room token-2 77");
  assert.deepEqual(bench.states.slice(-3), ["lost: TOKEN_EXPIRE", "joining", "joined"]);
  assert.deepEqual(bench.joins, ["e1", null, "e1"]);
});

test("a connection that the SDK mends by itself is lost and there again", async () => {
  const bench = await joined();
  bench.client.fire("connection-state-change", "RECONNECTING", "CONNECTED");
  assert.deepEqual(bench.joins, ["e1", null]);
  bench.client.fire("connection-state-change", "CONNECTED", "RECONNECTING");
  await settled();
  assert.deepEqual(bench.joins, ["e1", null, "e1"]);
  assert.equal(bench.sdk.clients.length, 1);
});

test("a connection that is gone is made anew, ever less often, for as long as the session runs", async () => {
  const bench = await joined();
  bench.sdk.errors.set("join", "CAN_NOT_GET_GATEWAY_SERVER");
  bench.client.fire("connection-state-change", "DISCONNECTED", "CONNECTED", "NETWORK_ERROR");
  await bench.clock.pass(60_000);
  const tries = bench.sdk.clients.length - 1;
  assert.ok(tries >= 5 && tries <= 8, `${tries} tries`);
  bench.sdk.errors.clear();
  await bench.clock.pass(15_000);
  assert.equal(bench.states.at(-1), "joined");
  bench.sdk.errors.set("join", "NETWORK_ERROR");
  bench.client.fire("connection-state-change", "DISCONNECTED", "CONNECTED", "NETWORK_ERROR");
  await bench.session(null, null);
  const made = bench.sdk.clients.length;
  await bench.clock.pass(60_000);
  assert.equal(bench.sdk.clients.length, made);
});

test("a join that never ends is given up", async () => {
  const bench = new Bench();
  bench.sdk.held.set("join", new Promise(() => {}));
  await bench.session();
  await bench.clock.pass(JOIN_MS);
  assert.equal(bench.states.at(-1), "lost: TIMEOUT");
  bench.sdk.held.clear();
  await bench.clock.pass(1000);
  assert.equal(bench.states.at(-1), "joined");
});

for (const reason of ["UID_BANNED", "CHANNEL_BANNED", "IP_BANNED", "UID_CONFLICT"]) {
  test(`who was put out (${reason}) does not come back in this session, and tries in the next`, async () => {
    const bench = await joined();
    bench.client.fire("connection-state-change", "DISCONNECTED", "CONNECTED", reason);
    await bench.clock.pass(60_000);
    assert.equal(bench.states.at(-1), `refused: ${reason}`);
    assert.equal(bench.sdk.clients.length, 1);
    assert.deepEqual(bench.joins, ["e1", null]);
    await bench.session(null, null);
    assert.equal(bench.states.at(-1), `refused: ${reason}`);
    await bench.session(null, "e2");
    assert.equal(bench.states.at(-1), "joined");
  });
}

test("an SDK that is not staged is told in the office's words, and asked for again in the next session alone", async () => {
  let staged = false;
  const tokens = async () => {
    if (!staged) throw { text: "not staged", final: true };
    return {};
  };
  const bench = new Bench({ tokens });
  bench.voice.start();
  await bench.clock.pass(1000);
  assert.deepEqual(bench.states, ["refused: not staged"]);
  await bench.session();
  await bench.clock.pass(60_000);
  assert.equal(bench.states.at(-1), "refused: not staged");
  assert.equal(bench.sdk.clients.length, 0);
  staged = true;
  await bench.session(null, null);
  await bench.session();
  assert.equal(bench.states.at(-1), "joined");
});

// --- speaking -----------------------------------------------------------------------------------------------------------

test("an own burst is published from a clone of the microphone, and nothing of it behind its end", async () => {
  const bench = await joined();
  bench.voice.talk(true);
  await settled();
  const [clone] = bench.mic.clones;
  assert.deepEqual(bench.sdk.calls.slice(-2), ["setClientRole host", "publish"]);
  assert.equal(bench.client.published[0].config.mediaStreamTrack, clone);
  assert.equal(clone.enabled, true);
  bench.voice.talk(false);
  assert.equal(clone.enabled, false, "at once, before the SDK does anything");
  await settled();
  assert.deepEqual(bench.sdk.calls.slice(-2), ["unpublish", "setClientRole audience"]);
  assert.equal(clone.stopped, true);
  assert.equal(bench.mic.stopped, false);
  assert.deepEqual(bench.client.published, []);
});

test("a burst that ends while it is being published is unpublished, and was silent meanwhile", async () => {
  const bench = await joined();
  let go;
  bench.sdk.held.set("publish", new Promise((resolve) => (go = resolve)));
  bench.voice.talk(true);
  await settled();
  bench.voice.talk(false);
  assert.equal(bench.mic.clones[0].enabled, false);
  go();
  await settled();
  assert.deepEqual(bench.client.published, []);
  assert.equal(bench.client.role, "audience");
});

test("who may only listen publishes nothing", async () => {
  const bench = await joined({ token: { publisher: false } });
  bench.voice.talk(true);
  await settled();
  assert.equal(bench.mic.clones.length, 0);
  assert.equal(bench.client.role, "audience");
});

test("a refused publication is told, tried once a burst, and takes the connection nothing away", async () => {
  const bench = await joined();
  bench.sdk.errors.set("publish", "NO_PUBLISH_RIGHT");
  bench.voice.talk(true);
  await bench.clock.pass(5000);
  assert.equal(bench.sdk.calls.filter((each) => each === "publish").length, 1);
  assert.equal(bench.states.at(-1), "joined: NO_PUBLISH_RIGHT");
  assert.equal(bench.client.joined, true);
  bench.sdk.errors.clear();
  bench.voice.talk(false);
  bench.voice.talk(true);
  await settled();
  assert.equal(bench.client.published.length, 1);
});

for (const [what, fail] of [
  ["a role that is refused", (bench) => bench.sdk.errors.set("setClientRole", "NO_ROLE")],
  ["a role that comes too late", (bench) => bench.sdk.held.set("setClientRole", new Promise(() => {}))],
  ["a track that cannot be made", (bench) => (bench.sdk.createCustomAudioTrack = () => { throw { code: "NO_TRACK" }; })],
  ["a refused publication", (bench) => bench.sdk.errors.set("publish", "NO_RIGHT")],
]) {
  test(`behind ${what} no microphone stays open, and the role is given back`, async () => {
    const bench = await joined();
    fail(bench);
    bench.voice.talk(true);
    await bench.clock.pass(4999);
    bench.sdk.held.clear();
    await bench.clock.pass(1);
    assert.deepEqual(bench.mic.clones.map((clone) => clone.stopped), bench.mic.clones.map(() => true));
    assert.equal(bench.sdk.calls.at(-1), "setClientRole audience");
    assert.match(bench.states.at(-1), /^joined: /);
    assert.deepEqual([bench.client.published, bench.client.joined], [[], true]);
  });
}

test("a connection that is lost while speaking lets nothing out any more, and is published to when it is back", async () => {
  const bench = await joined();
  bench.voice.talk(true);
  await settled();
  bench.client.fire("connection-state-change", "DISCONNECTED", "CONNECTED", "NETWORK_ERROR");
  await settled();
  assert.equal(bench.mic.clones[0].stopped, true);
  await bench.clock.pass(1000);
  assert.equal(bench.client.published.length, 1);
});

test("closed, it has left, and nothing of it waits", async () => {
  const bench = await joined();
  await bench.session(burst(1));
  bench.voice.talk(true);
  await settled();
  bench.voice.close();
  await bench.clock.pass(1000);
  assert.equal(bench.client.joined, false);
  assert.equal(bench.mic.clones[0].stopped, true);
  assert.equal(bench.clock.waiting.size, 0);
});


// --- the token's way ----------------------------------------------------------------------------------------------------

for (const [status, type, final] of [
  [401, "urn:ptt:problem:session_over", true],
  [403, "urn:ptt:problem:console_role", true],
  [429, "urn:ptt:problem:agora_too_many", false],
  [503, "urn:ptt:problem:agora_not_staged", true],
  [503, "urn:ptt:problem:error_store", false],
]) {
  test(`a token refused with ${type} is ${final ? "not " : ""}asked for again`, async () => {
    const send = async () => new Response(JSON.stringify({ type, title: "why" }), { status });
    await assert.rejects(fetchToken("c", send), { text: "why", final });
  });
}

test("a token that does not come in time is given up, headers or none", async () => {
  for (const begun of [false, true]) {
    const server = createServer((_asked, answer) => begun && answer.writeHead(200).write("{"));
    await new Promise((done) => server.listen(0, "127.0.0.1", () => done()));
    const send = (path, how) => fetch(`http://127.0.0.1:${server.address().port}${path}`, how);
    await assert.rejects(fetchToken("c", send, 50), { code: "TIMEOUT", final: false });
    server.closeAllConnections();
    server.close();
  }
});

test("behind a token that did not come in time another one is asked for a little later, and less and less often", async () => {
  let away = true;
  let asked = 0;
  const tokens = async () => {
    asked += 1;
    if (away) throw { code: "TIMEOUT", final: false };
    return {};
  };
  const bench = new Bench({ tokens });
  await bench.session();
  await bench.clock.pass(60_000);
  assert.ok(asked >= 5 && asked <= 8, `${asked} times`);
  assert.equal(bench.states.at(-1), "lost: TIMEOUT");
  away = false;
  await bench.clock.pass(15_000);
  assert.equal(bench.states.at(-1), "joined");
});

test("a token is asked for as a form of the page's session", async () => {
  const sent = [];
  const send = async (...all) => sent.push(all) && new Response(JSON.stringify(TOKEN));
  assert.deepEqual(await fetchToken("c&=", send), TOKEN);
  assert.equal(sent[0][0], "/console/token");
  assert.equal(String(sent[0][1].body), "csrf=c%26%3D");
});
