// Rows of a page: made of text alone, and touched only where what they say changed.

export function el(name, attributes = {}, ...parts) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value != null) made.setAttribute(key, value);
  }
  made.append(...parts.filter((part) => part != null));
  return made;
}

export const tag = (look, text) => el("span", { class: `tag ${look}` }, text);

export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/** Places in `old` (-1: none) of a longest run that rises: what stands in it need not be moved. */
function rising(old) {
  const ends = []; // ends[n]: index of the least place in which a run of n + 1 ends
  const before = new Array(old.length).fill(-1);
  old.forEach((place, index) => {
    if (place < 0) return;
    let low = 0;
    for (let high = ends.length; low < high;) {
      const middle = (low + high) >> 1;
      if (old[ends[middle]] < place) low = middle + 1;
      else high = middle;
    }
    if (low > 0) before[index] = ends[low - 1];
    ends[low] = index;
  });
  const run = new Set();
  for (let index = ends.at(-1) ?? -1; index >= 0; index = before[index]) run.add(index);
  return run;
}

/** Keep the children of `parent` equal to `rows`: [key, said, make]; a row is made anew only where `said` changed. */
export function keep(parent, rows) {
  if (!parent) return;
  const held = new Map([...parent.children].map((child, place) => [child.dataset.key, { child, place }]));
  const places = [];
  const wanted = rows.map(([name, said, make]) => {
    const key = String(name);
    const mark = typeof said === "string" ? said : JSON.stringify(said);
    const known = held.get(key);
    held.delete(key);
    places.push(known?.place ?? -1);
    if (known && known.child.dataset.mark === mark) return known.child;
    const fresh = make();
    fresh.dataset.key = key;
    fresh.dataset.mark = mark;
    if (known) {
      const focused = known.child.contains(document.activeElement);
      known.child.replaceWith(fresh);
      if (focused) fresh.querySelector("a,button")?.focus();
    }
    return fresh;
  });
  for (const { child } of held.values()) child.remove();
  const stay = rising(places);
  let at = parent.firstElementChild;
  wanted.forEach((row, index) => {
    if (stay.has(index) || row === at) at = row.nextElementSibling;
    else parent.insertBefore(row, at);
  });
}
