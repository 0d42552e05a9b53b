// What the dispatcher sees: the engine's View, the state of the sound, and the office's last talks. Text is only ever set
// as text; a row is made anew only where it changed.

import { el, keep, setText } from "../rows.js";

/** @typedef {import("./types.js").View} View */

const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Shown {
  /**
   * @param {{words: Record<string, string>, lang: string, zone: string}} start
   * @param {{clear: (user: string) => void, here: () => void, sound: () => void, microphone: () => void}} deeds
   */
  constructor({ words, lang, zone }, deeds) {
    this.words = words;
    this.deeds = deeds;
    this.clock = new Intl.DateTimeFormat(lang, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    /** @type {View|null} */
    this.view = null;
    this.viewAt = 0;
    this.said = "";
    this.speaking = { burst: 0, at: 0 };
    /** @type {number|null} wall ms */
    this.lostSince = null;
    /** @type {Record<string, string>} what is wrong by id, for the list of troubles */
    this.wrong = {};
    /** @type {{audio: import("./audio.js").AudioState, failure: string, mic: import("./types.js").SoundFault|null}} */
    this.sounds = { audio: "off", failure: "", mic: null };
    this.name = "";
    /** The office's rules let this user only listen. */
    this.listens = false;
    /** @type {any[]} */
    this.bursts = [];
    this.asked = "";
    $("sure-no").onclick = () => /** @type {HTMLDialogElement} */ ($("sure")).close();
    $("sure-yes").onclick = () => {
      /** @type {HTMLDialogElement} */ ($("sure")).close();
      this.deeds.clear(this.asked);
    };
  }

  say(key, fields = {}) {
    return (this.words[key] ?? "").replace(/\{(\w+)\}/g, (_, name) => String(fields[name] ?? ""));
  }

  moment(ms) {
    return ms == null ? "–" : this.clock.format(new Date(ms));
  }

  /** A new View of the engine. @param {View} view */
  take(view) {
    this.view = view;
    this.viewAt = performance.now();
    if (view.speaker && view.speaker.burst !== this.speaking.burst) this.speaking = { burst: view.speaker.burst, at: performance.now() };
    if (view.link === "up") this.lostSince = null;
    else if (view.link === "lost") this.lostSince ??= Date.now();
    this.draw();
  }

  /** Tell in words what happened. @param {import("./types.js").Said} said */
  tell(said) {
    const { floor, remaining_ms } = this.view ?? {};
    // Why it was taken back stays said until the button is let go; that the talk is over goes without saying then.
    if (said.what === "talk ended" && floor === "revoked") return;
    const key = `told_${said.what.replaceAll(" ", "_")}`;
    const seconds = said.remaining_s ?? (said.what === "limit near" && remaining_ms != null ? remaining_ms / 1000 : null);
    const remaining = seconds == null ? "–" : this.say("seconds", { value: Math.ceil(seconds) });
    const text = this.say(key, { name: said.name ?? "?", count: said.count ?? "", remaining });
    if (!text) return;
    const node = $("told");
    node.dataset.told = said.what;
    // A sentence that is said twice is read aloud twice.
    node.replaceChildren(text);
  }

  /** Something else is wrong, in words; "" where it is not any more. @param {string} id @param {string} what */
  trouble(id, what) {
    if ((this.wrong[id] ?? "") === what) return;
    if (what) this.wrong[id] = what;
    else delete this.wrong[id];
    this.drawTroubles();
  }

  draw() {
    this.drawLine();
    this.drawTroubles();
    if (!this.view) return;
    this.drawButton(this.view);
    this.drawFloor(this.view);
    this.drawMembers(this.view);
    this.drawEmergencies(this.view);
    this.tick();
  }

  /** What changes by itself. */
  tick() {
    const { view } = this;
    if (!view) return;
    const left = view.remaining_ms == null ? null : Math.max(0, Math.ceil((view.remaining_ms - (performance.now() - this.viewAt)) / 1000));
    const talking = left != null && (view.floor === "talking" || view.floor === "unheard");
    const time = $("ptt-time");
    time.toggleAttribute("data-near", talking && view.limitNear);
    setText(time, talking ? this.say(view.limitNear ? "remaining_near" : "remaining", { seconds: left }) : "");
    const { speaker } = view;
    const seconds = Math.floor((performance.now() - this.speaking.at) / 1000);
    const elapsed = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    setText($("since"), speaker ? this.say("floor_since", { elapsed }) : view.sessionActive ? this.say("floor_session") : "");
  }

  drawLine() {
    const { view } = this;
    const line = $("line");
    let key = "line_off";
    if (view) key = view.link === "up" && !view.voiceLink ? "line_voice" : `line_${view.link}`;
    line.dataset.state = key === "line_up" ? "up" : view ? "down" : "off";
    line.dataset.link = view?.link ?? "off";
    setText(line, this.say(key, { name: this.name, time: this.moment(this.lostSince) }));
  }

  drawTroubles() {
    const { view, sounds, deeds } = this;
    /** @type {[string, string, string|null, (() => void)|null][]} id, what, button, what the button does */
    const found = [];
    if (view?.elsewhere) found.push(["elsewhere", this.say("elsewhere", { time: this.moment(view.elsewhere.since) }), this.say("elsewhere_use"), deeds.here]);
    if (view?.agora?.why) found.push(["agora", this.say("agora_trouble", { why: view.agora.why }), null, null]);
    if (view?.error?.what === "expired") {
      found.push(["signed-out", this.say("signed_out"), this.say("sign_in"), () => location.assign("/signin")]);
    } else if (view?.error) {
      found.push(["login", this.say("no_login", { text: view.error.text }), view.link === "refused" ? this.say("again") : null, deeds.here]);
    }
    if (sounds.audio === "suspended") found.push(["sound", this.say("sound_suspended"), this.say("sound_on"), deeds.sound]);
    if (sounds.audio === "unsupported") found.push(["sound", this.say("sound_unsupported"), null, null]);
    if (sounds.audio === "failed") found.push(["sound", this.say("sound_failed", { text: sounds.failure }), this.say("again"), deeds.sound]);
    const mic = sounds.mic ?? null;
    if (mic && sounds.audio !== "unsupported") found.push(["mic", this.say(`mic_${mic}`), this.say("again"), deeds.microphone]);
    for (const [id, what] of Object.entries(this.wrong)) found.push([id, what, null, null]);
    keep($("troubles"), found.map(([id, what, label, deed]) => [id, [what, label], () => {
      const button = label && deed ? el("button", { type: "button", id: `do-${id}` }, label) : null;
      if (button) button.onclick = () => deed?.();
      return el("li", { id: `trouble-${id}`, "data-severity": "critical" }, what, button);
    }]));
  }

  drawButton(view) {
    const button = $("ptt");
    const off = (view.link !== "up" || !view.voiceLink) && view.floor === "idle";
    const floor = off ? "off" : view.floor;
    button.dataset.floor = floor;
    button.setAttribute("aria-pressed", String(view.floor !== "idle"));
    const said = this.listens && floor === "idle" ? "listens" : floor;
    setText($("ptt-state"), this.say(`ptt_${said}`, { count: view.position ?? "" }));
    const { heard } = view;
    setText($("heard"), heard ? this.say(heard.of ? "heard" : "heard_none", heard) : "");
  }

  drawFloor(view) {
    const { speaker } = view;
    const node = $("speaker");
    node.dataset.priority = speaker?.priority ?? "";
    node.dataset.user = speaker?.user ?? "";
    setText(node, !speaker ? this.say("floor_idle") : speaker.mine ? this.say("floor_mine") : this.say("floor_speaks", { name: speaker.name }));
  }

  drawMembers(view) {
    $("members-none").hidden = view.members.length > 0;
    setText($("members-none"), this.say("members_none"));
    keep($("members"), view.members.map((member) => {
      const speaks = view.speaker?.user === member.user;
      const state = [this.say(`state_${member.state}`) || member.state, member.in_channel ? this.say("member_in") : null].filter(Boolean).join(", ");
      return [member.user, [member.name, state, speaks], () => el("li", { "data-speaks": speaks ? "" : null }, el("span", {}, member.name), el("span", { class: "dim" }, state))];
    }));
  }

  drawEmergencies(view) {
    const rows = view.emergencies.map(({ user, name, since }) => [user, [name, since], () => {
      const button = el("button", { type: "button", class: "danger" }, this.say("emergency_clear"));
      button.onclick = () => this.ask(user, name);
      return el("li", { "data-severity": "critical", "data-user": user }, el("strong", {}, this.say("emergency_row", { name, time: this.moment(since) })), button);
    }]);
    if (!rows.length) rows.push(["none", "", () => el("li", { class: "none" }, this.say("emergencies_none"))]);
    keep($("emergencies"), rows);
    const { cleared } = view;
    const key = cleared?.ok == null ? "cleared_wait" : cleared.ok ? "cleared_ok" : "cleared_not";
    const name = view.members.find(({ user }) => user === cleared?.by)?.name ?? cleared?.by ?? "";
    setText($("cleared"), cleared ? this.say(key, { name, what: cleared.what }) : "");
  }

  ask(user, name) {
    this.asked = user;
    setText($("sure-what"), this.say("emergency_sure", { name }));
    /** @type {HTMLDialogElement} */ ($("sure")).showModal();
  }

  /** The office's last talks, newest first. */
  drawBursts() {
    $("bursts-none").hidden = this.bursts.length > 0;
    setText($("bursts-none"), this.say("bursts_none"));
    keep($("bursts"), this.bursts.map((burst) => {
      const length = burst.started_at && burst.ended_at ? this.say("seconds", { value: ((burst.ended_at - burst.started_at) / 1000).toFixed(1) }) : burst.ended ? "" : this.say("speaking");
      const heard = burst.heard_by == null ? "" : this.say("of", { by: burst.heard_by, of: burst.heard_of });
      const cells = [this.moment(burst.started_at ?? burst.ended_at), burst.name ?? burst.user ?? "", length, heard];
      return [burst.no, cells, () => el("tr", {}, ...cells.map((cell, at) => el("td", at === 1 ? {} : { class: "number" }, cell)))];
    }));
  }
}
