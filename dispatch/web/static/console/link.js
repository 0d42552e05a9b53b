// @ts-check
// The two connections to the broker, control and voice, over mqtt.js: last will, subscriptions, back-off, credentials.

import { FLOOR_MESSAGE_EXPIRY_S } from "./timers.js";
import { topic } from "./words.js";

const FIRST_WAIT_S = 0.25;
const WAIT_S_MAX = 15;
/** A connection that lived this long starts the back-off anew. */
const STEADY_S = 30;
const CONNECT_MS = 10_000;
/** A hidden page's timers run once a minute: the broker waits one and a half times this for a sign of life. */
const KEEPALIVE_S = 60;
/** A connection that answers no ping within this time is dead. */
const PING_EVERY_S = 10;
const PONG_S = 6;
/** Voice that waits in the page beyond this many bytes waits in the gate instead: some 0.5 s of it. */
const WAITING_BYTES_MAX = 2048;
const SESSION_TAKEN_OVER = 0x8e;
const REFUSED = [0x84, 0x85, 0x86, 0x87, 0x8a];
export const COMMAND_EXPIRY_S = 30;

/** One connection: dials, and says how it ends. Nothing is queued in it: what it cannot send now is worth nothing later. */
class Connection {
  constructor(parts, name) {
    this.parts = parts;
    this.name = name;
    this.client = null;
    this.up = false;
    this.failures = 0;
    this.upSince = 0;
    /** @type {number|null} */
    this.dialAt = null;
    this.pingAt = Infinity;
    this.pongBy = Infinity;
    /** Pings without an answer, each with what was sent before it. @type {any[]} */
    this.asked = [];
  }

  /** @param {any} options of mqtt.js @param {string} url @param {Record<string, object>} subscriptions */
  dial(url, options, subscriptions) {
    this.drop();
    const client = this.parts.connect(url, {
      ...options,
      protocolVersion: 5,
      clean: true,
      properties: { sessionExpiryInterval: 0, receiveMaximum: 1000 },
      keepalive: KEEPALIVE_S,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_MS,
      queueQoSZero: false,
      resubscribe: false,
      timerVariant: "native",
    });
    this.client = client;
    const mine = (act) => (...args) => client === this.client && act(...args);
    client.on("error", mine((error) => this.fail(error.code, String(error.message ?? error))));
    client.on("close", mine(() => this.fail(0, "the connection was closed")));
    client.on("disconnect", mine((packet) => this.fail(packet.reasonCode, "the broker ended the connection")));
    client.on("packetsend", mine((packet) => packet.cmd === "pingreq" && this.asking()));
    client.on("packetreceive", mine((packet) => packet.cmd === "pingresp" && this.pong()));
    client.on("message", mine((name, payload, packet) => this.parts.message(this, name, payload, packet.retain === true)));
    client.on("connect", mine(() => client.subscribe(subscriptions, mine((error, granted) => this.subscribed(error, granted)))));
  }

  subscribed(error, granted) {
    const refused = error === null || error === undefined ? (granted ?? []).some((one) => one.qos > 2) : true;
    if (refused) return this.fail(0x87, `a subscription was refused${error ? `: ${error.message}` : ""}`);
    const now = this.parts.now();
    this.up = true;
    this.upSince = now;
    this.pingAt = now + PING_EVERY_S;
    this.parts.up(this);
  }

  fail(code, reason) {
    const now = this.parts.now();
    const wasUp = this.up;
    if (wasUp && now - this.upSince >= STEADY_S) this.failures = 0;
    this.drop();
    const ceiling = Math.min(WAIT_S_MAX, FIRST_WAIT_S * 2 ** Math.min(this.failures, 10));
    this.failures += 1;
    this.dialAt = now + ceiling * (0.5 + this.parts.chance() / 2);
    this.parts.down(this, wasUp, { code, refused: REFUSED.includes(code), taken: code === SESSION_TAKEN_OVER, reason });
  }

  drop() {
    const client = this.client;
    this.client = null;
    this.up = false;
    this.dialAt = null;
    this.pingAt = this.pongBy = Infinity;
    this.asked = [];
    if (client === null) return;
    client.removeAllListeners?.();
    client.on("error", () => {});
    client.end(true);
  }

  /** Part in order, so that no will speaks. */
  part() {
    const client = this.client;
    this.client = null;
    this.up = false;
    this.dialAt = null;
    this.pingAt = this.pongBy = Infinity;
    this.asked = [];
    if (client === null) return Promise.resolve();
    client.removeAllListeners?.();
    client.on("error", () => {});
    return new Promise((done) => {
      const late = this.parts.clock.set(() => client.end(true, {}, () => done(undefined)), 1000);
      client.end(false, {}, () => {
        this.parts.clock.clear(late);
        done(undefined);
      });
    });
  }

  /** Ask the broker to vouch for all that was sent before; one question at a time. */
  ping() {
    if (this.up && this.asked.length === 0) this.client.sendPing();
  }

  /** A ping goes out, ours or mqtt.js's own: answers come in their order. */
  asking() {
    this.asked.push({ ...this.parts.sent(this) });
    this.pongBy = Math.min(this.pongBy, this.parts.now() + PONG_S);
  }

  pong() {
    const before = this.asked.shift();
    const now = this.parts.now();
    this.pongBy = this.asked.length > 0 ? now + PONG_S : Infinity;
    this.pingAt = now + PING_EVERY_S;
    if (before !== undefined) this.parts.vouched(this, before);
  }

  tick(now) {
    if (now >= this.pongBy) return this.fail(0, "no answer to a ping");
    if (now >= this.pingAt && this.up) {
      this.pingAt = now + PING_EVERY_S;
      this.ping();
    }
  }

  next() {
    return Math.min(this.dialAt ?? Infinity, this.pingAt, this.pongBy);
  }

  get waitingBytes() {
    return this.client?.stream?.socket?.bufferedAmount ?? 0;
  }
}

/**
 * Both of them. Control comes first: voice without a floor is nothing.
 * @typedef {object} LinkParts
 * @property {(url: string, options: object) => any} connect mqtt.js's
 * @property {() => number} now s, monotonic
 * @property {() => number} chance
 * @property {{set: (run: () => void, ms: number) => any, clear: (id: any) => void}} clock
 * @property {(connectionId: number[]) => object} will
 * @property {(message: object) => string} encode
 * @property {(connectionId: number[]) => void} up control is ready for use
 * @property {(why: {refused: boolean, taken: boolean, reason: string}, wasUp: boolean) => void} down control
 * @property {() => void} voice the voice connection came or went
 * @property {(name: string, payload: Uint8Array, retained: boolean) => void} message
 * @property {(burst: number, seq: number) => void} through voice up to there had reached the broker
 */
export class Link {
  /** @param {LinkParts} parts */
  constructor(parts) {
    this.parts = parts;
    this.count = 0;
    /** @type {import("./types.js").Credentials|null} */
    this.credentials = null;
    this.boot = 0;
    this.connectionId = [0, 0, 0];
    const shared = {
      connect: parts.connect,
      now: parts.now,
      chance: parts.chance,
      clock: parts.clock,
      message: (_, name, payload, retained) => parts.message(name, payload, retained),
      up: (one) => (one === this.control ? parts.up(this.connectionId) : parts.voice()),
      down: (one, wasUp, why) => this.went(one, wasUp, why),
      sent: (one) => (one === this.voice ? this.sent : {}),
      vouched: (_, { burst = 0, seq = 0 }) => burst !== 0 && parts.through(burst, seq),
    };
    this.control = new Connection(shared, "control");
    this.voice = new Connection(shared, "voice");
    /** The last voice frame written. */
    this.sent = { burst: 0, seq: 0 };
  }

  /** Connect with these from now on; what stands is dropped: the office has cut it already. @param {import("./types.js").Credentials} credentials */
  use(credentials) {
    this.credentials = credentials;
    this.boot = Math.max(credentials.boot, credentials.generation === this.connectionId[0] ? this.boot : 0);
    this.control.failures = this.voice.failures = 0;
    this.dialControl();
    this.dialVoice();
  }

  /** Make the connections to come newer than a dead one of this user; false where that is not ours to do. @param {number[]} dead */
  outdo(dead) {
    const [generation, boot] = dead;
    if (this.credentials === null || generation !== this.credentials.generation || boot >= Number.MAX_SAFE_INTEGER) return false;
    this.boot = Math.max(this.boot, boot + 1);
    this.control.fail(0, "connecting anew, above a newer connection known of this user");
    return true;
  }

  /** Dial no more, and let go of both at once. */
  stop() {
    this.control.drop();
    this.voice.drop();
  }

  /** Part in order. */
  async part() {
    await Promise.all([this.control.part(), this.voice.part()]);
  }

  /**
   * Publish on the control connection; false where it is down.
   * @param {string} kind @param {string[]} ids @param {object} message @param {() => void} [acked]
   */
  publish(kind, ids, message, acked = () => {}) {
    if (!this.control.up || this.credentials === null) return false;
    const client = this.control.client;
    const expiry = { FLOOR: FLOOR_MESSAGE_EXPIRY_S, FLOOR_AGAIN: FLOOR_MESSAGE_EXPIRY_S, COMMAND: COMMAND_EXPIRY_S }[kind];
    const options = { qos: 1, retain: kind === "PRESENCE", properties: expiry === undefined ? {} : { messageExpiryInterval: expiry } };
    client.publish(topic(this.credentials.office, kind, ...ids), this.parts.encode(message), options, (error) => {
      if (!error && client === this.control.client) acked();
    });
    return true;
  }

  /** Whether voice may be written now. */
  get takesVoice() {
    return this.voice.up && this.voice.waitingBytes < WAITING_BYTES_MAX;
  }

  /** @param {Uint8Array} frame @param {number} burst @param {number} seq */
  sendVoice(frame, burst, seq) {
    if (this.credentials === null || !this.voice.up) return;
    this.voice.client.publish(topic(this.credentials.office, "VOICE", this.credentials.user), frame, { qos: 0 });
    this.sent = { burst, seq };
    this.voice.ping();
  }

  /** @param {number} now */
  tick(now) {
    this.control.tick(now);
    this.voice.tick(now);
    if (this.control.dialAt !== null && now >= this.control.dialAt) this.dialControl();
    if (this.voice.dialAt !== null && now >= this.voice.dialAt) this.dialVoice();
  }

  next() {
    const at = Math.min(this.control.next(), this.voice.next());
    return Number.isFinite(at) ? at : null;
  }

  // --- inside -------------------------------------------------------------------------------------------------------

  dialControl() {
    const made = this.credentials;
    if (made === null) return;
    this.count += 1;
    this.connectionId = [made.generation, this.boot, this.count];
    const { office, user } = made;
    const qos1 = { qos: 1 };
    const subscriptions = {
      [topic(office, "SESSION")]: qos1,
      [topic(office, "REPLY", user)]: qos1,
      [topic(office, "PRESENCE", user)]: qos1,
      [topic(office, "ROSTER")]: qos1,
      [topic(office, "ALERT", "+", "+")]: qos1,
      [topic(office, "COMMAND_REPLY", "+")]: qos1,
    };
    const will = {
      topic: topic(office, "PRESENCE", user),
      payload: this.parts.encode(this.parts.will(this.connectionId)),
      qos: 1,
      retain: true,
      properties: { willDelayInterval: 0 },
    };
    const login = { clientId: made.login, username: made.login, password: made.secret };
    this.control.dial(made.url, { ...login, will }, subscriptions);
  }

  dialVoice() {
    const made = this.credentials;
    if (made === null) return;
    const login = { clientId: made.voice_login, username: made.voice_login, password: made.secret };
    const subscriptions = { [topic(made.office, "VOICE", "+")]: { qos: 0, nl: true } };
    this.voice.dial(made.url, { ...login, autoAssignTopicAlias: true }, subscriptions);
  }

  went(one, wasUp, why) {
    if (one === this.control) this.parts.down(why, wasUp);
    else this.parts.voice();
  }
}
