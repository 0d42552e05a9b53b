// @ts-check
// The console as a member of the office: its parts joined, what comes from link, microphone and office handed to them.
// console.js adds what the page does, time, and what is shown.

import { Audience } from "./audience.js";
import { ASK, BadFrame, HANDOVER, pack, unpack } from "./frames.js";
import { VoiceGate } from "./gate.js";
import { Heard } from "./heard.js";
import { Keeper } from "./keeper.js";
import { Link } from "./link.js";
import { Participant } from "./participant.js";
import { Presence } from "./presence.js";
import { TOLD } from "./schemas.js";
import { Traces } from "./traces.js";
import { Malformed, decode, encode, parseTopic } from "./words.js";
import { outcomeOf } from "./facts.js";

const EMERGENCY = "emergency";
/** Behind a reconnection, what is retained has come within this time. */
const SWEEP_S = 2;
const FAULTS = ["denied", "missing", "lost", "unsupported", "failed"];

export class Member {
  /** @param {import("./types.js").ConsoleOptions} options */
  constructor(options) {
    this.options = options;
    this.nowMs = options.now ?? (() => performance.now());
    /** How far the office's clock is ahead of this machine's, ms. */
    this.aheadMs = 0;
    const wall = options.wall ?? (() => Date.now());
    this.wall = () => wall() + this.aheadMs;
    this.clock = options.clock ?? { set: (run, ms) => setTimeout(run, ms), clear: (id) => clearTimeout(id) };
    const chance = options.chance ?? Math.random;
    const now = () => this.nowMs() / 1000;
    this.now = now;
    this.user = "";
    /** @type {any} */
    this.session = null;
    this.roster = null;
    /** @type {Map<string, any>} */
    this.emergencies = new Map();
    this.counts = {};
    this.keyed = false;
    this.outcome = null;
    this.deny = null;
    this.heard = null;
    this.said = null;
    this.cleared = null;
    this.clearing = "";
    this.clearBy = Infinity;
    this.micFault = null;
    /** @type {import("./types.js").LinkState} */
    this.linkState = "closed";
    this.ownBurst = 0;
    this.sweepAt = Infinity;
    this.timer = null;
    this.showing = false;
    const count = (what) => this.count(what);
    this.link = new Link({
      connect: options.connect ?? missing,
      now,
      chance,
      clock: this.clock,
      encode,
      will: (connectionId) => this.presence.will(connectionId),
      up: (connectionId) => this.after(() => this.linkUp(connectionId)),
      down: (why, wasUp) => this.after(() => this.linkDown(why, wasUp)),
      voice: () => this.after(() => this.keeper.linked(this.link.voice.up, this.link.control.up && this.link.voice.up)),
      message: (name, payload, retained) => this.after(() => this.message(name, payload, retained)),
      through: (burst, seq) => this.after(() => this.through(burst, seq)),
    });
    this.around = this.surroundings();
    this.participant = new Participant(this.around);
    this.gate = new VoiceGate({
      mic: options.mic,
      line: { takes: () => this.link.takesVoice, send: (frame, burst, seq) => this.link.sendVoice(frame, burst, seq) },
      now,
      drained: (requestId, lastSeq) => this.after(() => this.participant.drained(requestId, lastSeq, now())),
      fault: (requestId, why) => this.after(() => this.noMicrophone(requestId, why)),
      count,
    });
    /** @type {import("./types.js").VoicePath|null} */
    this.path = null;
    /** @type {import("./types.js").View["agora"]} */
    this.agora = null;
    /** @type {string|null} */
    this.agoraEvent = null;
    const beside = (burst) => this.path?.framesOf(burst) ?? 0;
    const sounded = (burst, { atMs, errorMs }) => {
      if (beside(burst) === 0) this.listening.sounded(burst, atMs / 1000, errorMs); // else it was heard before, over the other way
    };
    this.audience = new Audience({ user: "", speaker: options.speaker, chance, now, count, played: () => this.plan(), beside, sounded });
    const publish = (kind, message, acked) => this.link.publish(kind, [this.user], message, acked);
    this.presence = new Presence({ who: { name: "", device_info: "browser console" }, chance, publish });
    this.traces = new Traces({ publish, chance, talking: () => this.participant.talk !== null });
    this.listening = new Heard(this.traces.clock);
    this.keeper = new Keeper({
      credentials: options.credentials,
      state: options.state ?? null,
      now,
      chance,
      busy: () => this.keyed || this.participant.talk !== null ? "mine" : this.session?.current_speaker ? "others" : "",
      use: (credentials) => this.after(() => this.use(credentials)),
      ended: () => this.after(() => this.lost("refused")),
      again: () => this.after(() => {}),
    });
  }

  // --- credentials and link -----------------------------------------------------------------------------------------

  use(credentials) {
    if (credentials.now) this.aheadMs += credentials.now - this.wall();
    this.participant.linkDown(this.now());
    if (this.user !== credentials.user) this.session = this.roster = null;
    this.user = this.audience.parts.user = this.around.user = credentials.user;
    this.usePath(credentials.voice === "agora");
    this.presence.parts.who.name = [...credentials.name].slice(0, 64).join("");
    this.presence.disconnected();
    this.traces.disconnected(this.now());
    this.linkState = "connecting";
    this.sweepAt = Infinity;
    for (const alert of this.emergencies.values()) alert.stale = true;
    this.link.use(credentials);
  }

  linkUp(connectionId) {
    const now = this.now();
    this.linkState = "up";
    this.keeper.worked();
    this.keeper.linked(true, this.link.voice.up);
    this.presence.connected(connectionId, now, Math.floor(this.wall()));
    this.traces.connected(now);
    this.participant.linkUp(now);
    this.announce();
    this.sweepAt = now + SWEEP_S;
  }

  linkDown({ refused, taken }, wasUp) {
    const now = this.now();
    this.keeper.linked(false, false);
    this.linkState = this.keeper.fetching ? "connecting" : "lost";
    this.presence.disconnected();
    this.traces.disconnected(now);
    if (wasUp) this.participant.linkDown(now);
    this.sweepAt = Infinity; // what nobody repeats now is not over
    this.tellPath(null, null); // nobody says any more who may be heard
    for (const alert of this.emergencies.values()) alert.stale = true;
    if (refused || taken) this.keeper.refused(taken);
    else if (wasUp) this.keeper.cut();
  }

  /** No credentials are to be had, or the console ends: nothing is tried any more. */
  lost(state, drop = true) {
    if (drop) this.link.stop();
    this.presence.disconnected();
    if (drop) this.participant.voiceLost(TOLD.FLOOR_LOST, this.now()); // a talk that hoped for the link to come back
    this.participant.stop(this.now());
    this.audience.silence();
    this.usePath(false);
    this.linkState = this.keeper.elsewhere === null ? state : "closed";
  }

  // --- what comes ---------------------------------------------------------------------------------------------------

  message(name, payload, retained) {
    const office = this.keeper.credentials?.office;
    const found = office === undefined ? null : parseTopic(office, name);
    if (found === null) return this.count("misplaced");
    if (found.kind === "VOICE") return this.frame(found.ids[0], payload);
    if (found.kind === "ALERT") return this.alert(found.ids, payload);
    if (payload.length === 0) return found.kind === "ROSTER" ? this.members(null) : undefined;
    try {
      return this.word(found, decode(payload, found.kind), retained);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return this.count("malformed");
    }
  }

  word({ kind, ids }, said, retained) {
    const now = this.now();
    if (kind === "SESSION") return this.newSession(said, now);
    if (kind === "ROSTER") return this.members(said);
    if (!this.link.control.up) return this.count("early");
    if (kind === "PRESENCE") return ids[0] === this.user ? this.ownPresence(said, now) : this.count("misplaced");
    if (kind === "COMMAND_REPLY") return this.commandReply(said);
    if (kind !== "REPLY" || ids[0] !== this.user || retained) return this.count("misplaced");
    if (said.type === "time_answer") return this.traces.answered(said, now);
    if (said.type === "floor_heard") return this.heardBy(said);
    if (said.type === "floor_deny" && said.request_id.join() === this.participant.talk?.requestId.join()) {
      const { cause, speaker, speaker_name, remaining_s, priority } = said;
      this.deny = { cause, speaker, speaker_name, remaining_s, priority };
    }
    this.participant.reply(said, now);
    const burst = this.participant.talk?.burst ?? 0;
    if (burst > this.ownBurst) {
      this.ownBurst = burst;
      this.heard = null;
    }
    return undefined;
  }

  newSession(session, now) {
    const known = this.session;
    if (known !== null && session.rev <= known.rev && session.store === known.store) return;
    this.session = this.around.session = session;
    this.audience.session(session);
    this.presence.burst = this.audience.playing;
    this.announce();
    this.participant.sessionMoved(session, now);
  }

  members(roster) {
    this.roster = roster;
  }

  ownPresence(said, now) {
    const found = this.presence.retained(said, now);
    if (found === "outdo") this.link.outdo(said.connection_id);
    if (found === "elsewhere") this.keeper.takenOver(said.joined_at ?? null);
  }

  commandReply(said) {
    if (said.id === this.clearing && this.cleared !== null) this.cleared = { ...this.cleared, what: said.what, ok: said.ok };
  }

  heardBy(said) {
    if (said.burst === this.ownBurst) this.heard = { by: said.heard_by, of: said.heard_of };
  }

  /** @param {string[]} ids @param {Uint8Array} payload */
  alert([user, id], payload) {
    if (id !== EMERGENCY) return;
    if (payload.length === 0) {
      this.emergencies.delete(user);
      return;
    }
    try {
      this.emergencies.set(user, decode(payload, "ALERT"));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.count("malformed");
    }
  }

  frame(user, payload) {
    try {
      const frame = unpack(payload);
      this.beside(user, frame);
      this.audience.frame(user, frame);
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error;
      this.count("bad frames");
    }
  }

  // --- the second way for voice ---------------------------------------------------------------------------------------

  /** @param {boolean} on */
  usePath(on) {
    if (on === (this.path !== null)) return;
    this.listening.announced(null, 0, this.now());
    this.path?.close();
    this.path = this.agora = this.agoraEvent = null;
    if (!on || !this.options.voicePath) return;
    this.agora = { state: "off", why: "" };
    const path = this.options.voicePath({
      ask: (burst) => {
        const flags = ASK;
        if (this.link.takesVoice) this.link.sendVoice(pack({ burst, seq: 0, captureMs: 0, flags, opus: new Uint8Array(0) }), 0, 0);
      },
      joined: (eventId) => path === this.path && this.after(() => this.joinedPath(eventId)),
      changed: (state, why) => path === this.path && this.after(() => void (this.agora = { state, why })),
    });
    this.path = path;
    path.start();
    path.hush(this.gate.open);
  }

  announce() {
    const { session } = this;
    if (session === null || !this.link.control.up) return;
    const burst = this.audience.playing;
    const speaker = burst === 0 ? null : { burst, user: session.current_speaker, uid: session.speaker_uid ?? 0 };
    this.tellPath(session.active ? session.event_id : null, speaker);
  }

  /** @param {string|null} eventId @param {{burst: number, user: string, uid: number}|null} speaker */
  tellPath(eventId, speaker) {
    if (this.path === null) return;
    this.listening.announced(eventId, speaker?.burst ?? 0, this.now());
    this.path.session({ eventId, speaker });
  }

  /** @param {string|null} eventId */
  joinedPath(eventId) {
    this.agoraEvent = eventId;
    this.listening.joined(eventId, this.now());
  }

  /** @param {string} user @param {import("./frames.js").VoiceFrame} frame */
  beside(user, { burst, flags }) {
    const { path } = this;
    if (path === null || user === this.user) return;
    if ((flags & ASK) !== 0) path.asked(burst);
    else if (user === this.session?.current_speaker) path.frame({ burst, handover: (flags & HANDOVER) !== 0 });
  }

  through(burst, seq) {
    const now = this.now();
    this.participant.through(burst, seq, now);
    const { talk } = this.participant;
    if (talk !== null && talk.burst === burst) this.traces.moment(talk.pressNo, "through_ms", now);
  }

  noMicrophone(requestId, why) {
    this.micFault = FAULTS.includes(why) ? why : "failed";
    const talk = this.participant.talk;
    if (talk !== null && talk.requestId.join() === requestId.join()) this.participant.voiceLost(TOLD.NO_MICROPHONE, this.now());
  }

  // --- what the participant uses ------------------------------------------------------------------------------------

  /** @returns {import("./procedures.js").Surroundings} */
  surroundings() {
    const engine = this;
    return {
      user: "",
      session: null,
      get connectionId() {
        return engine.link.connectionId;
      },
      get linkUp() {
        return engine.link.control.up;
      },
      get problem() {
        if (!engine.link.control.up) return engine.linkState === "refused" ? TOLD.NOT_ADMITTED : TOLD.NO_CONNECTION;
        return engine.link.voice.up ? null : TOLD.NO_VOICE;
      },
      get awaited() {
        return engine.keeper.renewing;
      },
      floor: (message, again) => engine.sendFloor(message, again),
      voice: (command) => engine.voice(command),
      tell: (what, pressNo, more = {}) => engine.tell(what, pressNo, more),
    };
  }

  sendFloor(message, again) {
    const now = this.now();
    if (!this.link.publish(again ? "FLOOR_AGAIN" : "FLOOR", [this.user], message)) return;
    const pressNo = message.request_id?.[3] ?? 0;
    if (message.type === "floor_request") {
      this.traces.moment(pressNo, "asked_ms", now);
      this.traces.know(pressNo, { requestId: message.request_id, priority: message.priority });
    }
    if (message.type === "floor_release") this.traces.moment(pressNo, "released_ms", now);
  }

  voice(command) {
    if (command.do === "open") {
      this.traces.moment(command.requestId[3], "permitted_ms", this.now());
      this.traces.know(command.requestId[3], { burst: command.burst });
    }
    this.gate.handle(command);
  }

  /** @param {string} what @param {number} pressNo @param {{name?: string, remainingS?: number|null, count?: number|null}} more */
  tell(what, pressNo, { name = "", remainingS = null, count = null }) {
    this.said = { no: (this.said?.no ?? 0) + 1, what, name: name || null, remaining_s: remainingS, count };
    this.traces.told(pressNo, what, { name, remainingS }, this.now());
    if (this.keyed && pressNo === this.participant.presses) this.outcome = outcomeOf(what) ?? this.outcome;
  }

  /** Emergencies that the broker retained no more when the link came back were taken down meanwhile. */
  sweep() {
    this.sweepAt = Infinity;
    for (const [user, alert] of [...this.emergencies]) if (alert.stale) this.emergencies.delete(user);
  }

  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Run something that changes the member; console.js adds what follows. @param {() => void} act */
  after(act) {
    act();
  }

  /** Plan the next moment; console.js has it. */
  plan() {}
}

function missing() {
  throw new Error("connect: give the console mqtt.js's connect");
}
