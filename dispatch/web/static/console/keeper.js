// @ts-check
// The console's credentials: fetched, renewed while nobody talks, and what it means when the broker refuses them.

/** Credentials are good for an hour. From here on they are renewed in a moment when nobody talks... */
const RENEW_FROM_S = 45 * 60;
/** ...and here at the latest, unless the own key is held. */
const RENEW_BY_S = 58 * 60;
const LOOK_EVERY_S = 5;
const FIRST_WAIT_S = 0.5;
const WAIT_S_MAX = 15;
/** Refused so often with credentials that are said to be valid: new ones are fetched. */
const REFUSALS_MAX = 4;

export class Keeper {
  /**
   * @param {{credentials: () => Promise<import("./types.js").Credentials>,
   *   state: (() => Promise<{issue: number, valid: boolean, since?: number}>)|null,
   *   now: () => number, chance: () => number, busy: () => ""|"mine"|"others",
   *   use: (credentials: import("./types.js").Credentials) => void, ended: () => void, again: () => void}} parts
   *   use: connect with these; ended: nothing is tried any more (`elsewhere`, `error`); again: it failed, and next() has changed
   */
  constructor(parts) {
    this.parts = parts;
    /** @type {import("./types.js").Credentials|null} */
    this.credentials = null;
    /** @type {{since: number|null}|null} */
    this.elsewhere = null;
    /** @type {{what: string, text: string}|null} */
    this.error = null;
    this.fetchedAt = 0;
    /** @type {number|null} */
    this.fetchAt = null;
    this.failures = 0;
    this.refusals = 0;
    this.running = false;
    /** Raised where what is under way is worth nothing any more. */
    this.turn = 0;
    this.asking = false;
    /** New ones are on their way: the office cuts off what stands. */
    this.fetching = false;
    this.lookAt = Infinity;
    /** Valid ones are being replaced, until both connections stand with the new ones: a press waits for that. */
    this.renewing = false;
  }

  /** Fetch credentials now: the page asks for it. */
  start() {
    this.running = true;
    this.elsewhere = this.error = null;
    this.failures = this.refusals = 0;
    this.fetch();
  }

  stop() {
    this.running = false;
    this.turn += 1;
    this.asking = this.fetching = this.renewing = false;
    this.fetchAt = null;
    this.lookAt = Infinity;
  }

  /** The broker let the console in. */
  worked() {
    this.refusals = 0;
    this.error = null;
  }

  /** A connection came up, `both` stand now; or one went. @param {boolean} up @param {boolean} both */
  linked(up, both) {
    if (!this.fetching && (both || !up)) this.renewing = false;
  }

  /** The broker does not let the console in, or (`taken`) gave its place to another connection. @param {boolean} taken */
  refused(taken) {
    if (!this.running || this.asking || this.fetching) return;
    this.refusals += 1;
    if (this.parts.state === null) return this.refusals < REFUSALS_MAX ? undefined : this.fetch();
    return this.ask(this.parts.state, taken);
  }

  /** The connection ended without a word: a broker that gave its place to another console need not say so. */
  cut() {
    if (this.running && !this.asking && !this.fetching && this.parts.state !== null) this.ask(this.parts.state, false);
  }

  /** @param {NonNullable<import("./types.js").ConsoleOptions["state"]>} state @param {boolean} taken */
  ask(state, taken) {
    this.asking = true;
    const turn = this.turn;
    state().then(
      (told) => turn === this.turn && this.judge(told, taken),
      (error) => turn === this.turn && this.unknown(error),
    );
  }

  /** The broker retains a newer console of this user that is online. @param {number|null} since wall ms */
  takenOver(since) {
    if (!this.running) return;
    this.stop();
    this.elsewhere = { since };
    this.parts.ended();
  }

  /** @param {number} now */
  tick(now) {
    if (!this.running) return;
    if (this.fetchAt !== null && now >= this.fetchAt) this.fetch();
    if (now < this.lookAt) return;
    this.lookAt = now + LOOK_EVERY_S;
    const age = now - this.fetchedAt;
    const busy = this.parts.busy();
    if (age < RENEW_FROM_S || !(busy === "" || (age >= RENEW_BY_S && busy === "others"))) return;
    this.renewing = true;
    this.fetch();
  }

  next() {
    const at = Math.min(this.fetchAt ?? Infinity, this.lookAt);
    return Number.isFinite(at) ? at : null;
  }

  // --- inside -------------------------------------------------------------------------------------------------------

  judge(state, taken) {
    this.asking = false;
    const mine = this.credentials?.issue ?? 0;
    if (state.issue > mine) return this.takenOver(state.since ?? null);
    if (!state.valid) return this.fetch();
    if (taken || this.refusals >= REFUSALS_MAX) return this.fetch();
    return undefined; // the office knows these, the broker not yet: the link dials again by itself
  }

  unknown(error) {
    this.asking = false;
    if (error?.what === "signed_out") this.giveUp(error);
  }

  fetch() {
    this.fetchAt = null;
    this.lookAt = Infinity;
    this.turn += 1;
    this.asking = false;
    this.fetching = true;
    const turn = this.turn;
    this.parts.credentials().then(
      (credentials) => turn === this.turn && this.got(credentials),
      (error) => turn === this.turn && this.failed(error),
    );
  }

  got(credentials) {
    const now = this.parts.now();
    this.fetching = false;
    this.credentials = credentials;
    this.fetchedAt = now;
    this.failures = this.refusals = 0;
    this.error = null;
    this.lookAt = now + RENEW_FROM_S;
    this.parts.use(credentials);
  }

  failed(error) {
    this.fetching = this.renewing = false;
    if (error?.what === "signed_out" || error?.what === "refused") return this.giveUp(error);
    const wait = Math.min(WAIT_S_MAX, FIRST_WAIT_S * 2 ** Math.min(this.failures, 10));
    this.failures += 1;
    this.error = { what: "credentials", text: String(error?.text ?? error?.message ?? "") };
    this.fetchAt = this.parts.now() + wait * (0.5 + this.parts.chance() / 2);
    return this.parts.again();
  }

  giveUp(error) {
    this.stop();
    this.error = { what: error.what === "signed_out" ? "expired" : "refused", text: String(error.text ?? "") };
    this.parts.ended();
  }
}
