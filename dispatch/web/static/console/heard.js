// @ts-check
// When a burst was heard here, by the office's clock, and how long its channel took to join (docs/adr/0024): what
// `burst_played` tells besides its counts (gateway/core/played.py). Pure; monotonic seconds.

const KEPT_MAX = 8;
const MS_MAX = 3_600_000;

export class Heard {
  /** @param {import("./traces.js").ServerClock} clock the office's, as far as it is known */
  constructor(clock) {
    this.clock = clock;
    /** @type {Map<number, {at: number, errorMs: number}>} */
    this.first = new Map();
    /** @type {string|null} the session that runs */
    this.eventId = null;
    /** @type {{eventId: string, burst: number, at: number, tookMs: number|null}|null} burst 0: joined in a pause */
    this.joining = null;
  }

  /** The first sample of a burst was at the loudspeaker. @param {number} burst @param {number} at @param {number} errorMs */
  sounded(burst, at, errorMs) {
    this.first.set(burst, { at, errorMs });
    while (this.first.size > KEPT_MAX) this.first.delete(this.first.keys().next().value ?? 0);
  }

  /**
   * A channel is to be joined for this session, because of this burst where there is one.
   * @param {string|null} eventId null: none runs @param {number} burst @param {number} now
   */
  announced(eventId, burst, now) {
    if (eventId !== null && this.eventId === null) this.joining = { eventId, burst, at: now, tookMs: null };
    this.eventId = eventId;
  }

  /** The channel of a session is joined; its first time counts. @param {string|null} eventId @param {number} now */
  joined(eventId, now) {
    const { joining } = this;
    if (joining?.eventId === eventId && joining.tookMs === null) joining.tookMs = within((now - joining.at) * 1000);
  }

  /** What is told of a burst, once; null: not measured. @param {number} burst */
  of(burst) {
    const first = this.first.get(burst);
    this.first.delete(burst);
    const known = first === undefined ? null : this.clock.at(first.at);
    const ours = this.joining?.burst === burst ? this.joining : null;
    if (ours !== null) this.joining = null;
    return {
      heard_at: known === null ? null : known.ms,
      heard_error_ms: known === null || first === undefined ? null : within(known.errorMs + first.errorMs),
      join_ms: ours === null ? null : ours.tookMs,
    };
  }
}

/** @param {number} ms */
function within(ms) {
  return Math.min(MS_MAX, Math.max(0, Math.round(ms)));
}
