// What is held to talk: the button by mouse, finger or keyboard, and a key anywhere on the page. Whatever is doubtful lets
// go: the window loses the focus, the page is left or hidden, a touch is taken away.

export class Hold {
  /**
   * @param {HTMLElement} button
   * @param {{press: (at: number) => void, release: (why: string) => void}} told each in turn, never twice; `at`: when, as
   *   performance.now() says it, which is before a busy page hears of it
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
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(name, (event) => this.leave(pointer(event), name));
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch
    addEventListener("keydown", (event) => this.down(event));
    addEventListener("keyup", (event) => {
      if (this.holders.has(event.code)) event.preventDefault(); // else a Space let go is a click
      this.leave(event.code, "keyup");
    });
    addEventListener("blur", () => this.letGo("blur"));
    addEventListener("pagehide", () => this.letGo("pagehide"));
    document.addEventListener("visibilitychange", () => document.hidden && this.letGo("hidden"));
    button.addEventListener("blur", () => ["Space", "Enter"].forEach((code) => code !== this.key && this.leave(code, "blur")));
  }

  /** Let go, whatever holds it. @param {string} why */
  letGo(why) {
    const held = this.holders.size > 0;
    this.holders.clear();
    if (held) this.told.release(why);
  }

  get held() {
    return this.holders.size > 0;
  }

  down(event) {
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

  leave(holder, why) {
    if (this.holders.delete(holder) && this.holders.size === 0) this.told.release(why);
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
