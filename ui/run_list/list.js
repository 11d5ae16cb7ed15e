// The list of runs: a row opens its run, wherever it is clicked but on its box; headings sort; boxes tick, with Shift from the
// one ticked before. What is ticked, opened and how it is sorted is told to the page.

const MINUTE = 60;
const UNITS = [
  ["minute", MINUTE],
  ["hour", 60 * MINUTE],
  ["day", 24 * 60 * MINUTE],
  ["month", 30 * 24 * 60 * MINUTE],
  ["year", 365 * 24 * 60 * MINUTE],
];
const FIRST_DOWN = new Set(["accuracy", "updated", "seconds"]); // columns whose largest values are looked for first
const SORTED_BY = { run: (row) => (row.name || row.model).toLowerCase(), labels: (row) => row.fraction, state: (row) => row.words };
const GROUP_NAME = { data: (row) => row.data || "unknown", model: (row) => row.model || "unknown", state: (row) => row.state };

export function ago(seconds) {
  if (seconds < MINUTE) return "just now";
  const [unit, size] = UNITS.filter(([, size]) => seconds >= size).pop();
  const n = Math.floor(seconds / size);
  return `${n} ${unit}${n === 1 ? "" : "s"} ago`;
}

export function sorted(rows, sort) {
  if (!sort) return rows;
  const value = SORTED_BY[sort.column] ?? ((row) => row[sort.column]);
  const sign = sort.down ? -1 : 1;
  const known = (row) => value(row) !== null && value(row) !== undefined && value(row) !== "";
  const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  return [...rows].sort((a, b) => known(b) - known(a) || (known(a) ? sign * order(a, b) : 0));
}

export function grouped(rows, group) {
  if (!GROUP_NAME[group]) return [["", rows]];
  const groups = new Map();
  for (const row of rows) {
    const name = GROUP_NAME[group](row);
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups];
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const small = (text, className = "") => (text ? element("div", { className: `small ${className}`, textContent: text }) : null);

// What stands in each column of a row.
const CELLS = {
  run: (row, list) => {
    const title = row.name || row.model || row.id;
    const link = row.href ? element("a", { href: row.href, textContent: title }) : element("span", { textContent: title });
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return event.stopPropagation(); // a tab of its own
      event.preventDefault();
    });
    link.dataset.at = `open-${row.id}`;
    const about = [row.name ? row.model : "", row.variant, row.model || row.name ? row.id : ""].filter(Boolean).join(" \u00b7 ");
    const narrow = [row.data, row.labels].filter(Boolean).join(" \u00b7 ");
    return [link, small(about, "about"), small(narrow, "narrow"), small(row.note)];
  },
  data: (row) => [row.data],
  labels: (row) => [row.labels],
  seed: (row) => [row.seed === null ? "" : String(row.seed)],
  accuracy: (row) => {
    if (row.accuracy === null) return [""];
    const bar = element("span", { className: "bar" }, element("i"));
    bar.setAttribute("aria-hidden", "true");
    bar.firstChild.style.width = `${100 * row.accuracy}%`;
    return [bar, row.accuracyText, element("span", { className: "judged", textContent: row.judged })];
  },
  state: (row) => [row.words],
  seconds: (row) => [row.duration],
  updated: (row) => {
    if (row.updated === null) return [""];
    const time = element("time", { title: row.exact, dateTime: new Date(1000 * row.updated).toISOString() });
    time.dataset.updated = row.updated;
    return [time];
  },
};
const CLASSES = { seed: "number", accuracy: "number", seconds: "short", updated: "short" };

class List {
  constructor(root) {
    this.root = root;
    this.ticked = new Set();
    this.sort = null;
    this.last = null;
  }

  take(data, tell, open) {
    this.tell = tell;
    this.open = open;
    const told = JSON.stringify(data);
    if (told === this.told) return;
    if (!this.told) this.sort = data.sort;
    this.told = told;
    this.data = data;
    const known = new Set(data.rows.map(({ id }) => id));
    const gone = [...this.ticked].filter((id) => !known.has(id));
    gone.forEach((id) => this.ticked.delete(id));
    this.draw();
    if (gone.length) this.tellTicked();
  }

  tellTicked() {
    this.tell("ticked", [...this.ticked]);
  }

  sortBy(name) {
    const { column, down } = this.sort ?? {};
    const first = FIRST_DOWN.has(name);
    this.sort = column !== name ? { column: name, down: first } : down === first ? { column: name, down: !first } : null;
    this.draw();
    this.tell("sort", this.sort ?? { column: "" });
  }

  tick(id, on, range) {
    const order = [...this.root.querySelectorAll("tbody tr[data-id]")].map((row) => row.dataset.id);
    const [from, to] = [order.indexOf(this.last), order.indexOf(id)].sort((a, b) => a - b);
    for (const one of range && from >= 0 ? order.slice(from, to + 1) : [id]) on ? this.ticked.add(one) : this.ticked.delete(one);
    this.last = id;
    this.mark();
    this.tellTicked();
  }

  tickAll(on) {
    this.ticked = new Set(on ? this.data.rows.map(({ id }) => id) : []);
    this.mark();
    this.tellTicked();
  }

  mark() {
    for (const row of this.root.querySelectorAll("tbody tr[data-id]")) {
      const on = this.ticked.has(row.dataset.id);
      row.classList.toggle("ticked", on);
      row.querySelector("input").checked = on;
    }
    const all = this.root.querySelector("thead input");
    all.checked = this.ticked.size > 0 && this.ticked.size === this.data.rows.length;
    all.indeterminate = this.ticked.size > 0 && !all.checked;
  }

  box(at, label, onClick) {
    const box = element("input", { type: "checkbox" });
    box.setAttribute("aria-label", label);
    box.dataset.at = at;
    box.addEventListener("click", (event) => onClick(box.checked, event.shiftKey));
    return box;
  }

  heading({ name, title }) {
    const { column, down } = this.sort ?? {};
    const way = element("span", { className: "way", textContent: column === name ? (down ? "\u25be" : "\u25b4") : "" });
    way.setAttribute("aria-hidden", "true");
    const button = element("button", { type: "button" }, title, way);
    button.dataset.at = `sort-${name}`;
    button.addEventListener("click", () => this.sortBy(name));
    const cell = element("th", { scope: "col", className: name }, button);
    cell.setAttribute("aria-sort", column === name ? (down ? "descending" : "ascending") : "none");
    return cell;
  }

  row(row) {
    const title = [row.name || row.model, row.id].filter(Boolean).join(", ");
    const box = this.box(`tick-${row.id}`, `Select run ${title}`, (on, range) => this.tick(row.id, on, range));
    const cells = this.data.columns.map(({ name }) =>
      element("td", { className: `${name} ${CLASSES[name] ?? ""}` }, ...CELLS[name](row, this))
    );
    const made = element("tr", { className: row.href ? "opens" : "" }, element("td", {}, box), ...cells);
    made.dataset.id = row.id;
    const device = row.device ? `trained on ${row.device}` : "";
    made.querySelector(".seconds").title = device;
    made.querySelector(".accuracy").title = row.judged ? `share of right classes ${row.judged} validation images with a label` : "";
    if (["failed", "broken", "interrupted", "cancelled"].includes(row.state)) made.querySelector(".state").classList.add("stopped");
    made.addEventListener("click", (event) => {
      if (event.target.closest("input") || event.target.closest("td") === made.firstChild) return;
      if (getSelection().toString() && !event.target.closest("a")) return; // text was being marked
      if (row.href) this.open(row.id);
    });
    return made;
  }

  draw() {
    const at = this.root.getRootNode().activeElement?.dataset?.at;
    const all = this.box("tick-all", "Select every run", (on) => this.tickAll(on));
    const head = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, all), ...this.data.columns.map((one) => this.heading(one))));
    const body = element("tbody");
    for (const [name, rows] of grouped(sorted(this.data.rows, this.sort), this.data.group)) {
      if (name) {
        const title = `${name}, ${rows.length} ${rows.length === 1 ? "run" : "runs"}`;
        body.append(element("tr", { className: "group" }, element("th", { colSpan: this.data.columns.length + 1, scope: "colgroup", textContent: title })));
      }
      body.append(...rows.map((row) => this.row(row)));
    }
    const table = element("table", {}, head, body);
    table.setAttribute("aria-label", "Runs of the store");
    this.root.replaceChildren(table);
    this.mark();
    this.tellTime();
    if (at) this.root.querySelector(`[data-at="${at}"]`)?.focus();
  }

  tellTime() {
    for (const time of this.root.querySelectorAll("[data-updated]")) time.textContent = ago(Date.now() / 1000 - Number(time.dataset.updated));
  }
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".runs");
  const list = (root.list ??= new List(root));
  list.take(data, setStateValue, (id) => setTriggerValue("opened", id));
  clearInterval(root.clock); // Streamlit calls this again at times, and what it returns only at the very end
  root.clock = setInterval(() => list.tellTime(), 20_000);
  return () => clearInterval(root.clock);
}
