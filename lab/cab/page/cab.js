// The page: buttons go to the vehicles' pins, and what the pins do is shown, shaken and sounded.
import { Sound } from "./sound.js";
import { LANGS, text } from "./texts.js";

const AGAIN_MS = 1000;
const TROUBLE_MS = 8000;
const VIBRATE_MS = 5000;
const ACTIVE_BUZZER_HZ = 2300; // one that is only switched has a tone of its own

const $ = (id) => document.getElementById(id);
const cars = new Map();
let lang = "ko";
let socket = null;
let hello = null;
let sound = null;
let used = "";

// --- fingers -----------------------------------------------------------------------------------------------------------
const held = new Set(); // "user signal" of what a finger, a key or a switch holds here
const switched = new Set(); // those of them that stay by themselves

const send = (message) => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
};

function press(user, signal) {
  const key = `${user} ${signal}`;
  if (held.has(key)) return;
  held.add(key);
  used = user;
  send({ type: "press", car: user, signal });
}

// Told even where nothing is known to be held: the other end knows better, and a button must never stay down.
function release(user, signal) {
  const key = `${user} ${signal}`;
  held.delete(key);
  switched.delete(key);
  send({ type: "release", car: user, signal });
}

function letGo() {
  for (const key of [...held]) if (!switched.has(key)) release(...key.split(" "));
}

// The other end has let them go: this page was cut off, or silent for too long.
function forgotten() {
  held.clear();
  switched.clear();
}

function holdable(button, user) {
  const { signal } = button.dataset;
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    press(user, signal);
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(kind, () => release(user, signal));
  }
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

function latching(button, user) {
  const { signal } = button.dataset;
  button.addEventListener("click", () => {
    const key = `${user} ${signal}`;
    if (held.has(key)) {
      release(user, signal);
    } else {
      press(user, signal);
      switched.add(key);
    }
  });
}

// What a key presses: a vehicle and its input.
function keyed({ code, target }) {
  if ($("start").open) return null;
  const number = /^(?:Digit|Numpad)([1-9])$/.exec(code);
  if (number) {
    const user = [...cars.keys()][number[1] - 1];
    return user && !target.closest?.("select") ? [user, "ptt"] : null;
  }
  if (code !== "Space" && code !== "Enter") return null;
  const button = target.closest?.(".ptt, .hold");
  if (button) return [button.closest(".car").id, button.dataset.signal];
  return code === "Space" && !target.closest?.("button, select, input") ? [used, "ptt"] : null;
}

const keys = new Map(); // what each key that is down presses: it goes up with the key, wherever that comes up

document.addEventListener("keydown", (event) => {
  const pressed = keyed(event);
  if (!pressed || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (event.repeat) return;
  keys.set(event.code, pressed);
  press(...pressed);
});
document.addEventListener("keyup", (event) => {
  const pressed = keys.get(event.code);
  if (keys.delete(event.code)) release(...pressed);
});
window.addEventListener("blur", letGo);
window.addEventListener("pagehide", letGo);
document.addEventListener("visibilitychange", () => document.hidden && letGo());

// --- what the vehicles do ----------------------------------------------------------------------------------------------
const COLOURS = { "000": "off", "100": "red", "010": "green", "001": "blue", "110": "amber", "111": "white", "101": "magenta", "011": "cyan" };

function lit(car) {
  const levels = ["led_red", "led_green", "led_blue"].map((signal) => car.levels[signal] ?? 0);
  const name = COLOURS[levels.map((level) => (level > 0 ? 1 : 0)).join("")];
  const [red, green, blue] = levels.map((level) => Math.round(255 * Math.sqrt(level)));
  const led = car.at(".led");
  const amber = name === "amber" ? Math.round(green * 0.7) : green;
  led.dataset.colour = name;
  led.setAttribute("aria-label", name);
  led.style.background = name === "off" ? "" : `rgb(${red} ${amber} ${blue})`;
  led.style.boxShadow = name === "off" ? "" : `0 0 22px 5px rgb(${red} ${amber} ${blue} / .75)`;
}

let vibrating = false; // this very device: a telephone has a motor
function shaken(car, level) {
  car.root.style.setProperty("--shake", `${(2 + 5 * level).toFixed(1)}px`);
  car.root.dataset.motor = level > 0 ? "on" : "off";
  const some = [...cars.values()].some((each) => each.levels.motor > 0);
  if (some === vibrating || !navigator.userActivation?.hasBeenActive) return;
  vibrating = some;
  navigator.vibrate?.(some ? VIBRATE_MS : 0);
}

function moved({ car: user, signal, level, hz = 0 }) {
  const car = cars.get(user);
  if (!car) return;
  car.levels[signal] = level;
  if (signal.startsWith("led_")) lit(car);
  else if (signal === "motor") shaken(car, level);
  else if (signal === "buzzer") {
    const pitch = level > 0 ? hz || ACTIVE_BUZZER_HZ : 0;
    car.at(".lamp.buzzer").dataset.hz = pitch;
    sound?.buzz(user, pitch);
  }
  const lamp = car.at(`.lamp.${signal}`);
  if (lamp) lamp.dataset.on = level > 0 ? "yes" : "no";
  const button = car.at(`button[data-signal="${signal}"]`);
  button?.setAttribute("aria-pressed", String(level > 0));
}

function told(status) {
  const car = cars.get(status.car);
  if (!car) return;
  car.status = status;
  const { alive, link, asleep, focus = "", speaker = "", speaks, answer } = status;
  car.root.dataset.alive = alive ? "yes" : "no";
  car.root.dataset.focus = focus;
  car.at(".unit").textContent = text(lang, !alive ? "unit_gone" : asleep ? "unit_asleep" : link ? "unit_up" : "unit_no_link");
  car.at(".speaker").textContent = speaks
    ? text(lang, "own")
    : speaker ? text(lang, "speaks", { name: speaker }) : text(lang, "nobody");
  car.at(".answer").textContent = status.press_no
    ? text(lang, "newest", { number: status.press_no, answer: hello.answers[answer]?.[lang] || answer || "…" })
    : "";
}

function heard(data) {
  const place = new Uint8Array(data, 0, 1)[0];
  const user = hello?.cars[place]?.user;
  if (user && sound) sound.play(user, new Int16Array(data.slice(2)));
}

function drawLevels() {
  for (const [user, car] of cars) {
    const level = sound ? sound.level(user) : -60;
    car.at(".vu").value = level;
  }
  requestAnimationFrame(drawLevels);
}

// --- the page itself ---------------------------------------------------------------------------------------------------
function furnish(one, place) {
  const root = $("car").content.firstElementChild.cloneNode(true);
  root.id = one.user;
  const at = (selector) => root.querySelector(selector);
  const car = { root, at, levels: {}, status: null, place };
  cars.set(one.user, car);
  at("h2").textContent = one.name;
  at("kbd").textContent = String(place + 1);
  for (const button of root.querySelectorAll("button[data-signal]")) {
    button.hidden = !one.inputs.includes(button.dataset.signal);
    (button.classList.contains("latch") ? latching : holdable)(button, one.user);
  }
  at(".listen").addEventListener("change", (event) => sound?.listen(one.user, event.target.checked));
  at(".sentence").addEventListener("change", (event) => {
    send({ type: "choose", car: one.user, sentence: event.target.value });
  });
  $("cars").append(root);
}

function translate() {
  document.documentElement.lang = lang;
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = text(lang, each.dataset.text);
  $("lang").textContent = text(lang, "other_lang");
  for (const [user, car] of cars) {
    for (const each of car.root.querySelectorAll("[data-text]")) each.textContent = text(lang, each.dataset.text);
    car.at(".ptt").textContent = text(lang, "ptt");
    const select = car.at(".sentence");
    const chosen = select.value || hello.cars.find((one) => one.user === user).sentence;
    select.replaceChildren(...hello.sentences.map((each) => new Option(each[lang], each.key)));
    select.value = chosen;
    if (car.status) told(car.status);
  }
  linked(socket?.readyState === WebSocket.OPEN);
}

function linked(up) {
  $("link").textContent = text(lang, up ? "connected" : "lost");
  $("link").classList.toggle("lost", !up);
}

function greeted(message) {
  const first = hello === null;
  hello = message;
  if (first) {
    lang = message.lang;
    message.cars.forEach(furnish);
    used = message.cars[0].user;
    setInterval(() => send({ type: "beat" }), 1000 * message.beat_s);
    requestAnimationFrame(drawLevels);
  }
  for (const one of message.cars) {
    cars.get(one.user).at(".sentence").value = one.sentence;
    for (const [signal, level] of Object.entries(one.levels)) moved({ car: one.user, signal, level });
  }
  translate();
  if (first) $("start").showModal();
}

function chosen({ car: user, sentence }) {
  cars.get(user).at(".sentence").value = sentence;
}

let troubled = 0;
function trouble({ text: why }) {
  $("trouble").textContent = why;
  $("trouble").hidden = false;
  clearTimeout(troubled);
  troubled = setTimeout(() => { $("trouble").hidden = true; }, TROUBLE_MS);
}

const TAKE = { hello: greeted, pin: moved, status: told, chosen, trouble, "let-go": forgotten };

function connect() {
  socket = new WebSocket(`ws://${location.host}/ws`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return heard(data);
    const message = JSON.parse(data);
    TAKE[message.type](message);
  };
  socket.onclose = () => {
    forgotten();
    for (const [user, car] of cars) {
      for (const signal of Object.keys(car.levels)) moved({ car: user, signal, level: 0 });
    }
    linked(false);
    setTimeout(connect, AGAIN_MS);
  };
}

$("lang").addEventListener("click", () => {
  lang = LANGS[1 - LANGS.indexOf(lang)];
  translate();
});
$("begin").addEventListener("click", async () => {
  $("start").close();
  sound = new Sound(hello.rate_hz, hello.cars.map((one) => one.user));
  try {
    await sound.begin();
  } catch (error) {
    trouble({ text: String(error) });
  }
});
$("start").addEventListener("cancel", (event) => event.preventDefault());
connect();
