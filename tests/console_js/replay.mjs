// Replays what was done to the gateway's participant on the console's, and gives what it did: one line for each effect.

import { Participant } from "../../dispatch/web/static/console/participant.js";

export function replay(inputs) {
  let log = [];
  let open = "";
  const around = {
    user: "desk",
    connectionId: [0, 42, 1],
    linkUp: true,
    session: null,
    get problem() {
      return this.linkUp ? null : "no connection";
    },
    floor(message, again) {
      if (this.linkUp) log.push(["floor", message, again]);
    },
    voice({ do: what, requestId, burst, at }) {
      const key = requestId.join();
      if (what === "open" && open === key) return; // a longer lease of what is open already
      if (what === "open") open = key;
      else if (open === key && what !== "up") open = "";
      log.push({ arm: [what, requestId, at], open: [what, requestId, burst], hold: [what, burst] }[what] ?? [what, requestId]);
    },
    tell(what, pressNo, { name = "", remainingS = null, count = 0 } = {}) {
      log.push(["tell", what, pressNo, name, remainingS, count]);
    },
  };
  const machine = new Participant(around);
  const take = {
    press: (now, { at, priority }) => machine.press(now, at, priority),
    up: (now, { at }) => machine.keyUp(now, at),
    reply: (now, { message }) => machine.reply(message, now),
    session: (now, { message }) => {
      around.session = message;
      machine.sessionMoved(message, now);
    },
    down: (now) => {
      around.linkUp = false;
      machine.linkDown(now);
    },
    link: (now, { connectionId }) => {
      around.linkUp = true;
      around.connectionId = connectionId;
      machine.linkUp(now);
    },
    through: (now, { burst, seq }) => machine.through(burst, seq, now),
    drained: (now, { requestId, lastSeq }) => machine.drained(requestId, lastSeq, now),
    lost: (now) => machine.voiceLost("no microphone", now),
    tick: (now) => machine.tick(now),
    stop: (now) => machine.stop(now),
  };
  return inputs.map(({ now, what, ...data }) => {
    log = [];
    take[what](now, data);
    return { effects: log, state: machine.state };
  });
}
