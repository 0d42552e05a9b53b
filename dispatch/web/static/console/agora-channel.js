// @ts-check
// One office's channel at Agora, by its Web SDK (agora-rtc-sdk-ng): what is wanted is told, what is so follows.
//
// Every call of the SDK is made here and one at a time, so that a join that takes long never meets the leave behind it.
// Nothing here decides who may speak or who is heard. Checked against the package's own types; never tried against the cloud.

/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTC} IAgoraRTC */
/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTCClient} IAgoraRTCClient */
/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTCRemoteUser} IAgoraRTCRemoteUser */
/** @typedef {import("agora-rtc-sdk-ng").ILocalAudioTrack} ILocalAudioTrack */
/** @typedef {import("agora-rtc-sdk-ng").IRemoteAudioTrack} IRemoteAudioTrack */
/** @typedef {import("agora-rtc-sdk-ng").ConnectionState} ConnectionState */

/**
 * What `POST /console/token` answers; `at` is when it came, ms of our clock.
 * @typedef {{app_id: string, channel: string, uid: number, token: string, publisher: boolean, expires_in_s: number, sdk: string, at: number}} Token
 */
/** @typedef {"off"|"joining"|"joined"|"lost"|"refused"} ChannelState refused: not tried again in this session */

/** A join that takes longer failed. */
export const JOIN_MS = 10_000;
/** So long any other call of the SDK may take. */
const CALL_MS = 5000;
const RETRY_MS = { least: 1000, most: 15_000 };
/** A token is not used for its last part, but for a short-lived one's: the SDK warns 30 s before its end. */
const TOKEN_REST = { ms: 60_000, part: 0.2 };
/** Ends that another try would only meet again. */
const FINAL = new Set(["UID_BANNED", "IP_BANNED", "CHANNEL_BANNED", "UID_CONFLICT", "INVALID_PARAMS", "NOT_SUPPORTED"]);
/** Errors behind which the token is not used again. */
const TOKEN_ERRORS = new Set(["TOKEN_EXPIRE", "DYNAMIC_KEY_EXPIRED", "DYNAMIC_KEY_TIMEOUT", "INVALID_TOKEN", "CAN_NOT_GET_GATEWAY_SERVER"]);

export class AgoraChannel {
  /**
   * @param {object} parts
   * @param {(token: Token) => Promise<IAgoraRTC>} parts.load the SDK
   * @param {() => Promise<Omit<Token, "at">>} parts.token a new token; rejects with {text, final}
   * @param {() => MediaStreamTrack|null} parts.mic the microphone's track
   * @param {(state: ChannelState, why: string) => void} parts.changed
   * @param {() => number} parts.now
   * @param {{set: (run: () => void, ms: number) => any, clear: (id: any) => void}} parts.clock
   */
  constructor({ load, token, mic, changed, now, clock }) {
    this.load = load;
    this.fetchToken = token;
    this.mic = mic;
    this.changed = changed;
    this.now = now;
    this.clock = clock;
    this.want = { joined: false, talk: false, uid: 0 };
    /** @type {ChannelState} */
    this.state = "off";
    this.why = "";
    /** @type {Token|null} */
    this.token = null;
    /** @type {IAgoraRTC|null} */
    this.sdk = null;
    /** @type {IAgoraRTCClient|null} */
    this.client = null;
    this.connected = false;
    /** @type {string|null} why the connection that stands is to be given up */
    this.broken = null;
    /** @type {ILocalAudioTrack|null} */
    this.published = null;
    /** @type {MediaStreamTrack|null} */
    this.voice = null;
    this.speechFailed = false;
    this.host = false;
    /** @type {{uid: number, track: IRemoteAudioTrack}|null} */
    this.heard = null;
    this.aloud = false;
    this.percent = 100;
    this.renewing = false;
    this.running = false;
    this.again = false;
    this.failures = 0;
    /** @type {any} */
    this.timer = null;
  }

  /** Fetch SDK and token ahead, so that a join waits for neither. Never throws. */
  async warm() {
    try {
      const token = await this.goodToken();
      this.sdk = await this.load(token);
    } catch (error) {
      if (!this.want.joined) this.say("refused", words(error));
    }
  }

  /** Be in the channel, or leave it. What was refused is tried again by the next join alone. @param {boolean} on */
  join(on) {
    if (on === this.want.joined) return;
    this.want.joined = on;
    if (on && this.state === "refused") this.say("off", "");
    this.failures = 0;
    this.clock.clear(this.timer);
    this.timer = null;
    this.follow();
  }

  /** Let what the microphone hears out, or not: off is at once, whatever the SDK is doing. @param {boolean} on */
  talk(on) {
    this.want.talk = on;
    this.speechFailed &&= on;
    if (this.voice) this.voice.enabled = on;
    this.follow();
  }

  /** Take this uid's sound; 0: nobody's. It sounds while `loud`. @param {number} uid @param {boolean} loud */
  hear(uid, loud) {
    this.want.uid = uid;
    this.aloud = loud;
    this.sound();
    if (this.heard?.uid !== uid || (uid !== 0 && !this.heard)) this.follow();
  }

  /** How loud it sounds. @param {number} percent */
  volume(percent) {
    this.percent = percent;
    this.heard?.track.setVolume(percent);
  }

  /** Whether somebody's sound comes in: 0 to 1; null where no track is there. */
  get level() {
    return this.heard && this.heard.uid === this.want.uid ? this.heard.track.getVolumeLevel() : null;
  }

  /** Whether that sound is being played. */
  get sounding() {
    return this.heard?.track.isPlaying === true;
  }

  // --- what is so follows what is wanted --------------------------------------------------------------------------------

  follow() {
    this.again = true;
    if (!this.running) this.run();
  }

  async run() {
    this.running = true;
    while (this.again) {
      this.again = false;
      try {
        await this.step();
      } catch (error) {
        await this.failed(error);
      }
    }
    this.running = false;
  }

  async step() {
    if (!this.want.joined) {
      if (this.client) await this.part(this.state === "refused" ? "refused" : "off", this.why);
      else if (this.state !== "off" && this.state !== "refused") this.say("off", "");
      return;
    }
    const broken = this.broken;
    this.broken = null;
    if (broken !== null && this.client) throw { code: broken };
    if (this.state === "refused" || this.timer !== null) return;
    if (!this.client) await this.enter();
    if (this.again || !this.client || !this.connected) return;
    if (this.renewing) await this.renew(this.client);
    await this.speak(this.client);
    await this.listen(this.client);
  }

  async enter() {
    this.say("joining", "");
    const token = await this.goodToken();
    this.sdk ??= await this.load(token);
    if (!this.want.joined) return this.follow();
    const client = this.sdk.createClient({ mode: "live", codec: "vp8" });
    this.client = client;
    this.watch(client);
    await this.within(client.setClientRole("audience"), CALL_MS);
    await this.within(client.join(token.app_id, token.channel, token.token, token.uid), JOIN_MS);
    this.connected = this.broken === null;
    this.failures = 0;
    if (this.connected) this.say("joined", "");
    this.follow();
  }

  /** @param {IAgoraRTCClient} client */
  watch(client) {
    const ours = (/** @type {() => void} */ run) => {
      if (client === this.client) run();
    };
    client.on("connection-state-change", (state, _before, reason) => ours(() => this.turned(state, reason ?? "")));
    client.on("user-published", (_user, kind) => ours(() => kind === "audio" && this.follow()));
    client.on("user-unpublished", (user, kind) =>
      ours(() => {
        if (kind !== "audio" || this.heard?.uid !== Number(user.uid)) return;
        this.silence();
        this.follow();
      }),
    );
    client.on("token-privilege-will-expire", () => ours(() => this.expires()));
    client.on("token-privilege-did-expire", () => ours(() => this.broke("TOKEN_EXPIRE")));
  }

  /** @param {ConnectionState} state @param {string} reason */
  turned(state, reason) {
    if (state === "CONNECTED" && this.state === "lost") {
      this.connected = true;
      this.say("joined", "");
      this.follow();
    } else if (state === "RECONNECTING") {
      this.connected = false;
      this.say("lost", "NETWORK_ERROR");
    } else if (state === "DISCONNECTED" && reason !== "LEAVE" && this.connected) {
      this.broke(reason || "NETWORK_ERROR");
    } else if (state === "DISCONNECTED" && FINAL.has(reason)) {
      this.broke(reason);
    }
  }

  /** @param {string} why */
  broke(why) {
    this.connected = false;
    this.broken = why;
    this.follow();
  }

  expires() {
    this.renewing = true;
    this.follow();
  }

  /** @param {IAgoraRTCClient} client */
  async renew(client) {
    this.renewing = false;
    this.token = null;
    const token = await this.goodToken();
    if (client === this.client && this.want.joined) await this.within(client.renewToken(token.token), CALL_MS);
  }

  // --- speech -----------------------------------------------------------------------------------------------------------

  /** @param {IAgoraRTCClient} client */
  async speak(client) {
    if (!this.want.talk) return this.hush(client);
    const track = this.published || this.speechFailed || !this.token?.publisher ? null : this.mic();
    const { sdk } = this;
    if (!track || !sdk) return;
    try {
      this.host = true; // whatever comes of it: it is taken back
      await this.within(client.setClientRole("host"), CALL_MS);
      this.voice = track.clone();
      this.voice.enabled = this.want.talk;
      this.published = sdk.createCustomAudioTrack({ mediaStreamTrack: this.voice, encoderConfig: "speech_standard" });
      await this.within(client.publish(this.published), CALL_MS);
    } catch (error) {
      this.speechFailed = true; // what is said goes over MQTT in any case: the connection is not given up for it
      this.say(this.state, code(error));
      await this.hush(client);
    }
  }

  /** @param {IAgoraRTCClient} client */
  async hush(client) {
    if (!this.host) return;
    this.host = false;
    const track = this.published;
    this.published = null;
    this.voice?.stop();
    this.voice = null;
    track?.close();
    if (track) await this.within(client.unpublish(track), CALL_MS).catch(() => undefined); // it may never have been published
    await this.within(client.setClientRole("audience"), CALL_MS).catch(() => undefined);
  }

  // --- hearing ----------------------------------------------------------------------------------------------------------

  /** @param {IAgoraRTCClient} client */
  async listen(client) {
    const uid = this.want.uid;
    if (this.heard && this.heard.uid !== uid) {
      const old = this.heard.uid;
      this.silence();
      await this.within(client.unsubscribe(old, "audio"), CALL_MS).catch(() => undefined); // who left is not subscribed to any more
    }
    if (uid === 0 || this.heard) return;
    const user = client.remoteUsers.find((each) => Number(each.uid) === uid && each.hasAudio);
    if (!user) return; // user-published follows
    const track = await this.within(client.subscribe(user, "audio"), CALL_MS).catch(() => null); // unpublished meanwhile
    if (!track || client !== this.client) return;
    this.heard = { uid, track };
    track.setVolume(this.percent);
    this.sound();
    if (this.want.uid !== uid) this.follow();
  }

  sound() {
    const { heard } = this;
    if (!heard) return;
    const on = this.aloud && heard.uid === this.want.uid;
    if (on && !heard.track.isPlaying) heard.track.play();
    if (!on && heard.track.isPlaying) heard.track.stop();
  }

  silence() {
    if (this.heard?.track.isPlaying) this.heard.track.stop();
    this.heard = null;
  }

  // --- ends -------------------------------------------------------------------------------------------------------------

  /** @param {any} error */
  async failed(error) {
    const why = code(error);
    if (TOKEN_ERRORS.has(why)) this.token = null;
    const final = FINAL.has(why) || error?.final === true;
    const wanted = this.want.joined;
    await this.part(final ? "refused" : wanted ? "lost" : "off", final || wanted ? words(error) : "");
    if (final || !this.want.joined) return;
    const wait = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** this.failures);
    this.failures += 1;
    this.timer = this.clock.set(() => {
      this.timer = null;
      this.follow();
    }, wait);
  }

  /** @param {ChannelState} state @param {string} why */
  async part(state, why) {
    const client = this.client;
    this.client = null;
    this.connected = this.renewing = this.host = false;
    this.broken = null;
    this.silence();
    this.voice?.stop();
    this.voice = null;
    this.published?.close();
    this.published = null;
    this.say(state, why);
    if (client) await this.within(client.leave(), CALL_MS).catch(() => undefined); // never joined, or gone already
  }

  async goodToken() {
    const held = this.token;
    if (held && this.now() < held.at + lasts(held)) return held;
    const at = this.now();
    const token = { ...(await this.fetchToken()), at };
    this.token = token;
    return token;
  }

  /** @template T @param {Promise<T>} work @param {number} ms @returns {Promise<T>} */
  within(work, ms) {
    return new Promise((resolve, reject) => {
      const timer = this.clock.set(() => reject({ code: "TIMEOUT" }), ms);
      work.then(resolve, reject).finally(() => this.clock.clear(timer));
    });
  }

  /** @param {ChannelState} state @param {string} why */
  say(state, why) {
    if (state === this.state && why === this.why) return;
    this.state = state;
    this.why = why;
    this.changed(state, why);
  }
}

/** How long a token is used, ms. @param {Token} token */
function lasts(token) {
  const life = token.expires_in_s * 1000;
  return life - Math.min(TOKEN_REST.ms, life * TOKEN_REST.part);
}

/** @param {any} error */
function code(error) {
  return String(error?.code ?? error?.message ?? error);
}

/** @param {any} error */
function words(error) {
  return String(error?.text || code(error));
}
