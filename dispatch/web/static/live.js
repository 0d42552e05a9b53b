// A live page: shows a map of keyed values, and keeps it by the stream's changes. Text is only ever set as text.

import { board, clear, drop, members, nameOf, of, online, put, start } from "./board.js";
import { el, keep, setText, tag } from "./rows.js";

const { words, lang, zone, vehicle } = start;
const QUIET_MS = 30_000;
const ROWS_MAX = 500; // so many members are shown at once; more are found by a part of their name
let ahead = start.now - Date.now(); // the office's clock, as seen from this machine's
let cutSince = null;
let heardAt = performance.now();
let drawing = false;

const clock = new Intl.DateTimeFormat(lang, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(lang, { timeZone: zone, month: "numeric", day: "numeric" });
const whole = new Intl.DateTimeFormat("en-CA", { timeZone: zone });

const now = () => Date.now() + ahead;
const $ = (id) => document.getElementById(id);
const say = (key, fields = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(fields[name] ?? ""));

function moment(ms) {
  if (ms == null) return "–";
  const when = new Date(ms);
  const time = clock.format(when);
  return whole.format(when) === whole.format(new Date(now())) ? time : `${day.format(when)} ${time}`;
}

function elapsed(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

// --- parts ------------------------------------------------------------------------------------------------------------

function health(state) {
  const voice = state?.voice;
  if (!voice) return null;
  if (voice.worker !== "ok") return ["bad", say("health_worker", { value: voice.worker })];
  if (!voice.capture) return ["bad", say("health_capture")];
  if (!voice.playback) return ["bad", say("health_playback")];
  if (!voice.link) return ["warn", say("health_link")];
  return ["good", say("health_ok")];
}

function presence(user) {
  if (board.get(`user/${user}`)?.revoked) return ["bad", say("state_revoked")];
  const state = board.get(`member/${user}`)?.state;
  if (!state) return ["dim", say("state_never")];
  return [{ online: "good", sleeping: "dim", offline: "dim", lost: "warn" }[state] ?? "dim", say(`state_${state}`)];
}

function radio(user) {
  const floor = board.get("floor");
  const state = board.get(`state/${user}`);
  if (floor?.speaker === user) return ["talk", say("speaking")];
  if (state?.transmitter_muted) return ["bad", say("muted")];
  if (state?.keyed) return ["warn", say("keyed")];
  if (state?.focus === "phone" || state?.focus === "navigation") return ["warn", say(`focus_${state.focus}`)];
  return null;
}

function inChannel(user) {
  const member = board.get(`member/${user}`);
  const floor = board.get("floor");
  return member?.state === "online" && floor?.active && member.channel === floor.event_id;
}

function drawSession() {
  const floor = board.get("floor");
  const box = $("session");
  if (!box) return;
  if (!floor?.active) {
    keep(box, [["none", floor == null, () => el("p", { class: "none" }, say("session_none"))]]);
    return;
  }
  const name = floor.name ?? (floor.speaker ? nameOf(floor.speaker) : "");
  const head = floor.speaker ? say("session_speaks", { name }) : say("session_hangs");
  keep(box, [
    ["speaker", [head, floor.priority], () => el("p", { class: "speaker", "data-priority": floor.priority },
      floor.priority === "emergency" && floor.speaker ? `${say("emergency")}: ${head}` : head)],
    ["times", "", () => el("p", { class: "elapsed", "aria-live": "off" }, el("span", { id: "talked" }), " · ", el("span", { id: "session-time" }))],
  ]);
  drawTimes();
}

function drawTimes() {
  const floor = board.get("floor");
  if (!floor?.active) return;
  const since = board.get(`burst/${floor.burst}`)?.started_at ?? floor.since;
  setText($("talked"), floor.speaker ? elapsed(now() - since) : "–");
  setText($("session-time"), floor.started_at ? say("session_since", { elapsed: elapsed(now() - floor.started_at) }) : "");
}

function drawCards() {
  if (!$("card-sessions")) return;
  const floor = board.get("floor");
  const today = board.get("today");
  setText($("card-sessions"), floor ? String(floor.active ? 1 : 0) : "–");
  setText($("card-participants"), floor ? String(online().filter(([user]) => inChannel(user)).length) : "–");
  setText($("card-usage"), today ? say("figure_minutes", { value: today.usage_min }) : "–");
  setText($("card-average"), today ? (today.average_s == null ? "–" : say("figure_seconds", { value: today.average_s })) : "–");
}

/** Those whose name, or user, holds what is looked for: ROWS_MAX at most. */
function found(users) {
  const box = $("members-find");
  const many = users.length > ROWS_MAX;
  box.parentElement.hidden = !many;
  const wanted = many ? box.value.trim().toLocaleLowerCase(lang) : "";
  const matching = wanted ? users.filter((user) => user.includes(wanted) || nameOf(user).toLocaleLowerCase(lang).includes(wanted)) : users;
  const shown = matching.slice(0, ROWS_MAX);
  setText($("members-more"), many ? say("members_more", { shown: shown.length, all: matching.length }) : "");
  return shown;
}

function cell(look) {
  return el("td", {}, look ? tag(...look) : "");
}

const marks = new Map(); // user -> what its row was made of, and the row's mark and cells

function drawMembers(users) {
  const body = $("members");
  if (!body) return;
  setText($("members-count"), say("members_count", { online: online().length, all: users.length }));
  none("members", users.length === 0);
  const shown = found(users);
  const speaker = board.get("floor")?.speaker;
  const today = whole.format(new Date(now()));
  for (const user of marks.keys()) {
    if (!board.has(`user/${user}`) && !board.has(`member/${user}`)) marks.delete(user);
  }
  keep(body, shown.map((user) => {
    const made = [board.get(`user/${user}`), board.get(`member/${user}`), board.get(`state/${user}`), inChannel(user), speaker === user, today];
    let row = marks.get(user);
    if (!row || made.some((part, at) => part !== row.made[at])) {
      const member = made[1];
      const gone = member?.state !== "online";
      const said = [nameOf(user), presence(user), made[3], gone ? null : health(made[2]), radio(user), moment(member?.since), gone ? reasonOf(member) : null];
      row = { made, said, mark: JSON.stringify(said) };
      marks.set(user, row);
    }
    return [user, row.mark, () => memberRow(user, row.said)];
  }));
}

/** Why a member is not there; that a lost one has lost its connection is said already. */
function reasonOf(member) {
  const reason = member?.reason;
  return reason === "connection lost" ? null : words[`gone_${reason}`] ?? reason;
}

function memberRow(user, [name, state, joined, voice, doing, since, reason]) {
  const link = el("a", { href: `/vehicle/${encodeURIComponent(user)}` }, name);
  const shown = cell(state);
  if (reason) shown.append(" ", el("span", { class: "dim" }, reason));
  const channel = el("td", {}, joined ? tag("good", say("in_channel")) : "");
  return el("tr", {}, el("th", { scope: "row" }, link), shown, channel, cell(voice), cell(doing), el("td", { class: "number" }, since));
}

function none(name, empty) {
  const line = $(`${name}-none`);
  if (!line) return;
  line.hidden = !empty;
  setText(line, say(`${name}_none`));
}

/** A member's name with its page; what the office's own services raise has none. */
function whose(user) {
  if (!board.has(`user/${user}`)) return el("span", {}, user === "dispatch" ? say("members_office") : user);
  return el("a", { href: `/vehicle/${encodeURIComponent(user)}` }, nameOf(user));
}

/** What an alert says, in the page's language, with the very words that were told behind it; else those alone. */
function inWords(alert) {
  const said = words[`alert_what_${alert.alert}`];
  return said ? [`${said} `, el("span", { class: "dim" }, `(${alert.what})`)] : [alert.what];
}

function drawAlerts() {
  const found = of("alert").map(([key, alert]) => [key, alert]).filter(([, alert]) => !vehicle || alert.user === vehicle);
  found.sort(([, a], [, b]) => Number(b.severity === "critical") - Number(a.severity === "critical") || b.since - a.since);
  const rows = found.map(([key, alert]) => [key, [alert, nameOf(alert.user)], () => el("li", { "data-severity": alert.severity },
    el("strong", {}, say(`alert_${alert.severity}`)), " ",
    whose(alert.user), ": ", ...inWords(alert), " ",
    el("span", { class: "dim" }, moment(alert.since)), el("span", { class: "mend" }, words[`alert_mend_${alert.alert}`] || alert.mend))]);
  if (rows.length === 0) rows.push(["none", "", () => el("li", { class: "none" }, say("alerts_none"))]);
  keep($("alerts"), rows);
}

function drawBursts() {
  const found = of("burst").filter(([, burst]) => !vehicle || burst.user === vehicle).sort(([a], [b]) => Number(b) - Number(a));
  none("bursts", found.length === 0);
  keep($("bursts"), found.map(([number, burst]) => {
    const length = burst.started_at && burst.ended_at ? ((burst.ended_at - burst.started_at) / 1000).toFixed(1) : "";
    const said = [moment(burst.started_at ?? burst.ended_at), burst.name ?? nameOf(burst.user ?? ""), length, burst.ended ?? "", burst.heard_by, burst.heard_of, burst.priority];
    return [number, said, () => el("tr", {},
      el("td", { class: "number" }, said[0]),
      el("td", {}, said[1], burst.priority === "emergency" ? " " : null, burst.priority === "emergency" ? tag("bad", say("emergency")) : null),
      el("td", { class: "number" }, length && say("figure_seconds", { value: length })),
      el("td", {}, say(`ended_${said[3]}`)),
      el("td", { class: "number" }, burst.heard_by == null ? "" : say("heard", { by: burst.heard_by, of: burst.heard_of })))];
  }));
}

// --- one vehicle --------------------------------------------------------------------------------------------------------

function facts(id, rows) {
  const list = $(id);
  if (!list) return;
  const shown = rows.filter(([, value]) => value != null && value !== "");
  if (shown.length === 0) shown.push(["", say("not_known")]);
  keep(list, shown.flatMap(([key, value, look]) => [
    [`t-${key}`, "", () => el("dt", {}, key ? say(`k_${key}`) : "")],
    [`d-${key}`, [value, look], () => el("dd", look ? { class: look } : {}, value)],
  ]));
}

function target(ms) {
  if (ms == null) return [null];
  const met = ms <= start.target_ms;
  const said = say(met ? "target_met" : "target_missed", { target: `${start.target_ms} ms` });
  return [`${Math.round(ms)} ms · ${said}`, met ? "good" : "bad"];
}

function drawVehicle() {
  if (!vehicle) return;
  const member = board.get(`member/${vehicle}`);
  const state = board.get(`state/${vehicle}`);
  const info = board.get(`info/${vehicle}`);
  const measured = board.get(`telemetry/${vehicle}`);
  const [look, said] = presence(vehicle);
  const doing = radio(vehicle);
  const voice = member?.state === "online" ? health(state) : null;
  facts("v-state", [
    ["state", said, look], ["reason", member?.state === "online" ? null : reasonOf(member)],
    ["floor", state?.floor], ["last_press", state?.last_press], ["lifecycle", state && say(`life_${state.lifecycle}`)], ["focus", doing?.[1], doing?.[0]],
    ["voice", member ? member.voice.toUpperCase() : null], ["health", voice?.[1], voice?.[0]],
  ].map(([key, ...rest]) => [key, ...rest]));
  const supply = measured?.throttling;
  facts("v-telemetry", [
    ["at", measured && moment(measured.at)], ["uptime", measured && elapsed(measured.uptime_s * 1000)],
    ["temperature", measured?.temperature_c != null ? `${measured.temperature_c.toFixed(1)} °C` : null],
    ["supply", supply && say(supply.undervoltage ? "supply_low" : supply.undervoltage_since_boot ? "supply_was_low" : "supply_ok"), supply?.undervoltage ? "bad" : null],
    ["load", measured?.load_1min?.toFixed(2)], ["memory", measured?.memory_free_mb != null ? `${Math.round(measured.memory_free_mb)} MB` : null],
    ["disk", measured?.disk_free_mb != null ? `${Math.round(measured.disk_free_mb)} MB` : null],
    ["rtt", measured?.link?.rtt_ms != null ? `${measured.link.rtt_ms.toFixed(1)} ms` : null],
    ["reconnects", measured && String(measured.link.reconnects)], ["restarts", measured && String(measured.worker_restarts)],
  ]);
  const presses = measured?.presses;
  const refused = presses && Object.entries(presses.denied).map(([why, count]) => `${words[`why_${why}`] ?? why} ${count}`).join(", ");
  facts("v-presses", [
    ["presses", presses && String(presses.presses)], ["granted", presses && String(presses.granted)], ["refused", refused],
    ["p50", ...target(presses?.answer_ms_p50)], ["p99", ...target(presses?.answer_ms_p99)],
  ]);
  facts("v-info", [["version", info?.version], ["board", info?.board], ["capture", info?.capture], ["playback", info?.playback]]);
}

// --- the line -----------------------------------------------------------------------------------------------------------

function drawLine() {
  const link = board.get("link");
  const today = board.get("today");
  let text = say("line_up");
  if (cutSince != null) text = say("line_cut", { time: moment(cutSince) });
  else if (link && !link.up) text = say("broker_down", { time: moment(link.since), why: link.why });
  else if (today?.error) text = say("store_down", { time: moment(today.at), why: today.error });
  const line = $("line");
  line.dataset.state = cutSince == null && link?.up && !today?.error ? "up" : "down";
  setText(line, text);
}

function draw() {
  drawing = false;
  const users = vehicle ? [] : members();
  for (const part of [drawLine, drawCards, drawSession, drawAlerts, drawMembers, drawBursts, drawVehicle]) part(users);
}

function soon() {
  if (drawing) return;
  drawing = true;
  // A page nobody sees draws too, though rarely: it must be right when it is looked at again.
  if (document.hidden) setTimeout(draw, 1000);
  else requestAnimationFrame(draw);
}

function heard(said) {
  heardAt = performance.now();
  ahead = said.now - Date.now();
  if (cutSince != null) cutSince = null;
  if (said.whole) clear();
  for (const [key, value] of Object.entries(said.put)) put(key, value);
  for (const key of said.gone) drop(key);
  soon();
}

/** A stream that is refused is asked for again after this, doubled with each time. */
const AGAIN_MS = { least: 3000, most: 15_000 };
/** An answer that takes longer never comes. */
const ANSWER_MS = 10_000;
let source = null;
let at = start.at;
let refused = 0;
let again = null;

function cut() {
  if (cutSince == null) {
    cutSince = now();
    soon();
  }
}

function later() {
  const wait = Math.min(AGAIN_MS.most, AGAIN_MS.least * 2 ** Math.min(refused, 10));
  refused += 1;
  clearTimeout(again);
  again = setTimeout(() => source != null && connect(), wait * (0.5 + Math.random() / 2));
}

function connect() {
  clearTimeout(again);
  source?.close();
  heardAt = performance.now();
  const query = new URLSearchParams({ at });
  if (vehicle) query.set("vehicle", vehicle);
  const mine = new EventSource(`/live?${query}`);
  source = mine;
  const take = (event) => {
    at = event.lastEventId || at;
    refused = 0;
    heard(JSON.parse(event.data));
  };
  source.addEventListener("changes", take);
  source.addEventListener("beat", take);
  source.addEventListener("over", () => location.assign("/signin"));
  source.onerror = async () => {
    cut();
    if (mine.readyState !== EventSource.CLOSED) return; // it tries again by itself
    const answer = await fetch("/me", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
    if (answer?.status === 401) location.assign("/signin");
    else if (mine === source) later(); // else another one was opened, or nobody looks any more
  };
}

// Browsers keep six connections to a server: a page nobody looks at gives its own back, and takes up where it was.
const HIDDEN_MS = 60_000;
let hiding = null;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => {
      source?.close();
      source = null;
    }, HIDDEN_MS);
  } else if (source == null) connect();
  else soon();
});

setInterval(() => {
  drawTimes();
  if (source == null) return;
  if (performance.now() - heardAt > QUIET_MS) { // a line that is open and silent is cut
    cut();
    connect();
  }
}, 500);

$("members-find")?.addEventListener("input", soon);
draw();
connect();
