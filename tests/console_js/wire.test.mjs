// Frames and messages against Python's: vectors that tests/contracts/test_console_js.py makes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BadFrame, pack, unpack } from "../../dispatch/web/static/console/frames.js";
import { Malformed, decode, encode, parseTopic, topic } from "../../dispatch/web/static/console/words.js";

const { frames, bad_frames, messages, malformed, topics } = JSON.parse(readFileSync(process.env.PTT_CONSOLE_VECTORS, "utf-8"));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");
const OFFICE = { region: "seoul", office: "hq" };

test("a frame that Python packed is read as it was meant, and packed to the same bytes", () => {
  for (const { wire, burst, seq, captureMs, flags, opus } of frames) {
    const frame = { burst, seq, captureMs, flags, opus: bytes(opus) };
    assert.deepEqual(unpack(bytes(wire)), frame);
    assert.equal(hex(pack(frame)), wire);
  }
});

test("what is no frame to Python is none here", () => {
  for (const wire of bad_frames) assert.throws(() => unpack(bytes(wire)), BadFrame, wire.slice(0, 60));
});

test("numbers that no frame can hold are refused instead of wrapped", () => {
  const frame = { burst: 1, seq: 0, captureMs: 0, flags: 0, opus: new Uint8Array(1) };
  for (const change of [{ burst: 2 ** 53 }, { seq: 2 ** 32 }, { seq: -1 }, { captureMs: 0.5 }, { opus: new Uint8Array(1276) }]) {
    assert.throws(() => pack({ ...frame, ...change }), RangeError);
  }
});

test("every example of the protocol is taken on its topic, means the same, and on no other topic", () => {
  assert.ok(messages.length > 15);
  for (const { kind, text, means, elsewhere } of messages) {
    assert.deepEqual(decode(new TextEncoder().encode(text), kind), means);
    assert.deepEqual(JSON.parse(encode(means)), means);
    assert.throws(() => decode(new TextEncoder().encode(text), elsewhere), Malformed);
  }
});

test("what Python finds malformed is malformed here", () => {
  for (const { kind, payload } of malformed) assert.throws(() => decode(bytes(payload), kind), Malformed, payload.slice(0, 80));
});

test("topics are Python's, and no id can stretch one", () => {
  for (const { kind, ids, text } of topics) {
    assert.equal(topic(OFFICE, kind, ...ids), text);
    assert.deepEqual(parseTopic(OFFICE, text), { kind, ids });
  }
  assert.throws(() => topic(OFFICE, "FLOOR", "car/1"), RangeError);
  assert.throws(() => topic(OFFICE, "FLOOR"), RangeError);
  assert.equal(parseTopic(OFFICE, "ptt/v1/seoul/hq2/session"), null);
});
