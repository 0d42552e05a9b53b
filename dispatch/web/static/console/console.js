// @ts-check
// The call manager's console as an ordinary member of the office: what the page does, time, and what is shown.
// How to use it is in types.js. Nothing of the floor is decided here: the floor control server decides, this asks.

import { Member } from "./member.js";
import { COMMAND_EXPIRY_S } from "./link.js";
import { TOLD } from "./schemas.js";
import { emergenciesOf, floorOf, membersOf, speakerOf } from "./facts.js";

/** Timers of a page run no longer than this at once, so that a clock that jumps is seen. */
const SLEEP_MS_MAX = 1000;
/** A command that was not answered by then was never done: the broker keeps it for less. */
const CLEAR_S = COMMAND_EXPIRY_S + 5;

export class Console extends Member {
  /** @param {import("./types.js").ConsoleOptions} options */
  constructor(options) {
    super(options);
    this.hushed = false;
    this.live = false;
    this.depth = 0;
    this.view = this.look();
  }

  // --- what the page does -------------------------------------------------------------------------------------------

  /** Connect; behind `elsewhere` or an error: here, and anew. */
  start() {
    this.after(() => {
      if (this.linkState !== "up") this.linkState = "connecting";
      this.keeper.start();
    });
  }

  /** The button went down. @param {"normal"|"high"|"emergency"} [priority] */
  press(priority = "normal") {
    if (this.keyed) return;
    this.after(() => {
      const now = this.now();
      this.keyed = true;
      this.outcome = this.deny = this.micFault = null;
      const pressNo = this.participant.presses + 1;
      this.traces.pressed([...this.link.connectionId, pressNo], now, this.wall(), now);
      this.participant.press(now, now, priority);
    });
  }

  /** It went up. */
  release() {
    if (!this.keyed) return;
    this.after(() => {
      const now = this.now();
      this.keyed = false;
      this.outcome = null;
      this.traces.keyUp(now);
      this.participant.keyUp(now, now);
    });
  }

  /** Ask a vehicle to take its emergency down. @param {string} user */
  clearEmergency(user) {
    this.after(() => {
      this.clearing = `console-${this.link.connectionId.join("-")}-${Math.floor(this.wall())}`;
      const by = (this.keeper.credentials?.name ?? "").slice(0, 64) || null;
      const command = { type: "command", id: this.clearing, op: "clear_emergency", by, params: {} };
      const sent = this.link.publish("COMMAND", [user], command);
      this.cleared = { what: sent ? "asked" : TOLD.NO_CONNECTION, ok: sent ? null : false, by: user };
      this.clearBy = sent ? this.now() + CLEAR_S : Infinity;
    });
  }

  /** Give back what is held, say good-bye and part. */
  async close() {
    this.after(() => {
      this.keyed = false;
      this.participant.stop(this.now());
      this.presence.goodbye();
      this.keeper.stop();
      this.lost("closed", false);
    });
    await this.link.part();
    if (this.linkState === "closed") this.clock.clear(this.timer); // else it was started anew meanwhile
  }

  // --- time and view ------------------------------------------------------------------------------------------------

  /** Run something that changes the engine, then do what is due, show it, and plan the next moment. */
  after(act) {
    this.depth += 1;
    try {
      act();
    } finally {
      this.depth -= 1;
      if (this.depth === 0) this.go(); // else a microphone or speaker that answers at once: the outer one goes on
    }
  }

  /** What goes wrong here is the page's to report; time goes on all the same: leases end, and what is held is given back. */
  go() {
    try {
      this.tick();
    } finally {
      this.show();
      this.plan();
    }
  }

  tick() {
    const now = this.now();
    this.participant.tick(now);
    this.gate.tick();
    const alive = [this.participant.talk, this.participant.waiting].flatMap((talk) => (talk === null ? [] : [talk.pressNo]));
    this.traces.look(alive, now);
    if (this.gate.live !== this.live) this.path?.talk((this.live = this.gate.live));
    if (this.gate.open !== this.hushed) this.hush(this.gate.open);
    if (this.linkState === "closed") return;
    this.link.tick(now);
    this.keeper.tick(now);
    if (now >= this.sweepAt) this.sweep();
    if (now >= this.clearBy) {
      this.clearBy = Infinity;
      if (this.cleared?.ok === null) this.cleared = { ...this.cleared, what: TOLD.NO_ANSWER, ok: false };
    }
    const joined = this.session?.active === true && this.link.voice.up ? this.session.event_id : null;
    this.presence.channel(joined, now, joined !== null && joined === this.agoraEvent ? "agora" : "mqtt");
    this.presence.tick(now);
    this.traces.tick(now);
    for (const one of this.link.control.up ? this.audience.takeReports(now) : []) {
      const report = { type: "burst_played", connection_id: this.link.connectionId, ...one, ...this.listening.of(one.burst) };
      this.link.publish("HEARTBEAT", [this.user], report);
    }
  }

  /** Nothing sounds, or things may sound again. @param {boolean} on */
  hush(on) {
    this.hushed = on;
    this.options.speaker.hush(on);
    this.path?.hush(on);
  }

  plan() {
    this.clock.clear(this.timer);
    const closed = this.linkState === "closed"; // then only releases that nobody acknowledged are still looked after
    const parts = closed ? [this.participant] : [this.participant, this.gate, this.link, this.keeper, this.presence, this.traces];
    const reports = this.link.control.up ? this.audience.next() : null;
    const sweep = closed || this.sweepAt === Infinity ? null : this.sweepAt;
    const times = [...parts.map((part) => part.next()), reports, sweep].filter((at) => at !== null);
    if (closed && times.length === 0) return;
    const ms = Math.min(SLEEP_MS_MAX, Math.max(0, Math.ceil(Math.min(...times, Infinity) * 1000 - this.nowMs())));
    this.timer = this.clock.set(() => this.after(() => {}), ms);
  }

  show() {
    if (this.showing) return;
    this.showing = true;
    queueMicrotask(() => {
      this.showing = false;
      const next = this.look();
      if (JSON.stringify(next) === JSON.stringify({ ...this.view, remaining_ms: next.remaining_ms })) return;
      this.view = next;
      this.options.on(next);
    });
  }

  look() {
    const { participant, session, keeper } = this;
    const talk = participant.talk;
    const floor = floorOf(participant, this.outcome);
    const members = membersOf(this.roster);
    const limitAt = talk !== null && talk.spoke && !talk.draining ? talk.limitAt : null;
    return Object.freeze({
      link: this.linkState,
      voiceLink: this.link.voice.up,
      floor,
      remaining_ms: limitAt === null ? null : Math.max(0, Math.round((limitAt - this.now()) * 1000)),
      limitNear: limitAt !== null && talk?.ending === true,
      position: floor === "queued" ? (talk?.position ?? null) : null,
      speaker: speakerOf(session, this.user),
      hearing: this.audience.playing !== 0,
      sessionActive: session?.active === true,
      deny: this.deny,
      heard: this.heard,
      members,
      emergencies: emergenciesOf(this.emergencies, members),
      cleared: this.cleared,
      elsewhere: keeper.elsewhere,
      error: keeper.error,
      micFault: this.micFault,
      agora: this.agora,
      said: this.said,
      counts: { ...this.counts, discarded: participant.discarded },
    });
  }
}
