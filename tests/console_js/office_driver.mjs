// The console's engine in node, against a real office: mqtt.js's browser build over node's own WebSocket. It reads
// commands (one JSON a line) from stdin, and writes what the engine shows and does (one JSON a line) to stdout. What the
// microphone says is synthetic packets, one each 20 ms, kept until the floor is ours as a real one does.

import { createInterface } from "node:readline";

Object.defineProperty(globalThis, "navigator", { value: { userAgent: "node" }, configurable: true });
globalThis.window = globalThis;
globalThis.document = {};
const STATIC = new URL("../../dispatch/web/static/", import.meta.url);
const { connect } = (await import(new URL("vendor/mqtt.esm.js", STATIC))).default;
const { Console } = await import(new URL("console/console.js", STATIC));

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

class Microphone {
  start({ pressAt, onFrame }) {
    this.drop();
    Object.assign(this, { pressAt, onFrame, kept: [], opened: false, no: 0 });
    this.timer = setInterval(() => this.fill(), 20);
  }

  fill(last = false) {
    const frame = { opus: new Uint8Array([0x48, this.no & 255]), captureMs: this.no * 20, last };
    this.no += 1;
    if (this.opened) this.onFrame(frame);
    else this.kept.push(frame);
  }

  open() {
    this.opened = true;
    for (const frame of this.kept.splice(0)) this.onFrame(frame);
  }

  hold() {
    this.opened = false;
    this.kept = [];
  }

  stop() {
    clearInterval(this.timer);
    this.fill(true);
  }

  drop() {
    clearInterval(this.timer);
    this.kept = [];
    this.onFrame = () => {};
  }
}

const heard = new Map();
const speaker = {
  open: ({ user, burst, onPlayed }) => {
    heard.set(burst, { frames: 0, onPlayed });
    say({ did: "open", user, burst });
  },
  frame: ({ burst }) => {
    heard.get(burst).frames += 1;
  },
  close: (burst, { drain, lastSeq }) => {
    const { frames, onPlayed } = heard.get(burst);
    say({ did: "close", burst, drain, lastSeq, frames });
    setTimeout(() => onPlayed({ frames, concealed: 0 }), 0);
  },
  hush: () => {},
};

let given = null;
let slowMs = 0;
const engine = new Console({
  credentials: () => new Promise((done) => setTimeout(() => done(given), slowMs)),
  state: async () => ({ issue: given.newest ?? given.issue, valid: true, since: 1 }),
  mic: new Microphone(),
  speaker,
  connect,
  on: (view) => say({ view }),
});

const commands = {
  start: ({ credentials }) => {
    given = credentials;
    engine.start();
  },
  replaced: ({ issue }) => {
    given = { ...given, newest: issue };
  },
  /** The credentials' time has come: new ones, and what stands is cut off while they are on their way. */
  renew: ({ boot, slow_ms }) => {
    given = { ...given, boot, issue: boot };
    slowMs = slow_ms;
    engine.keeper.fetchedAt -= 46 * 60;
    engine.keeper.lookAt = 0;
    engine.after(() => {});
    for (const { client } of [engine.link.control, engine.link.voice]) client.stream.destroy();
  },
  press: ({ priority }) => engine.press(priority),
  release: () => engine.release(),
  clear: ({ user }) => engine.clearEmergency(user),
  close: async () => {
    await engine.close();
    process.exit(0);
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  await commands[command.do](command);
}
