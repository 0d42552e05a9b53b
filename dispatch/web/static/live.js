// A live page: shows a map of keyed values, and keeps it by the stream's changes. Text is only ever set as text.

const start = JSON.parse(document.getElementById("start").textContent);
const { words, lang, zone, vehicle } = start;
const QUIET_MS = 30_000;
const board = new Map(Object.entries(start.put));
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

function el(name, attributes = {}, ...parts) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value != null) made.setAttribute(key, value);
  }
  made.append(...parts.filter((part) => part != null));
  return made;
}

const tag = (look, text) => el("span", { class: `tag ${look}` }, text);
const of = (kind) => [...board].filter(([key]) => key.startsWith(`${kind}/`)).map(([key, value]) => [key.slice(kind.length + 1), value]);
const nameOf = (user) => board.get(`user/${user}`)?.name ?? board.get(`member/${user}`)?.name ?? user;

// --- rows that are only touched where they changed ----------------------------------------------------------------------

function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/** Keep the children of `parent` equal to `rows`: [key, said, make]; a row is made anew only where `said` changed. */
function keep(parent, rows) {
  if (!parent) return;
  const held = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const [key, said, make] of rows) {
    const mark = JSON.stringify(said);
    let row = held.get(key);
    held.delete(key);
    if (!row || row.dataset.mark !== mark) {
      const fresh = make();
      fresh.dataset.key = key;
      fresh.dataset.mark = mark;
      if (row) {
        const focused = row.contains(document.activeElement);
        row.replaceWith(fresh);
        if (at === row) at = fresh;
        if (focused) fresh.querySelector("a,button")?.focus();
      }
      row = fresh;
    }
    if (row === at) at = at.nextElementSibling;
    else parent.insertBefore(row, at);
  }
  for (const row of held.values()) row.remove();
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
  const since = of("burst").find(([number]) => Number(number) === floor.burst)?.[1].started_at ?? floor.since;
  setText($("talked"), floor.speaker ? elapsed(now() - since) : "–");
  setText($("session-time"), floor.started_at ? say("session_since", { elapsed: elapsed(now() - floor.started_at) }) : "");
}

function drawCards() {
  if (!$("card-sessions")) return;
  const floor = board.get("floor");
  const today = board.get("today");
  const users = members();
  setText($("card-sessions"), floor ? String(floor.active ? 1 : 0) : "–");
  setText($("card-participants"), floor ? String(users.filter(inChannel).length) : "–");
  setText($("card-usage"), today ? say("figure_minutes", { value: today.usage_min }) : "–");
  setText($("card-average"), today ? (today.average_s == null ? "–" : say("figure_seconds", { value: today.average_s })) : "–");
}

function members() {
  const known = new Set([...of("user").map(([user]) => user), ...of("member").filter(([, m]) => m.app !== "monitor").map(([user]) => user)]);
  const rank = (user) => ({ online: 0, lost: 1, sleeping: 2, offline: 3 })[board.get(`member/${user}`)?.state] ?? 4;
  return [...known].sort((a, b) => rank(a) - rank(b) || nameOf(a).localeCompare(nameOf(b), lang, { numeric: true }));
}

function cell(look) {
  return el("td", {}, look ? tag(...look) : "");
}

function drawMembers() {
  const body = $("members");
  if (!body) return;
  const users = members();
  const online = users.filter((user) => board.get(`member/${user}`)?.state === "online").length;
  setText($("members-count"), say("members_count", { online, all: users.length }));
  none("members", users.length === 0);
  keep(body, users.map((user) => {
    const member = board.get(`member/${user}`);
    const gone = member?.state !== "online";
    const said = [nameOf(user), presence(user), inChannel(user), gone ? null : health(board.get(`state/${user}`)), radio(user), moment(member?.since), member?.reason];
    return [user, said, () => {
      const link = el("a", { href: `/vehicle/${encodeURIComponent(user)}` }, said[0]);
      const state = cell(said[1]);
      if (gone && said[6]) state.append(" ", el("span", { class: "dim" }, said[6]));
      const channel = el("td", {}, said[2] ? tag("good", say("in_channel")) : "");
      return el("tr", {}, el("th", { scope: "row" }, link), state, channel, cell(said[3]), cell(said[4]), el("td", { class: "number" }, said[5]));
    }];
  }));
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

function drawAlerts() {
  const found = of("alert").map(([key, alert]) => [key, alert]).filter(([, alert]) => !vehicle || alert.user === vehicle);
  found.sort(([, a], [, b]) => Number(b.severity === "critical") - Number(a.severity === "critical") || b.since - a.since);
  const rows = found.map(([key, alert]) => [key, [alert, nameOf(alert.user)], () => el("li", { "data-severity": alert.severity },
    el("strong", {}, say(`alert_${alert.severity}`)), " ",
    whose(alert.user), `: ${alert.what} `,
    el("span", { class: "dim" }, moment(alert.since)), el("span", { class: "mend" }, alert.mend))]);
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
    ["state", said, look], ["reason", member?.state === "online" ? null : member?.reason],
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
  for (const part of [drawLine, drawCards, drawSession, drawAlerts, drawMembers, drawBursts, drawVehicle]) part();
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
  if (said.whole) board.clear();
  for (const [key, value] of Object.entries(said.put)) board.set(key, value);
  for (const key of said.gone) board.delete(key);
  soon();
}

let source = null;
let at = start.at;

function cut() {
  if (cutSince == null) {
    cutSince = now();
    soon();
  }
}

function connect() {
  source?.close();
  heardAt = performance.now();
  const query = new URLSearchParams({ at });
  if (vehicle) query.set("vehicle", vehicle);
  source = new EventSource(`/live?${query}`);
  const take = (event) => {
    at = event.lastEventId || at;
    heard(JSON.parse(event.data));
  };
  source.addEventListener("changes", take);
  source.addEventListener("beat", take);
  source.addEventListener("over", () => location.assign("/signin"));
  source.onerror = async () => {
    cut();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    const answer = await fetch("/me", { cache: "no-store" }).catch(() => null);
    if (answer?.status === 401) location.assign("/signin");
    else setTimeout(connect, 3000);
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

draw();
connect();
