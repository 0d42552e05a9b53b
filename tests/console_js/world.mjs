// A console in a world of its own: a clock that is turned by hand, a broker that answers as it is told, a microphone and
// a speaker that write down what is done to them. All that the console publishes is kept for Python to read.

import { appendFileSync } from "node:fs";

import { Console } from "../../dispatch/web/static/console/console.js";
import { pack, unpack } from "../../dispatch/web/static/console/frames.js";

export const OFFICE = { region: "seoul", office: "hq", name: "HQ" };
export const ROOT = "ptt/v1/seoul/hq";
const utf8 = new TextEncoder();
const published = [];

process.on("exit", () => {
  const file = process.env.PTT_CONSOLE_SENT;
  if (file) appendFileSync(file, published.map((one) => `${JSON.stringify(one)}\n`).join(""));
});

class Client {
  constructor(world, url, options) {
    Object.assign(this, { world, url, options, handlers: new Map(), sent: [], ended: false, answers: true });
    this.stream = { socket: { bufferedAmount: 0 } };
  }

  on(name, act) {
    this.handlers.set(name, act);
  }

  removeAllListeners() {
    this.handlers.clear();
  }

  emit(name, ...args) {
    this.handlers.get(name)?.(...args);
  }

  subscribe(filters, done) {
    this.filters = filters;
    done(null, Object.entries(filters).map(([topic, { qos }]) => ({ topic, qos })));
  }

  publish(topic, payload, options, acked = () => {}) {
    const said = typeof payload === "string" ? JSON.parse(payload) : unpack(payload);
    this.sent.push({ topic: topic.slice(ROOT.length + 1), said, options });
    const hex = typeof payload === "string" ? null : Buffer.from(payload).toString("hex");
    published.push({ topic, text: hex === null ? payload : null, hex, options });
    if (this.answers) acked(null);
  }

  sendPing() {
    this.emit("packetsend", { cmd: "pingreq" });
    if (this.answers) this.emit("packetreceive", { cmd: "pingresp" });
  }

  end(force, _options, done) {
    this.ended = true;
    done?.();
  }
}

export class World {
  constructor({ credentials = {}, state = null } = {}) {
    this.ms = 1_000_000;
    this.timers = new Map();
    this.lastTimer = 0;
    this.clients = [];
    this.issue = 0;
    this.mic = [];
    this.heard = [];
    this.views = [];
    this.fetched = [];
    this.credentials = async () => {
      this.issue += 1;
      const made = { ...this.made(), ...credentials };
      this.fetched.push(made);
      return made;
    };
    this.state = state ?? (async () => ({ issue: this.issue, valid: true }));
    const world = this;
    this.engine = new Console({
      credentials: () => this.credentials(),
      state: () => this.state(),
      mic: {
        start: (press) => {
          world.press = press;
          world.mic.push("start");
        },
        open: (burst) => world.mic.push(`open ${burst}`),
        hold: () => world.mic.push("hold"),
        stop: () => world.mic.push("stop"),
        drop: () => world.mic.push("drop"),
      },
      speaker: {
        open: ({ user, burst, onHeard, onPlayed }) => {
          world.sounds = onHeard;
          world.played = onPlayed;
          world.heard.push(["open", user, burst]);
        },
        frame: ({ user, burst, seq }) => world.heard.push(["frame", user, burst, seq]),
        close: (burst, { drain, lastSeq }) => world.heard.push(["close", burst, drain, lastSeq]),
        hush: (on) => world.heard.push(["hush", on]),
      },
      on: (view) => world.views.push(view),
      now: () => world.ms,
      wall: () => 1_893_456_000_000 + world.ms,
      chance: () => 0.5,
      connect: (url, options) => {
        const client = new Client(world, url, options);
        world.clients.push(client);
        return client;
      },
      clock: {
        set: (run, ms) => {
          world.lastTimer += 1;
          world.timers.set(world.lastTimer, { run, at: world.ms + ms });
          return world.lastTimer;
        },
        clear: (id) => world.timers.delete(id),
      },
    });
  }

  made() {
    const login = "seoul.hq.desk.console";
    const office = OFFICE;
    const rights = { priority_max: "high", talk_limit_s: 30, queue: false, voice: "mqtt", uid: 0, generation: 0 };
    const names = { login, voice_login: `${login}.voice`, user: "desk", name: "상황실", url: "wss://office:8884/mqtt" };
    return { ...names, secret: "s", expires_at: 0, issue: this.issue, boot: 40 + this.issue, office, ...rights };
  }

  get view() {
    return this.views.at(-1);
  }

  newest(suffix) {
    return this.clients.findLast((one) => one.options.clientId.endsWith(suffix));
  }

  get control() {
    return this.newest(".console");
  }

  get voice() {
    return this.newest(".voice");
  }

  /** Floor messages that were sent on the newest control connection. */
  floor() {
    return this.control.sent.filter(({ topic }) => topic.startsWith("floor/")).map(({ topic, said }) => [topic.endsWith("again"), said]);
  }

  sent(type) {
    return this.control.sent.map(({ said }) => said).filter((said) => said.type === type);
  }

  frames() {
    return this.voice.sent.map(({ said }) => said);
  }

  /** Connect for the first time. */
  async begin() {
    this.engine.start();
    await this.settle();
    this.control.emit("connect");
    this.voice.emit("connect");
    await this.settle();
    return this;
  }

  /** Answer each question for the time of the first five seconds; the office's clock runs so far ahead of ours, ms. */
  async toldTheTime(ahead) {
    let known = 0;
    await this.pass(5000, () => {
      const probe = this.sent("time_probe").at(-1);
      if (probe && probe.probe_no > known) this.reply({ type: "time_answer", probe_no: (known = probe.probe_no), at: ahead + this.ms });
    });
  }

  /** What the broker says. */
  say(tail, message, { retain = false, on = this.control } = {}) {
    const payload = message === null ? new Uint8Array(0) : message instanceof Uint8Array ? message : utf8.encode(JSON.stringify(message));
    on.emit("message", `${ROOT}/${tail}`, payload, { retain });
  }

  reply(message) {
    this.say("floor/desk/reply", { rev: 50, ...message });
  }

  hear(user, frame) {
    const data = pack({ captureMs: 20 * frame.seq, flags: 0, opus: new Uint8Array([1, 2, 3]), ...frame });
    this.say(`voice/${user}`, data, { on: this.voice });
  }

  /** The office's session; burst 7 of car-1 unless told otherwise. */
  session(changes) {
    this.rev = (this.rev ?? 50) + 1;
    const base = { type: "session", rev: this.rev, store: "s", active: true, channel_name: "c", burst: 7, event_id: "e" };
    this.say("session", { ...base, current_speaker: "car-1", speaker_name: "1호차", ...changes }, { retain: true });
  }

  get requestId() {
    return this.floor().findLast(([, said]) => said.type === "floor_request")[1].request_id;
  }

  /** Answer the newest request. */
  grant(burst = 9, changes = {}) {
    this.reply({ type: "floor_granted", request_id: this.requestId, burst, duration_s: 30, lease_s: 3, ...changes });
  }

  renewed() {
    const [, last] = this.floor().findLast(([, said]) => said.type === "floor_renew");
    this.reply({ type: "floor_renewed", burst: last.burst, renew_no: last.renew_no });
  }

  /** A packet of the microphone. */
  speak(no, last = false) {
    this.press.onFrame({ opus: new Uint8Array([9, no]), captureMs: 20 * no, last });
  }

  /** Let time pass, timer by timer. */
  async pass(ms, step = () => {}) {
    const end = this.ms + ms;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0];
      if (due === undefined) break;
      this.ms = Math.max(this.ms, due[1].at);
      this.timers.delete(due[0]);
      due[1].run();
      step();
      await this.settle();
    }
    this.ms = end;
    await this.settle();
  }

  async settle() {
    for (let turn = 0; turn < 6; turn += 1) await Promise.resolve();
  }
}
