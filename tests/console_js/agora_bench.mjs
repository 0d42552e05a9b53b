// The console's way over Agora on a bench: time turned by hand, and a stand-in that tsc holds to the package's own types.
import { AgoraVoice } from "../../dispatch/web/static/console/agora.js";
import { FakeMic, FakeSdk } from "./agora_fake.mjs";

export const CAR = 4001;
export const OTHER = 4002;
export const TOKEN = { app_id: "app", channel: "room", uid: 77, publisher: true, expires_in_s: 600, sdk: "/static/agora/x.js" };

class Clock {
  constructor() {
    this.now = 1000;
    this.waiting = new Map();
    this.count = 0;
  }

  set(run, ms) {
    this.waiting.set((this.count += 1), { run, at: this.now + ms });
    return this.count;
  }

  clear(id) {
    this.waiting.delete(id);
  }

  async pass(ms) {
    const end = this.now + ms;
    await settled();
    for (;;) {
      const due = [...this.waiting].filter(([, each]) => each.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.waiting.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
      await settled();
    }
    this.now = end;
  }
}

/** What has been begun is done as far as it goes. */
export async function settled() {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

export class Bench {
  constructor({ token = {}, tokens = async () => ({}) } = {}) {
    this.clock = new Clock();
    this.sdk = new FakeSdk();
    this.mic = new FakeMic();
    this.states = [];
    this.asks = [];
    this.joins = [];
    this.tokens = 0;
    this.voice = new AgoraVoice({
      token: async () => ({ ...TOKEN, token: `token-${(this.tokens += 1)}`, ...token, ...(await tokens()) }),
      mic: () => this.mic,
      ask: (burst) => this.asks.push([burst, this.clock.now]),
      joined: (eventId) => this.joins.push(eventId),
      changed: (state, why) => this.states.push(why ? `${state}: ${why}` : state),
      load: async () => this.sdk,
      now: () => this.clock.now,
      chance: () => 0.5,
      clock: this.clock,
    });
  }

  /** A session runs, and somebody speaks in it. */
  async session(speaker = null, eventId = "e1") {
    this.voice.session({ eventId, speaker });
    await settled();
  }

  frame(burst, handover = false) {
    this.voice.frame({ burst, handover });
  }

  get client() {
    return this.sdk.client;
  }
}

export const burst = (no, uid = CAR, user = "car-1") => ({ burst: no, user, uid });

/** A bench whose channel is joined, where CAR publishes. */
export async function joined(options) {
  const bench = new Bench(options);
  await bench.session();
  bench.remote = bench.client.speaks(CAR);
  await settled();
  return bench;
}
