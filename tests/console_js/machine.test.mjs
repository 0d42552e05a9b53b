// The console's participant against the gateway's: the same inputs, made at random in Python, do the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { replay } from "./replay.mjs";

const { machine } = JSON.parse(readFileSync(process.env.PTT_CONSOLE_VECTORS, "utf-8"));

test("it does what the gateway's participant does, effect by effect", () => {
  assert.ok(machine.length > 100);
  for (const { seed, inputs, steps } of machine) {
    const did = replay(inputs);
    did.forEach((step, at) => {
      const before = JSON.stringify(inputs.slice(Math.max(0, at - 12), at + 1));
      assert.deepEqual(step, steps[at], `seed ${seed}, step ${at}: ${before}`);
    });
  }
});
