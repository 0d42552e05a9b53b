// What the console's parts say to each other: JSDoc types only, nothing runs here.
//
// console.js (the engine: protocol, floor, who may be heard) uses a microphone and a speaker that the page gives it,
// and shows what it knows as a `View`. All moments are ms of the engine's clock (`now()`, performance.now() in a
// page) unless a name ends in `_at` or says wall time. Names with `_` come from the wire, all others from here.

/**
 * One Opus packet of the microphone.
 * @typedef {object} MicFrame
 * @property {Uint8Array} opus one packet (mono, 20 ms, at most 1275 bytes); empty on a bare last frame alone
 * @property {number} captureMs ms from the press's first kept sample to this packet's first; rises, and counts on over hold()
 * @property {boolean} last the press's last one: exactly one after stop(), none after drop()
 */

/**
 * Why there is no sound to be had.
 * @typedef {"denied"|"missing"|"lost"|"unsupported"|"failed"} SoundFault
 * denied: people or browser said no; missing: no such device; lost: it went away; unsupported: the browser has no
 * Opus coder; failed: anything else
 */

/**
 * The microphone, as the engine uses it. One press at a time: start() begins a new one and forgets the one before.
 * @typedef {object} Mic
 * @property {(press: {pressAt: number, onFrame: (frame: MicFrame) => void, onFault: (why: SoundFault) => void}) => void} start
 *   Keep speech from `pressAt` on (pre-roll: at most PRE_ROLL_S of it, the oldest goes). Nothing is given out yet.
 *   Never throws and never waits: what goes wrong is said by onFault, at most once, later than start() returns.
 * @property {(burst: number) => void} open
 *   The floor is surely ours: give out what is kept, oldest first and at once, then each packet as it fills.
 *   Behind a hold() only what is captured from now on. Of a burst that is open already: nothing changes.
 * @property {() => void} hold
 *   It is not sure any more: drop what is kept and what is captured, until open().
 * @property {() => void} stop
 *   The button is up: capture ends now; give out what is left and then, within 250 ms, the frame with `last`.
 *   While on hold: a bare last frame at once. Only called behind open().
 * @property {() => void} drop
 *   Forget this press: no onFrame and no onFault of it comes any more.
 */

/**
 * What the speaker played of a burst that ended, as the office counts it.
 * @typedef {object} Played
 * @property {number} frames frames that sounded as they were sent
 * @property {number} concealed frames that were missing and made up, or came and did not sound
 */

/**
 * A frame that may be heard.
 * @typedef {object} SpeakerFrame
 * @property {string} user who speaks
 * @property {number} burst
 * @property {number} seq number in the burst, from 0; may come twice
 * @property {number} captureMs ms from the burst's first sample
 * @property {number} flags LAST 1, HANDOVER 2 (frames.js)
 * @property {Uint8Array} opus empty on a bare last frame
 */

/**
 * The speaker, as the engine uses it. The engine opens at most one burst at a time, besides one that still drains.
 * @typedef {object} Speaker
 * @property {(what: {user: string, burst: number, onHeard: (first: {atMs: number, errorMs: number}) => void,
 *   onPlayed: (played: Played) => void}) => void} open
 *   A burst may be heard from now on. onHeard: when its first sample is at the loudspeaker (it may be called a little
 *   before), and how wrong that can be; not called where that is not known, or it made no sound. onPlayed is called
 *   exactly once, when nothing of it sounds any more, and onHeard never behind it.
 * @property {(frame: SpeakerFrame) => void} frame
 *   A frame of a burst that was opened and not cut off; the engine gives no others.
 * @property {(burst: number, how: {drain: boolean, lastSeq: number|null}) => void} close
 *   drain: play on up to `lastSeq` (null: to what is there); what is missing is waited for DRAIN_S, what is there by
 *   then is heard, TAIL_HEARD_S at most. Else silent at once. Of an unknown or closed burst: nothing (but a close
 *   without drain cuts one that drains).
 * @property {(on: boolean) => void} hush
 *   While on nothing sounds (the own microphone is open): what would have sounded counts as concealed.
 */

/**
 * What `POST /console/login` answers.
 * @typedef {object} Credentials
 * @property {string} url wss://host:port/mqtt
 * @property {string} login client id and user name of the control connection
 * @property {string} voice_login the same for the voice connection
 * @property {string} secret
 * @property {number} [now] the office's clock as it answers, wall ms
 * @property {number} expires_at wall ms
 * @property {number} issue
 * @property {{region: string, office: string, name: string}} office
 * @property {string} user
 * @property {string} name
 * @property {number} generation
 * @property {number} boot
 * @property {"normal"|"high"|"emergency"} priority_max
 * @property {boolean} [listen_only] the office denies this user every press
 * @property {number} talk_limit_s
 * @property {boolean} queue
 * @property {"mqtt"|"agora"} voice
 * @property {number} uid
 */

/**
 * The connection to the office.
 * @typedef {"connecting"|"up"|"lost"|"refused"|"closed"} LinkState
 * lost: it was up, or an attempt failed, and is tried again by itself; refused: the broker does not let this console
 * in, or no credentials were to be had (`error` says why); closed: close() was called, or another console took over
 */

/**
 * The floor, as this console sees it.
 * @typedef {"idle"|"asking"|"queued"|"talking"|"unheard"|"ending"|"denied"|"revoked"|"failed"} FloorState
 * asking: pressed, no answer yet; talking: heard; unheard: the floor is held, but not surely: nobody hears this
 * until it is again talking; ending: the button is up, the last words leave; denied, revoked, failed: how the press
 * that is still down ended (told again in `said`); it goes back to idle when the button is let go.
 */

/**
 * One thing said to the dispatcher; `no` rises with each, so that the same word twice is two.
 * @typedef {object} Said
 * @property {number} no
 * @property {string} what a word of schemas.js TOLD, e.g. "granted", "denied", "limit near"
 * @property {string|null} name who speaks, where the word tells of somebody
 * @property {number|null} remaining_s at most
 * @property {number|null} count the queue's position
 */

/**
 * All that the page shows. A new, frozen object with every change.
 * @typedef {object} View
 * @property {LinkState} link
 * @property {boolean} voiceLink the voice connection is up
 * @property {FloorState} floor
 * @property {number|null} remaining_ms talking: ms to the limit at the moment of this view
 * @property {boolean} limitNear the limit is near
 * @property {number|null} position the queue's position
 * @property {{user: string, name: string, mine: boolean, priority: string, burst: number}|null} speaker who holds the floor
 * @property {boolean} hearing another one's burst may be heard now
 * @property {boolean} sessionActive
 * @property {{cause: string, speaker: string|null, speaker_name: string|null, remaining_s: number|null, priority: string}|null} deny
 *   of the last press, until the next
 * @property {{by: number, of: number}|null} heard who heard the own last burst; null until the office has counted
 * @property {{user: string, name: string, state: string, app_type: string, in_channel: boolean}[]} members by name
 * @property {{user: string, name: string, since: number, what: string}[]} emergencies since: wall ms
 * @property {{what: string, ok: boolean|null, by: string}|null} cleared answer to the last clearEmergency(); ok null: none yet
 * @property {{since: number|null}|null} elsewhere another console of this user has taken over
 * @property {{what: string, text: string}|null} error what: credentials, refused, expired, mic
 * @property {SoundFault|null} micFault of the last press that had none
 * @property {Said|null} said the last thing said
 * @property {{state: "off"|"joining"|"joined"|"lost"|"refused", why: string}|null} agora null: this office's voice is MQTT
 * @property {Record<string, number>} counts dropped: malformed, misplaced, discarded, frames, ...
 */

/**
 * A second way for voice beside MQTT's frames (agora.js).
 * @typedef {object} VoicePath
 * @property {() => void} start make ready, once
 * @property {(said: {eventId: string|null, speaker: {burst: number, user: string, uid: number}|null}) => void} session
 *   every announcement: which session runs, and which burst of another may be heard
 * @property {(on: boolean) => void} hush while on nothing sounds (the own microphone keeps or gives speech), nor counts as heard
 * @property {(on: boolean) => void} talk the microphone is open for an own burst, surely; or not any more
 * @property {(frame: {burst: number, handover: boolean}) => void} frame one of the announced burst came over MQTT
 * @property {(burst: number) => void} asked another member's ASK
 * @property {(burst: number) => number} framesOf frames' worth of what this way alone brought of a burst
 * @property {() => void} close
 */

/**
 * What it tells the engine.
 * @typedef {object} VoicePathTold
 * @property {(burst: number) => void} ask publish an ASK frame
 * @property {(eventId: string|null) => void} joined the session whose channel it is in
 * @property {(state: "off"|"joining"|"joined"|"lost"|"refused", why: string) => void} changed
 */

/**
 * What a Console is made of; all but credentials, mic, speaker and on have a page's own as default.
 * @typedef {object} ConsoleOptions
 * @property {() => Promise<Credentials>} credentials fetches new ones; rejects with {what: "signed_out"|"refused"|"unreachable", text}
 * @property {() => Promise<{issue: number, valid: boolean, since?: number}>} [state] GET /console/state; asked when the broker refuses
 * @property {Mic} mic
 * @property {Speaker} speaker
 * @property {(told: VoicePathTold) => VoicePath} [voicePath] a second way for voice, where the office's voice is Agora
 * @property {(view: View) => void} on called with every change, never inside a method of the console
 * @property {() => number} [now] ms, monotonic
 * @property {() => number} [wall] Unix ms
 * @property {() => number} [chance] 0 up to 1
 * @property {(url: string, options: object) => any} [connect] mqtt.js's
 * @property {{set: (run: () => void, ms: number) => any, clear: (id: any) => void}} [clock] setTimeout and clearTimeout
 */

// The engine: `new Console(options)` with
//   start()                    connect; later calls after `elsewhere` mean "use here"
//   press(priority = "normal") the button or key went down; a second press while it is down is ignored
//   release()                  it went up; harmless where nothing is held
//   clearEmergency(user)       ask the vehicle to take its emergency down
//   view                       the newest View
//   close()                    give back what is held, say good-bye, part; a Promise that resolves when that is done

export {};
