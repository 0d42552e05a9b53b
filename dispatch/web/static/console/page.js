// The console's page: joins the engine with microphone, loudspeaker, what is held, and what is shown.

import { AgoraVoice, fetchToken } from "./agora.js";
import { Audio } from "./audio.js";
import { Console } from "./console.js";
import { takeTalks } from "./facts.js";
import mqtt from "../vendor/mqtt.esm.js";
import { Hold } from "./hold.js";
import { Microphone } from "./mic.js";
import { Tones } from "./sounds.js";
import { Loudspeaker } from "./speaker.js";
import { Shown } from "./shown.js";

const start = JSON.parse(document.getElementById("start")?.textContent ?? "{}");
const $ = (id) => /** @type {any} */ (document.getElementById(id));
const TICK_MS = 200;
/** A microphone that starts so much later than the button is not of its edge: the press waited for the last talk's tail. */
const EDGE_MS = 400;
const BURSTS_SHOWN = 8;
const METER_DB = 60;
/** Digital silence, so many tenths of a second long: muted at the headset or in the system. */
const SILENT_PEAK = 0.0002;
const SILENT_LEVELS = 15;
/** An answer that takes longer never comes: a line that swallows everything is asked anew. */
const ANSWER_MS = 15_000;
/** Between two looks so long: the machine slept, or the page stood still. Whatever was held is then doubtful. */
const STILL_MS = 3000;
/** The dashboard's stream says something every 10 s: where it does not, it is opened anew. */
const QUIET_MS = 30_000;

// --- what the dispatcher has chosen, kept in this browser ---------------------------------------------------------------

const KEPT = `ptt-console-${start.user}`;
const chosen = { key: "Space", volume: 100, headset: false, clean: false, ...kept() };

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {}; // a browser that keeps nothing: the defaults
  }
}

function choose(change) {
  Object.assign(chosen, change);
  try {
    localStorage.setItem(KEPT, JSON.stringify(chosen));
  } catch {
    // kept as long as the page lives
  }
}

// --- sound --------------------------------------------------------------------------------------------------------------

const audio = new Audio(() => {
  speaker.attach();
  mic.soundChanged();
  soundChanged();
});
const mic = new Microphone(audio, { changed: () => soundChanged(), level: (peak) => showLevel(peak), cleanUp: chosen.clean });
const speaker = new Loudspeaker(audio, { sounding: (on) => ($("speaker").dataset.sounding = String(on)), volume: loudness(chosen.volume) });
const tones = new Tones(audio);

/** What the slider says as gain: an ear hears in decibels. @param {number} percent */
function loudness(percent) {
  return (percent / 100) ** 2;
}

const SOUNDS = {
  granted: "granted", "turn came": "granted", "limit near": "limit", queued: "queued", "not heard": "limit", "heard again": "granted",
  denied: "denied", "queue full": "denied", "emergency going on": "denied", "office full": "denied", refused: "denied", "not allowed": "denied",
  "not admitted": "denied", "no connection": "denied", "no answer": "denied", "no microphone": "denied", "no voice": "denied", "nobody there": "denied", "let go": "denied",
  "limit reached": "cut", preempted: "cut", revoked: "cut", "floor lost": "cut", "link lost": "cut", emergency: "emergency",
};

function tone(what) {
  const name = SOUNDS[what];
  if (name && (chosen.headset || !mic.capturing)) tones.sound(name, speaker.level);
}

let silent = 0;

/** The meter, in decibels as an ear hears; and whether a microphone that is held to speak gives nothing at all. */
function showLevel(peak) {
  $("level").value = Math.max(0, 1 + (20 * Math.log10(peak + 1e-9)) / METER_DB);
  silent = mic.capturing && peak < SILENT_PEAK ? silent + 1 : 0;
  if (silent === SILENT_LEVELS) shown.trouble("silent", shown.say("mic_silent"));
  else if (peak >= SILENT_PEAK) shown.trouble("silent", "");
}

function soundChanged() {
  $("level").dataset.microphone = mic.ready ? "ready" : (mic.fault ?? "off");
  shown.sounds = { audio: audio.state, failure: audio.failure, mic: mic.fault };
  shown.draw();
}

// --- the engine ---------------------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(what, text) {
    super(text);
    this.what = what;
    this.text = text;
  }
}

async function ask(path, options) {
  const how = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS), ...options };
  const answer = await fetch(path, /** @type {RequestInit} */ (how)).catch(() => null);
  if (!answer || answer.status >= 500 || answer.status === 429) throw new Refused("unreachable", (await problem(answer)) || shown.say("no_answer"));
  if (answer.type === "opaqueredirect" || answer.status === 401) throw new Refused("signed_out", "signed_out");
  if (!answer.ok) throw new Refused("refused", (await problem(answer)) || String(answer.status));
  return answer.json();
}

async function problem(answer) {
  const said = await answer?.json().catch(() => null);
  return said?.detail ?? said?.title ?? "";
}

const csrf = document.querySelector("#console-csrf [name=csrf]")?.getAttribute("value") ?? "";
/** @type {AgoraVoice|null} */
let agora = null;

const credentials = async () => {
  const body = new URLSearchParams({ csrf });
  const found = await ask("/console/login", { method: "POST", body });
  shown.name = found.office.name || `${found.office.region}.${found.office.office}`;
  shown.listens = found.listen_only === true;
  limitPriorities(found.priority_max);
  return found;
};

const shown = new Shown(start, {
  clear: (user) => engine.clearEmergency(user),
  here: () => engine.start(),
  sound: () => audio.start(),
  microphone: () => mic.prepare(),
});
let told = 0;
/** When the button went down and up: a busy page hears of it later; the first syllable is said by then, and what is said
 * behind the release is nobody's business. */
let pressedAt = 0;
let releasedAt = 0;
let emergencies = new Set();

const engine = new Console({
  connect: mqtt.connect,
  credentials,
  state: () => ask("/console/state", {}),
  mic: {
    start: (press) => mic.start({ ...press, pressAt: press.pressAt - pressedAt < EDGE_MS ? Math.min(pressedAt, press.pressAt) : press.pressAt }),
    open: (burst) => mic.open(burst),
    hold: () => mic.hold(),
    stop: () => mic.stop(hold.held ? performance.now() : releasedAt), // held: the limit ends it
    drop: () => mic.drop(),
  },
  voicePath: (told) => {
    agora = new AgoraVoice({ ...told, token: () => fetchToken(csrf), mic: () => mic.track });
    agora.volume(chosen.volume);
    return agora;
  },
  speaker: { open: (what) => speaker.open(what), frame: (frame) => speaker.frame(frame), close: (burst, how) => speaker.close(burst, how), hush: (on) => speaker.hush(on) },
  on: (view) => {
    shown.take(view);
    if (view.said && view.said.no !== told) {
      told = view.said.no;
      shown.tell(view.said);
      tone(view.said.what);
    }
    const now = new Set(view.emergencies.map(({ user }) => user));
    if ([...now].some((user) => !emergencies.has(user))) tone("emergency");
    emergencies = now;
  },
});

function limitPriorities(most) {
  const high = document.querySelector('[name="priority"][value="high"]');
  if (!(high instanceof HTMLInputElement)) return;
  high.disabled = most === "normal";
  if (high.disabled && high.checked) /** @type {any} */ (document.querySelector('[name="priority"][value="normal"]')).checked = true;
}

// --- what is held -------------------------------------------------------------------------------------------------------

const hold = new Hold($("ptt"), {
  press: (at) => {
    if (!begun) return;
    pressedAt = at;
    if (!chosen.headset) tones.stop();
    if (audio.state === "suspended") audio.start();
    const high = document.querySelector('[name="priority"][value="high"]:checked') != null;
    engine.press(high ? "high" : "normal");
  },
  release: (_why, at) => {
    releasedAt = at;
    engine.release();
    // Priority is for one call: nobody goes on pre-empting others by forgetting it.
    /** @type {any} */ (document.querySelector('[name="priority"][value="normal"]')).checked = true;
  },
});
let begun = false;

async function begin() {
  if (begun) return;
  begun = true;
  $("off").hidden = true;
  $("on").hidden = false;
  $("ptt").focus();
  await audio.start();
  speaker.attach();
  engine.start(); // one hears while the browser still asks about the microphone
  await mic.prepare();
}

// --- the controls -------------------------------------------------------------------------------------------------------

function showKey() {
  hold.key = chosen.key;
  const name = $("key").querySelector(`option[value="${CSS.escape(chosen.key)}"]`)?.textContent ?? chosen.key;
  $("ptt-key").textContent = chosen.key ? shown.say("ptt_key", { key: name }) : shown.say("ptt_no_key");
}

function showVolume() {
  speaker.volume(loudness(chosen.volume));
  agora?.volume(chosen.volume);
  $("volume-said").textContent = chosen.volume ? `${chosen.volume} %` : shown.say("volume_zero");
}

$("begin").onclick = () => begin();
$("volume").value = chosen.volume;
$("volume").oninput = () => {
  choose({ volume: Number($("volume").value) });
  showVolume();
};
$("key").value = chosen.key;
$("key").onchange = () => {
  hold.letGo("key");
  choose({ key: $("key").value });
  showKey();
  if (begun) $("ptt").focus();
};
for (const name of ["headset", "clean"]) {
  $(name).checked = chosen[name];
  $(name).onchange = () => {
    choose({ [name]: $(name).checked });
    if (name === "clean") mic.clean(chosen.clean);
  };
}
document.addEventListener("visibilitychange", () => mic.enable(!document.hidden));
addEventListener("pagehide", () => engine.close());
addEventListener("pageshow", (event) => event.persisted && begun && engine.start());

// --- the office's last talks, as the dashboard tells them ---------------------------------------------------------------

const talks = new Map();
/** @type {EventSource|null} */
let stream = null;
let heardAt = 0;

function takeChanges({ data }) {
  const said = JSON.parse(data);
  heardAt = performance.now();
  takeTalks(talks, said);
  shown.bursts = [...talks].sort(([a], [b]) => b - a).slice(0, BURSTS_SHOWN).map(([no, burst]) => ({ no, ...burst }));
  shown.drawBursts();
}

function follow() {
  stream?.close();
  heardAt = performance.now();
  stream = new EventSource("/live");
  for (const name of ["changes", "beat"]) stream.addEventListener(name, takeChanges);
  stream.addEventListener("over", () => location.assign("/signin"));
}

let lookedAt = Date.now(); // of day: the page's own clock may stand still while the machine sleeps

/** A machine that slept may never tell that the key went up. */
function lookForSleep() {
  const before = lookedAt;
  lookedAt = Date.now();
  if (lookedAt - before > STILL_MS) hold.letGo("stood still");
}

setInterval(() => {
  lookForSleep();
  shown.tick();
  if (performance.now() - heardAt > QUIET_MS) follow();
}, TICK_MS);
follow();

showKey();
showVolume();
shown.draw();
shown.drawBursts();
document.body.dataset.console = "ready";
