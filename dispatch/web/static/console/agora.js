// @ts-check
// Agora as the console's second way for voice, beside MQTT's frames (docs/protocol.md "Voice over two ways").
//
// The engine tells what the office announces and what came over MQTT; this joins, publishes, plays and asks. As speaker the
// console sends frames over MQTT for the whole burst, so that nobody depends on this.

import { AgoraChannel } from "./agora-channel.js";
import { AgoraHearing } from "./agora-hearing.js";
import { TOKEN_WAIT_MAX_S, TOKEN_WAIT_MIN_S } from "./timers.js";

/** @typedef {import("./agora-channel.js").Token} Token */
/** @typedef {import("./agora-channel.js").ChannelState} ChannelState */
/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTC} IAgoraRTC */
/** @typedef {import("./types.js").VoicePath} VoicePath */

/** While a burst is announced, its ways are looked at so often. */
const LOOK_MS = 50;
/** Below this a track is silent: digital silence, as of an unpublished or muted one. */
const LOUD = 0.001;
/** What a frame of MQTT's would have held: Agora's sound is counted in as many. */
const FRAME_MS = 20;
const BURSTS_KEPT = 4;
/** The calls of the SDK wait for a token, the end of an own burst among them: no longer than for one another. */
const TOKEN_MS = 5000;

/**
 * @typedef {object} Announced what `session` says
 * @property {string|null} eventId of the running session; null: none runs
 * @property {{burst: number, user: string, uid: number}|null} speaker another one's burst that may be heard
 */

/** @implements {VoicePath} */
export class AgoraVoice {
  /**
   * @param {object} parts
   * @param {() => Promise<Omit<Token, "at">>} parts.token `fetchToken` with the page's parts filled in
   * @param {() => MediaStreamTrack|null} parts.mic
   * @param {(burst: number) => void} parts.ask publish an ASK frame on the own voice topic
   * @param {(eventId: string|null) => void} parts.joined the session whose channel is joined over Agora, for the presence
   * @param {(state: ChannelState, why: string) => void} parts.changed
   * @param {(token: Token) => Promise<IAgoraRTC>} [parts.load]
   * @param {() => number} [parts.now]
   * @param {() => number} [parts.chance]
   * @param {{set: (run: () => void, ms: number) => any, clear: (id: any) => void}} [parts.clock]
   */
  constructor({ token, mic, ask, joined, changed, load = loadSdk, now = pageNow, chance = Math.random, clock = TIMERS }) {
    this.ask = ask;
    this.tellJoined = joined;
    this.tellState = changed;
    this.now = now;
    this.chance = chance;
    this.clock = clock;
    this.hearing = new AgoraHearing(chance);
    this.channel = new AgoraChannel({ load, token, mic, now, clock, changed: (state, why) => this.turned(state, why) });
    /** @type {string|null} */
    this.eventId = null;
    /** @type {string|null} */
    this.told = null;
    this.talking = false;
    this.hushed = false;
    this.percent = 100;
    /** What Agora brought of the newest bursts, ms. @type {Map<number, number>} */
    this.aloudMs = new Map();
    this.lookedAt = 0;
    /** @type {any} */
    this.timer = null;
    /** @type {any} */
    this.warming = null;
  }

  /** Fetch SDK and token, at a moment of its own: consoles that start together do not ask together. */
  start() {
    const wait = TOKEN_WAIT_MIN_S + this.chance() * (TOKEN_WAIT_MAX_S - TOKEN_WAIT_MIN_S);
    this.warming = this.clock.set(() => void this.channel.warm(), wait * 1000);
  }

  /** Take every announcement. @param {Announced} said */
  session({ eventId, speaker }) {
    this.eventId = eventId;
    this.channel.join(eventId !== null);
    if (speaker) {
      if (!this.aloudMs.has(speaker.burst)) this.aloudMs.set(speaker.burst, 0);
      for (const old of [...this.aloudMs.keys()].slice(0, -BURSTS_KEPT)) this.aloudMs.delete(old);
      this.hearing.play(speaker, this.now());
    } else {
      this.hearing.over();
    }
    this.tell();
    this.look();
  }

  /** The microphone is open for an own burst, surely; or it is not any more. @param {boolean} on */
  talk(on) {
    this.talking = on;
    this.channel.talk(on);
    this.look();
  }

  /** The own microphone keeps or gives speech, which it must not hear. @param {boolean} on */
  hush(on) {
    this.hushed = on;
    this.look();
  }

  /** A frame of another one's burst came over MQTT. @param {{burst: number, handover: boolean}} what */
  frame(what) {
    this.hearing.frame(what, this.now());
    this.look();
  }

  /** Another member's ASK came. @param {number} burst */
  asked(burst) {
    this.hearing.asked(burst, this.now());
  }

  /** Frames' worth of what Agora alone brought of a burst. @param {number} burst */
  framesOf(burst) {
    return Math.round((this.aloudMs.get(burst) ?? 0) / FRAME_MS);
  }

  /** How loud Agora's sound is. @param {number} percent */
  volume(percent) {
    this.percent = percent;
    this.channel.volume(percent);
  }

  /** Leave, for good. */
  close() {
    this.clock.clear(this.warming);
    this.session({ eventId: null, speaker: null });
    this.channel.talk(false);
  }

  look() {
    this.clock.clear(this.timer);
    this.timer = null;
    const now = this.now();
    const { hearing, channel } = this;
    if (hearing.burst === null) {
      channel.hear(0, false);
      return;
    }
    const level = channel.level;
    if (level !== null) {
      hearing.sound(level > LOUD, now);
      if (channel.sounding && level > LOUD && this.percent > 0) {
        const heard = this.aloudMs.get(hearing.burst) ?? 0;
        this.aloudMs.set(hearing.burst, heard + Math.min(now - this.lookedAt, 2 * LOOK_MS));
      }
    }
    this.lookedAt = now;
    channel.hear(hearing.uid, hearing.aloud(now) && !this.talking && !this.hushed);
    const burst = this.talking ? null : hearing.ask(now);
    if (burst !== null) this.ask(burst);
    this.timer = this.clock.set(() => this.look(), LOOK_MS);
  }

  /** @param {ChannelState} state @param {string} why */
  turned(state, why) {
    this.hearing.joined = state === "joined";
    this.tell();
    this.tellState(state, why);
  }

  tell() {
    const eventId = this.hearing.joined ? this.eventId : null;
    if (eventId === this.told) return;
    this.told = eventId;
    this.tellJoined(eventId);
  }
}

const pageNow = () => performance.now();
/** @type {{set: (run: () => void, ms: number) => any, clear: (id: any) => void}} */
const TIMERS = { set: (run, ms) => setTimeout(run, ms), clear: (id) => clearTimeout(id) };

/** Load the staged SDK, which then writes no log and sends none. @param {Token} token @returns {Promise<IAgoraRTC>} */
export async function loadSdk(token) {
  const sdk = /** @type {IAgoraRTC} */ ((await import(token.sdk)).default);
  sdk.setLogLevel(4);
  sdk.disableLogUpload();
  if (!sdk.checkSystemRequirements()) throw { code: "NOT_SUPPORTED" };
  return sdk;
}

/**
 * Ask for a token as the page's session. Rejects with {text, final}: final where asking again mends nothing; with
 * {code: "TIMEOUT"} where no answer came in time.
 * @param {string} csrf
 * @param {typeof fetch} [send]
 * @param {number} [ms]
 * @returns {Promise<Omit<Token, "at">>}
 */
export async function fetchToken(csrf, send = fetch, ms = TOKEN_MS) {
  const signal = AbortSignal.timeout(ms);
  const late = (/** @type {unknown} */ error) => Promise.reject(signal.aborted ? { code: "TIMEOUT", final: false } : error);
  const answer = await send("/console/token", { method: "POST", body: new URLSearchParams({ csrf }), redirect: "error", signal }).catch(late);
  const said = await answer.json().catch(late);
  if (answer.ok) return said;
  const final = answer.status < 429 || String(said.type).includes(":agora_not_");
  throw { text: said.title ?? String(answer.status), final };
}
