// What a live page knows: a map of keyed values (`member/car-1` -> ...), and the same by kind.

export const start = JSON.parse(document.getElementById("start").textContent);
export const board = new Map();
const kinds = new Map(); // the same by kind: `user` -> (`car-1` -> value)
let byName = null; // every member, by name: made anew only where there are others, or their names changed

const collator = new Intl.Collator(start.lang, { numeric: true });

export const all = (kind) => kinds.get(kind) ?? new Map();
export const of = (kind) => [...all(kind)];
export const nameOf = (user) => board.get(`user/${user}`)?.name ?? board.get(`member/${user}`)?.name ?? user;

function parted(key) {
  const at = key.indexOf("/");
  return at < 0 ? [key, ""] : [key.slice(0, at), key.slice(at + 1)];
}

export function put(key, value) {
  const [kind, rest] = parted(key);
  const old = board.get(key);
  if (kind === "user" || kind === "member") {
    if (!old || old.name !== value.name || old.app !== value.app) byName = null;
  }
  board.set(key, value);
  if (!rest) return;
  if (!kinds.has(kind)) kinds.set(kind, new Map());
  kinds.get(kind).set(rest, value);
}

export function drop(key) {
  const [kind, rest] = parted(key);
  if (kind === "user" || kind === "member") byName = null;
  board.delete(key);
  kinds.get(kind)?.delete(rest);
}

/** Forget everything: the whole comes anew. */
export function clear() {
  board.clear();
  kinds.clear();
  byName = null;
}

const RANKS = { online: 0, lost: 1, sleeping: 2, offline: 3 };

/** Those online, with what their presence says; a monitor counts where the registry has it. */
export function online() {
  const known = all("user");
  return of("member").filter(([user, member]) => member.state === "online" && (member.app !== "monitor" || known.has(user)));
}

/** Every member: those online first, each kind by name. */
export function members() {
  if (byName == null) {
    const known = new Set([...of("user").map(([user]) => user), ...of("member").filter(([, m]) => m.app !== "monitor").map(([user]) => user)]);
    byName = [...known].map((user) => [user, nameOf(user)]).sort(([, a], [, b]) => collator.compare(a, b)).map(([user]) => user);
  }
  const ranks = [[], [], [], [], []];
  const said = all("member"); // of ten thousand in the registry few were ever online
  for (const user of byName) ranks[RANKS[said.get(user)?.state] ?? 4].push(user);
  return ranks.flat();
}

for (const [key, value] of Object.entries(start.put)) put(key, value);
