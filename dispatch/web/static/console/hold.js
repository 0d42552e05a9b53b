// What is held to talk: the button by mouse, finger or keyboard, and a key anywhere on the page. Whatever is doubtful lets
// go: the window loses the focus, the page is left or hidden, a touch is taken away.

export class Hold {
  /**
   * @param {HTMLElement} button
   * @param {{press: (at: number) => void, release: (why: string, at: number) => void}} told each in turn, never twice;
   *   `at`: when, as performance.now() says it, which is before a busy page hears of it
   */
  constructor(button, { press, release }) {
    this.button = button;
    this.told = { press, release };
    /** What holds it now: pointers and keys. @type {Set<string>} */
    this.holders = new Set();
    /** KeyboardEvent.code; "" is none. */
    this.key = "Space";
    const pointer = (event) => `pointer ${event.pointerId}`;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.take(pointer(event), event.timeStamp);
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(name, (event) => this.leave(pointer(event), name, event.timeStamp));
    }
    // Behind a second button of the mouse no pointerup tells that the first one went up.
    button.addEventListener("pointermove", (event) => (event.buttons & 1) === 0 && this.leave(pointer(event), "buttons", event.timeStamp));
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch
    addEventListener("keydown", (event) => this.down(event));
    addEventListener("keyup", (event) => {
      if (this.holders.has(event.code)) event.preventDefault(); // else a Space let go is a click
      this.leave(event.code, "keyup", event.timeStamp);
      this.doubt(event);
    });
    addEventListener("blur", (event) => this.letGo("blur", event.timeStamp));
    // A page that is left has time for its last words only before the next one is there.
    for (const name of ["beforeunload", "pagehide"]) addEventListener(name, (event) => this.letGo(name, event.timeStamp));
    document.addEventListener("visibilitychange", (event) => document.hidden && this.letGo("hidden", event.timeStamp));
    document.addEventListener("freeze", (event) => this.letGo("freeze", event.timeStamp));
    button.addEventListener("blur", (event) => ["Space", "Enter"].forEach((code) => code !== this.key && this.leave(code, "blur", event.timeStamp)));
  }

  /** Let go, whatever holds it. @param {string} why @param {number} at */
  letGo(why, at = performance.now()) {
    const held = this.holders.size > 0;
    this.holders.clear();
    if (held) this.told.release(why, at);
  }

  /**
   * Some systems never tell that a key went up: any key beside the Command or Windows key, one of two Shift keys. Then
   * the next event of the keyboard shows it.
   * @param {KeyboardEvent} event
   */
  doubt(event) {
    const meta = event.metaKey || event.key === "Meta";
    const keys = [...this.holders].filter((holder) => !holder.startsWith("pointer "));
    const gone = { ShiftRight: !event.shiftKey, ControlRight: !event.ctrlKey };
    for (const code of keys) if (meta || gone[code]) this.leave(code, "doubt", event.timeStamp);
  }

  get held() {
    return this.holders.size > 0;
  }

  down(event) {
    this.doubt(event);
    const onButton = event.target === this.button && (event.code === "Space" || event.code === "Enter");
    if (!onButton && (event.code !== this.key || !this.key || elsewhere(event, this.button))) return;
    if (event.ctrlKey && !event.code.startsWith("Control")) return;
    if (event.altKey || event.metaKey) return;
    event.preventDefault();
    if (!event.repeat) this.take(event.code, event.timeStamp);
  }

  take(holder, at) {
    const first = this.holders.size === 0;
    this.holders.add(holder);
    if (first) this.told.press(at);
  }

  leave(holder, why, at) {
    if (this.holders.delete(holder) && this.holders.size === 0) this.told.release(why, at);
  }
}

/** A key that means something where it was pressed is no key to talk: Space on another button, in a list, a dialog. */
function elsewhere(event, button) {
  const { target } = event;
  if (document.querySelector("dialog[open]")) return true;
  if (!(target instanceof Element) || target === button) return false;
  const typed = target.closest("input:not([type='radio']:checked, [type='range']), select, textarea, [contenteditable]");
  if (typed) return true;
  return ["Space", "Enter"].includes(event.code) && target.closest("button, a[href], summary") != null;
}
