// What is counted and chosen among the particles of a library: pure functions on arrays.
import { thousands } from "./elements.js";

export const BY = { MODEL: 0, LABEL: 1, OUTLIER: 2, HAND: 3 }; // who says which class a particle is in, as in `state.py`
export const NO_CLASS = -1;
export const LONGEST_CLASS = 100; // characters of a class name

export function bytesAs(Type, text) {
  return new Type(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// Rows in their order, a list per class and last those of none; `seen` marks which are shown at all.
export function rowsByClass(order, place, n, seen = null) {
  const lists = Array.from({ length: n + 1 }, () => []);
  for (const row of order) if (!seen || seen[row]) lists[place[row] < 0 ? n : place[row]].push(row);
  return lists;
}

// How many particles each of them says of, and how many belong to no class.
export function tallied(place, origin) {
  const by = [0, 0, 0, 0];
  let none = 0;
  for (let row = 0; row < place.length; row += 1) {
    if (place[row] < 0) none += 1;
    else by[origin[row]] += 1;
  }
  return { by, none };
}

export function tallyText({ by, none }, n, classes) {
  const particles = n === 1 ? "1 particle" : `${thousands(n)} particles`;
  const parts = [`${thousands(by[BY.LABEL])} by labels`, `${thousands(by[BY.HAND])} by hand`, `${thousands(by[BY.MODEL])} by the model`];
  return `${particles} in ${classes === 1 ? "1 class" : `${classes} classes`}: ${parts.join(", ")}; ${thousands(none)} none of these.`;
}

// Bins of equal width over all finite numbers; null where there is none.
export function edgesOf(values, bins = 24) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return null;
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  return Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
}

export function binnedCounts(values, rows, edges) {
  const counts = new Array(edges.length - 1).fill(0);
  const [low, high] = [edges[0], edges[edges.length - 1]];
  for (const row of rows) {
    const value = values[row];
    if (!Number.isFinite(value)) continue;
    counts[Math.min(Math.floor(((value - low) / (high - low)) * counts.length), counts.length - 1)] += 1;
  }
  return counts;
}

// What a threshold does: `beyond` of `judged` particles that no person knows, and `alarms` among the trusted scores.
export function thresholdCost(scores, origin, threshold, trusted) {
  let [judged, beyond] = [0, 0];
  for (let row = 0; row < scores.length; row += 1) {
    if (origin[row] === BY.LABEL || origin[row] === BY.HAND || !Number.isFinite(scores[row])) continue;
    judged += 1;
    if (threshold !== null && scores[row] > threshold) beyond += 1;
  }
  let alarms = 0;
  for (const score of trusted) if (threshold !== null && score > threshold) alarms += 1;
  return { judged, beyond, alarms };
}

// The same marks after a click on a row of a list: alone, with shift all from the anchor on, with control one more or less.
export function afterClick(marks, rows, row, anchor, { shift = false, toggle = false } = {}) {
  const now = toggle || shift ? marks.slice() : new Uint8Array(marks.length);
  const [from, to] = [rows.indexOf(anchor), rows.indexOf(row)];
  if (shift && from >= 0 && to >= 0) {
    for (let i = Math.min(from, to); i <= Math.max(from, to); i += 1) now[rows[i]] = 1;
  } else now[row] = toggle && marks[row] ? 0 : 1;
  return now;
}

// Places in a list that a box touches; `lay`: {gap, across, side, pitch, count}, box in the pixels of the list.
export function boxed({ gap, across, side, pitch, count }, { left, top, right, bottom }) {
  const found = [];
  const lines = Math.ceil(count / across);
  const first = Math.max(0, Math.floor((top - gap - side) / pitch));
  for (let line = first; line < lines && gap + line * pitch <= bottom; line += 1) {
    const y = gap + line * pitch;
    if (y + side < top) continue;
    for (let column = 0; column < across; column += 1) {
      const x = gap + column * (side + gap);
      const at = line * across + column;
      if (at < count && x <= right && x + side >= left) found.push(at);
    }
  }
  return found;
}

// Changes that the server has not made yet, once more on what it says: only moves can be foreseen.
export function withMoves(place, origin, moves, positions) {
  if (!moves.length) return { place, origin };
  const [now, by] = [place.slice(), origin.slice()];
  for (const { rows, to } of moves) {
    const at = to === NO_CLASS ? NO_CLASS : positions.indexOf(to);
    if (to !== NO_CLASS && at < 0) continue;
    for (const row of rows) {
      if (by[row] !== BY.LABEL || now[row] !== at) by[row] = BY.HAND; // who confirms a label changes nothing
      now[row] = at;
    }
  }
  return { place: now, origin: by };
}

// What the keyboard asks for; null where it is nothing of the library's.
export function meant({ key, ctrlKey, metaKey, altKey, shiftKey }, classes) {
  const control = ctrlKey || metaKey;
  const letter = key.length === 1 ? key.toLowerCase() : key;
  if (altKey) return null;
  if (letter === "z" && (control || !shiftKey)) return { kind: shiftKey ? "redo" : "undo" };
  if (letter === "z" || (control && letter === "y")) return { kind: "redo" };
  if (control) return letter === "a" ? { kind: "all" } : null;
  if (letter === "0") return { kind: "move", at: NO_CLASS };
  if (/^[1-9]$/.test(letter)) return Number(letter) <= classes ? { kind: "move", at: Number(letter) - 1 } : { kind: "missing", key: letter };
  return { u: { kind: "upright" }, n: { kind: "split" }, Escape: { kind: "clear" } }[letter] ?? null;
}
