// @ts-check
// One press, releases on their way, the talk-time limit over several presses: gateway/core/{talk,releases,talk_limit}.py.
// Pure; times are monotonic seconds, as everywhere in the machine's parts.

import { FIRST_RENEW_S, LEASE_S, RELEASE_MIN_S, RELEASE_RETRANSMIT_S, RELEASE_TRIES_MAX } from "./timers.js";

const OPEN_MAX = 8;

/** @typedef {number[]} RequestId connection_id, then the number of the press */

/** Compare request or connection ids as the protocol does: from the left. @param {number[]} a @param {number[]} b */
export function order(a, b) {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const difference = (a[at] ?? -1) - (b[at] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Named deadlines of one machine. */
export class Timers {
  constructor() {
    /** @type {Map<string, number>} */
    this.due = new Map();
  }

  /** @param {string} name @param {number} at */
  set(name, at) {
    this.due.set(name, at);
  }

  /** Forget deadlines; all where none is named. @param {...string} names */
  stop(...names) {
    if (names.length === 0) this.due.clear();
    for (const name of names) this.due.delete(name);
  }

  /** @param {string} name */
  running(name) {
    return this.due.has(name);
  }

  /** @param {string} name @param {number} otherwise */
  at(name, otherwise) {
    return this.due.get(name) ?? otherwise;
  }

  /** The earliest, or null. */
  next() {
    return this.due.size === 0 ? null : Math.min(...this.due.values());
  }

  /** Take out and give the earliest deadline that has passed, or null; call until null. @param {number} now */
  expire(now) {
    let found = null;
    for (const [name, at] of this.due) {
      if (at > now) continue;
      if (found === null || at < found.at || (at === found.at && name < found.name)) found = { name, at };
    }
    if (found === null) return null;
    this.due.delete(found.name);
    return found.name;
  }
}

/** The record of one request and, once granted, of its burst. */
export class Talk {
  /** @param {RequestId} requestId @param {number} edgeAt @param {number} now @param {string} priority */
  constructor(requestId, edgeAt, now, priority) {
    this.requestId = requestId;
    this.edgeAt = edgeAt;
    this.askedAt = now;
    this.priority = priority;
    this.burst = 0;
    this.grantedRev = 0;
    this.durationS = 0;
    this.leaseS = LEASE_S;
    this.permitted = false;
    this.armed = false;
    /** @type {number|null} */
    this.limitAt = null;
    this.confirmed = false;
    this.spoke = false;
    this.renewNo = 0;
    /** @type {Map<number, number>} */
    this.sent = new Map();
    this.baseline = now;
    this.throughAt = now;
    /** @type {number|null} */
    this.throughSeq = null;
    /** @type {number|null} */
    this.lastSeq = null;
    this.draining = false;
    this.waited = false;
    this.position = 0;
    this.toldUnheard = false;
    this.ending = false;
  }

  /** Ask in this connection. The microphone's gate holds the same id, so it changes in place; nobody else knows it yet. @param {number[]} id */
  connected(id) {
    this.requestId.splice(0, id.length, ...id);
  }

  get pressNo() {
    return this.requestId[3];
  }

  /**
   * Until when the server cannot have given the floor to another, by what it answered so far: counted from when the
   * answered message was sent, so that a slow link shortens it and never lengthens it.
   */
  get leaseEnds() {
    return this.baseline + (this.confirmed ? this.leaseS : FIRST_RENEW_S);
  }

  /** Take an answered renewal; false for one never sent or older than what is answered already. @param {number} renewNo */
  renewed(renewNo) {
    const sentAt = this.sent.get(renewNo);
    if (sentAt === undefined) return false;
    this.baseline = sentAt;
    this.confirmed = true;
    for (const no of [...this.sent.keys()]) if (no <= renewNo) this.sent.delete(no);
    return true;
  }
}

/** Unacknowledged releases; each is sent again until it is answered, or the lease must long be over. */
export class Releases {
  /** @param {(message: object, again: boolean) => void} floor */
  constructor(floor) {
    this.floor = floor;
    /** @type {Map<string, {release: any, tries: number, at: number}>} */
    this.open = new Map();
  }

  /** @param {RequestId} requestId @param {number|null} burst @param {number|null} lastSeq @param {number} now */
  send(requestId, burst, lastSeq, now) {
    const release = { type: "floor_release", request_id: requestId, burst, last_seq: lastSeq };
    for (const [key, one] of [...this.open]) {
      if (one.release.burst === null && order(one.release.request_id, requestId) < 0) this.open.delete(key);
    }
    this.open.delete(requestId.join());
    while (this.open.size >= OPEN_MAX) this.open.delete(this.open.keys().next().value ?? "");
    this.open.set(requestId.join(), { release, tries: 1, at: now + RELEASE_RETRANSMIT_S });
    this.floor(release, false);
  }

  /** Forget an acknowledged one; false where none was open. @param {RequestId} requestId */
  acked(requestId) {
    return this.open.delete(requestId.join());
  }

  /** The server announced a burst over: its release needs no answer any more. @param {number} burst */
  burstOver(burst) {
    for (const [key, { release }] of [...this.open]) {
      if (release.burst !== null && release.burst <= burst) this.open.delete(key);
    }
  }

  /** @param {RequestId} requestId */
  has(requestId) {
    return this.open.has(requestId.join());
  }

  /** Send again what is due. A try counts also while the link is down. @param {number} now */
  tick(now) {
    for (const [key, one] of [...this.open]) {
      if (one.at > now) continue;
      if (one.tries >= RELEASE_TRIES_MAX) {
        this.open.delete(key);
        continue;
      }
      one.tries += 1;
      one.at = now + RELEASE_RETRANSMIT_S;
      this.floor(one.release, true);
    }
  }

  next() {
    return this.open.size === 0 ? null : Math.min(...[...this.open.values()].map((one) => one.at));
  }
}

/** A pause too short to be one gives nobody a new limit. */
export class TalkLimit {
  constructor() {
    this.upAt = -Infinity;
    /** @type {number|null} */
    this.limitAt = null;
    this.wasReached = false;
  }

  /** @param {number} at @param {number|null} limitAt when the talk that it ended would have come to its limit */
  letGo(at, limitAt) {
    this.upAt = at;
    this.limitAt = limitAt;
  }

  reached() {
    this.wasReached = true;
  }

  /** Take a press; false for one that comes too early after a limit. @param {number} edgeAt */
  counts(edgeAt) {
    if (this.wasReached && edgeAt - this.upAt < RELEASE_MIN_S) return false;
    this.wasReached = false;
    return true;
  }

  /** The limit that runs on in the talk of a press; null where it has one of its own. @param {number} edgeAt */
  runsOn(edgeAt) {
    return edgeAt - this.upAt < RELEASE_MIN_S ? this.limitAt : null;
  }
}
