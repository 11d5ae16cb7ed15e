// Which particles are in sight, and in which order their pictures stand.
import { idsOfRanges } from "./ids.js";

export const ID_SORT = { name: "id", label: "Sample id" };
export const LIKENESS = { name: "likeness", label: "Likeness", lacking: "Likeness: open a particle first" };

// What pictures can be sorted by: every colouring that is a number, class, id, and likeness.
export function sortsOf(table) {
  const values = table.colourings.filter((one) => !one.categories);
  const first = ["confidence", "outlier score"];
  const rank = ({ name }) => (first.includes(name) ? first.indexOf(name) : first.length);
  const sorted = values.slice().sort((a, b) => rank(a) - rank(b));
  return [...sorted.map(({ name, label }) => ({ name, label })), { name: "class", label: "Predicted class" }, LIKENESS, ID_SORT];
}

// The particles that a text names: ids and ranges of them, or a piece of a file's or micrograph's name; null for all.
export function found(table, text) {
  const words = text.trim();
  if (!words) return null;
  const marks = new Uint8Array(table.n);
  const ids = idsOfRanges(words.split(/[\s,;]+/).filter(Boolean).join("."), table.ids) ?? [];
  if (ids.length) {
    for (const id of ids) marks[table.row(id)] = 1;
    return marks;
  }
  const piece = words.toLowerCase();
  const { names } = table.columns;
  const groups = (table.groups ?? []).map((name) => name.toLowerCase().includes(piece));
  const group = table.columns.group;
  for (let row = 0; row < table.n; row += 1) {
    if (names?.[row].toLowerCase().includes(piece) || (group && groups[group[row]])) marks[row] = 1;
  }
  return marks;
}

// 1 for every particle that no filter hides.
export function inSight(table, { hidden, find, by }) {
  const marks = found(table, find) ?? new Uint8Array(table.n).fill(1);
  for (const [name, some] of Object.entries(hidden)) {
    const colouring = table.colouring(name);
    if (!some.length || !colouring) continue;
    const column = table.column(colouring.column, by);
    const gone = new Set(some);
    for (let row = 0; row < table.n; row += 1) if (gone.has(column[row])) marks[row] = 0;
  }
  return marks;
}

export function both(a, b) {
  const marks = new Uint8Array(a.length);
  for (let i = 0; i < a.length; i += 1) marks[i] = a[i] & b[i];
  return marks;
}

// Those rows that are marked, in their order.
export function marked(rows, marks) {
  const some = new Int32Array(rows.length);
  let n = 0;
  for (let i = 0; i < rows.length; i += 1) if (marks[rows[i]]) some[(n += 1) - 1] = rows[i];
  return some.subarray(0, n);
}

export function rowsOf(marks) {
  let n = 0;
  for (let i = 0; i < marks.length; i += 1) n += marks[i];
  const rows = new Int32Array(n);
  for (let i = 0, k = 0; i < marks.length; i += 1) if (marks[i]) rows[(k += 1) - 1] = i;
  return rows;
}

// Squared distance of every particle's latent means from those of one, in one model.
export function distances(table, model, row) {
  const { dims } = table.models[model];
  const z = table.columns[`${model}/z`];
  const away = new Float32Array(table.n);
  for (let i = 0; i < table.n; i += 1) {
    let sum = 0;
    for (let d = 0; d < dims; d += 1) sum += (z[i * dims + d] - z[row * dims + d]) ** 2;
    away[i] = sum;
  }
  return away;
}

// The particles nearest to one, nearest first, without itself; `marks` says which may be among them.
export function nearest(table, model, row, n, marks = null) {
  const away = distances(table, model, row);
  const best = [];
  for (let i = 0; i < table.n; i += 1) {
    if (i === row || (marks && !marks[i]) || (best.length === n && away[i] >= away[best[n - 1]])) continue;
    let at = best.length;
    while (at > 0 && away[best[at - 1]] > away[i]) at -= 1;
    best.splice(at, 0, i);
    if (best.length > n) best.pop();
  }
  return { rows: best, distances: best.map((i) => Math.sqrt(away[i])) };
}

function keysOf(table, { sort, by, open }) {
  if (sort === LIKENESS.name) {
    const row = open === null ? -1 : table.row(open);
    return row < 0 ? table.ids : distances(table, by, row);
  }
  if (sort === "class") return table.column("predicted", by);
  const colouring = table.colouring(sort);
  return colouring ? table.column(colouring.column, by) : table.ids;
}

// Rows in the order of their pictures; what has no value comes last. Numbers of a kind keep the order of their ids.
export function sortedRows(table, rows, values) {
  const keys = keysOf(table, values);
  const sign = values.descending ? -1 : 1;
  const sorted = Int32Array.from(rows);
  sorted.sort((a, b) => {
    const [x, y] = [keys[a], keys[b]];
    if (x === y) return a - b;
    if (x !== x) return y !== y ? a - b : 1;
    if (y !== y) return -1;
    return x < y ? -sign : sign;
  });
  return sorted;
}

// The same rows one class after the other, and where each class begins.
export function groupedRows(table, rows, { by, grouped }) {
  if (!grouped) return { rows, groups: [{ label: null, start: 0, count: rows.length }] };
  const predicted = table.column("predicted", by);
  const lists = table.classes.map(() => []);
  for (const row of rows) lists[predicted[row]].push(row);
  const groups = [];
  let start = 0;
  lists.forEach((list, value) => {
    if (list.length) groups.push({ label: table.classes[value], start, count: list.length });
    start += list.length;
  });
  return { rows: Int32Array.from(lists.flat()), groups };
}
