// @ts-check
// Agora's Web SDK as far as the console uses it, without a cloud. tsc holds every member to the package's own types.

/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTC} IAgoraRTC */
/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTCClient} IAgoraRTCClient */
/** @typedef {import("agora-rtc-sdk-ng").IAgoraRTCRemoteUser} IAgoraRTCRemoteUser */
/** @typedef {import("agora-rtc-sdk-ng").ILocalAudioTrack} ILocalAudioTrack */
/** @typedef {import("agora-rtc-sdk-ng").IRemoteAudioTrack} IRemoteAudioTrack */
/** @typedef {"setClientRole"|"join"|"leave"|"publish"|"unpublish"|"subscribe"|"unsubscribe"|"renewToken"|"remoteUsers"} Used */
/** @typedef {Pick<IAgoraRTC, "createClient"|"createCustomAudioTrack"|"setLogLevel"|"disableLogUpload"|"checkSystemRequirements">} Sdk */

/** The microphone's track, or a clone of it. */
export class FakeMic {
  constructor() {
    this.enabled = true;
    this.stopped = false;
    /** @type {FakeMic[]} */
    this.clones = [];
  }

  clone() {
    const made = new FakeMic();
    made.enabled = this.enabled;
    this.clones.push(made);
    return made;
  }

  stop() {
    this.stopped = true;
  }
}

/** @implements {Pick<IRemoteAudioTrack, "play"|"stop"|"isPlaying"|"getVolumeLevel"|"setVolume">} */
export class FakeRemote {
  isPlaying = false;
  volume = 0.5;
  percent = 0;

  /** @param {number} percent */
  setVolume(percent) {
    this.percent = percent;
  }

  play() {
    this.isPlaying = true;
  }

  stop() {
    this.isPlaying = false;
  }

  getVolumeLevel() {
    return this.volume;
  }
}

/** @implements {Pick<IAgoraRTCClient, Used>} */
export class FakeClient {
  /** @param {FakeSdk} sdk @param {import("agora-rtc-sdk-ng").ClientConfig} config */
  constructor(sdk, config) {
    this.sdk = sdk;
    this.config = config;
    /** @type {Map<string, Function>} */
    this.handlers = new Map();
    /** @type {IAgoraRTCRemoteUser[]} */
    this.remoteUsers = [];
    /** @type {Map<number, FakeRemote>} */
    this.tracks = new Map();
    /** @type {Set<number>} */
    this.subscribed = new Set();
    this.role = "";
    this.joined = false;
    /** @type {object[]} */
    this.published = [];
    this.on = /** @type {IAgoraRTCClient["on"]} */ ((/** @type {string} */ event, /** @type {Function} */ run) => {
      this.handlers.set(event, run);
    });
    this.publish = /** @type {IAgoraRTCClient["publish"]} */ (
      async (/** @type {any} */ track) => {
        await this.call("publish");
        this.published.push(track);
      }
    );
    this.unpublish = /** @type {IAgoraRTCClient["unpublish"]} */ (
      async (/** @type {any} */ track) => {
        await this.call("unpublish");
        this.published = this.published.filter((each) => each !== track);
      }
    );
    this.subscribe = /** @type {IAgoraRTCClient["subscribe"]} */ (
      async (/** @type {any} */ user) => {
        await this.call("subscribe", user.uid);
        this.subscribed.add(user.uid);
        return /** @type {any} */ (this.tracks.get(user.uid));
      }
    );
  }

  /** @type {IAgoraRTCClient["setClientRole"]} */
  async setClientRole(role) {
    await this.call("setClientRole", role);
    this.role = role;
  }

  /** @type {IAgoraRTCClient["join"]} */
  async join(appId, channel, token, uid) {
    await this.call("join", appId, channel, token, uid);
    this.joined = true;
    return /** @type {number} */ (uid);
  }

  /** @type {IAgoraRTCClient["leave"]} */
  async leave() {
    await this.call("leave");
    this.joined = false;
  }

  /** @type {IAgoraRTCClient["unsubscribe"]} */
  async unsubscribe(user) {
    await this.call("unsubscribe", user);
    this.subscribed.delete(/** @type {number} */ (user));
  }

  /** @type {IAgoraRTCClient["renewToken"]} */
  async renewToken(token) {
    await this.call("renewToken", token);
  }

  // --- what a test does -------------------------------------------------------------------------------------------------

  /** Say that something happened. @param {string} event @param {unknown[]} said */
  fire(event, ...said) {
    this.handlers.get(event)?.(...said);
  }

  /** Somebody publishes. @param {number} uid */
  speaks(uid) {
    const track = this.tracks.get(uid) ?? new FakeRemote();
    this.tracks.set(uid, track);
    const user = { uid, hasAudio: true, hasVideo: false };
    this.remoteUsers = [...this.remoteUsers.filter((each) => each.uid !== uid), user];
    this.fire("user-published", user, "audio");
    return track;
  }

  /** Somebody unpublishes. @param {number} uid */
  falls(uid) {
    this.remoteUsers = this.remoteUsers.filter((each) => each.uid !== uid);
    this.fire("user-unpublished", { uid, hasAudio: false, hasVideo: false }, "audio");
  }

  /** @param {string} name @param {unknown[]} more */
  async call(name, ...more) {
    this.sdk.calls.push([name, ...more].join(" "));
    const held = this.sdk.held.get(name);
    if (held) await held;
    const error = this.sdk.errors.get(name);
    if (error) throw { code: error };
  }
}

/** @implements {Sdk} */
export class FakeSdk {
  constructor() {
    /** @type {FakeClient[]} */
    this.clients = [];
    /** @type {string[]} */
    this.calls = [];
    /** What a call is refused with. @type {Map<string, string>} */
    this.errors = new Map();
    /** What a call waits for. @type {Map<string, Promise<void>>} */
    this.held = new Map();
  }

  /** @type {IAgoraRTC["createClient"]} */
  createClient(config) {
    const made = new FakeClient(this, config);
    this.clients.push(made);
    return /** @type {any} */ (made);
  }

  /** @type {IAgoraRTC["createCustomAudioTrack"]} */
  createCustomAudioTrack(config) {
    return /** @type {any} */ ({ config, closed: false, close() { this.closed = true; } }); // prettier-ignore
  }

  /** @type {IAgoraRTC["setLogLevel"]} */
  setLogLevel() {}

  /** @type {IAgoraRTC["disableLogUpload"]} */
  disableLogUpload() {}

  checkSystemRequirements() {
    return true;
  }

  /** The client made last. */
  get client() {
    return this.clients[this.clients.length - 1];
  }
}
