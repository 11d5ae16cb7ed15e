// The library of a run: its classes side by side, over one table of particles and one state that the server keeps.
import { refusalText } from "./address.js";
import { ParticleCard } from "./card.js";
import { choicesOf, measuresOf, partsOf, shownRows } from "./choices.js";
import { ClassColumn } from "./column.js";
import { LibraryBar } from "./controls.js";
import { Dragging } from "./dragging.js";
import { figure, make } from "./elements.js";
import { LIKENESS, rowsOf, sortedRows, sortsOf } from "./filters.js";
import { idsOfRanges, rangesOf } from "./ids.js";
import { BY, NO_CLASS, afterClick, binnedCounts, boxed, edgesOf, meant, rowsByClass, tallied, tallyText, withMoves } from "./marks.js";
import { share } from "./shares.js";
import { Sprites } from "./sprites.js";
import { ThresholdSlider } from "./threshold.js";

const NONE_NAME = "None of these";
const BY_TEXT = ["by model", "by label", "outlier", "by hand"]; // in the order of `BY`
const BETWEEN = 6; // pixels between pictures, as the grid has them

export class LibraryView {
  // `options`: {sheets, ask(sheet), act(action), changed(), address, who, known, keepWho(name), readonly, decodes, colour, trusted}.
  constructor(root, table, options) {
    Object.assign(this, { root, table, options, columns: new Map(), only: null, open: -1, answer: null, stats: null });
    this.who = options.who;
    this.sorts = sortsOf(table).filter(({ name }) => name !== LIKENESS.name);
    this.measures = measuresOf(table);
    const { values, ids, refused } = choicesOf(options.address ?? {}, this.sorts, table.ids);
    this.values = { ...values, measure: this.measures[0]?.name ?? null };
    this.chosen = marksOf(table, ids);
    this.sprites = new Sprites({ ...options.sheets, n: table.n }, options.ask);
    this.order();
    this.build();
    if (refused.length) this.bar.say(refusalText(refused));
  }

  get address() {
    return partsOf(this.values, this.ids);
  }

  get ids() {
    return this.table.idsOf(rowsOf(this.chosen));
  }

  build() {
    const { root, table, options } = this;
    root.classList.add("explorer", "library");
    root.tabIndex = -1;
    const look = {
      ids: table.ids, label: (row) => this.label(row), caption: (row) => this.caption(row), colour: (row) => this.colourOf(row),
      turn: (row) => this.turn(row), decodes: options.decodes, marked: (row) => this.library.origin[row] === BY.HAND, facts: (row) => this.facts(row),
    };
    this.look = look;
    const turns = table.models.some((model) => model.turns);
    this.bar = new LibraryBar(root, { sorts: this.sorts, measures: this.measures, turns, readonly: options.readonly, known: options.known }, {
      set: (changes) => this.set(changes.descending === null ? { descending: !this.values.descending } : changes),
      move: (number) => this.move(number), split: (name) => this.split(name),
      undo: () => this.back("undo"), redo: () => this.back("redo"), clear: () => this.clear(), alone: () => this.alone(this.chosen),
      everything: () => this.alone(null), who: (name) => this.sign(name),
    });
    this.place = make("div", { class: "columns" });
    this.foot = make("p", { class: "foot" });
    root.append(this.place, this.foot, make("p", { class: "foot keys", textContent: keysText(options.readonly) }));
    this.dragging = new Dragging(root, {
      marked: (row) => Boolean(this.chosen[row]), boxed: (column, box, adding) => this.box(column, box, adding),
      carried: (row) => (row < 0 ? rowsOf(this.chosen).length : 1), drop: (number, row) => this.move(number, row < 0 ? null : [row]),
    }, options.readonly);
    this.card = new ParticleCard(root, table, this.sprites, look, {
      open: (id) => this.openRow(table.row(id)), close: () => this.closeCard(), step: (by) => this.openNext(by), likeness: () => {},
    });
    root.addEventListener("keydown", (event) => this.key(event));
    // What was refused before is not about what is tried now.
    root.addEventListener("invalid", () => this.bar.say(""), true);
    root.addEventListener("toggle", (event) => event.target.open && this.bar.say(""), true);
  }

  // What the server says: `library`: {classes, place, model, origin, moved, threshold, undo, redo}, `model` where the model
  // would put each particle and `moved` [[who, when, rows]]; moves on their way come on top.
  receive(library, pending = []) {
    const positions = library.classes.map(({ number }) => number);
    const rowsOfMove = ({ ids, to }) => ({ to, rows: (idsOfRanges(ids, this.table.ids) ?? []).map((id) => this.table.row(id)) });
    const moves = pending.filter(({ kind }) => kind === "move").map(rowsOfMove);
    this.library = { ...library, ...withMoves(library.place, library.origin, moves, positions) };
    this.movers = new Map(library.moved.flatMap(([who, when, rows]) => rows.map((row) => [row, `${who}, ${when}`])));
    this.drawColumns();
    if (this.open >= 0 && this.factsShown !== JSON.stringify(this.facts(this.open))) this.drawCard();
  }

  // Whether an outlier is a false alarm is known from other images once some are moved.
  trust(trusted) {
    this.options.trusted = trusted;
    if (this.threshold) this.threshold.trusted = trusted;
  }

  // Columns stay who they are; those of new classes are put in their places.
  drawColumns() {
    const { classes } = this.library;
    const wanted = [...classes.map(({ number }) => number), NO_CLASS];
    for (const [number, column] of this.columns) {
      if (wanted.includes(number)) continue;
      column.element.remove();
      this.columns.delete(number);
    }
    for (const number of wanted) {
      if (!this.columns.has(number)) {
        const column = new ClassColumn(this.place, number, this.sprites, this.look, {
          open: (row, event, from) => this.picked(row, event, from), toggle: (row, event, from) => this.toggled(row, event, from),
          extend: (rows, begins) => this.extended(rows, begins),
          rename: (which, name) => this.act({ kind: "rename", number: which, name }), all: (from) => this.selectAll(from),
          merge: (which, into) => this.act({ kind: "merge", numbers: [which], into }),
        }, this.options.readonly);
        this.columns.set(number, column);
        this.dragging.watch(column);
        column.grid.size = this.values.size;
        if (number === NO_CLASS) this.threshold = new ThresholdSlider(column.extra, this.scores, this.options.trusted, (value) => this.act({ kind: "threshold", value }), this.options.readonly);
      }
      const { element } = this.columns.get(number);
      const at = wanted.indexOf(number);
      if (this.place.children[at] !== element) this.place.insertBefore(element, this.place.children[at] ?? null);
    }
    this.draw(true);
  }

  get scores() {
    return this.table.column("outlier", 0);
  }

  get classes() {
    const own = this.library.classes.map((one, i) => ({ ...one, key: i < 9 ? String(i + 1) : "" }));
    return [...own, { number: NO_CLASS, name: NONE_NAME, colour: this.options.neutral, key: "0" }];
  }

  order() {
    const { sort, descending } = this.values;
    this.sorted = sortedRows(this.table, Int32Array.from({ length: this.table.n }, (_, row) => row), { sort, descending, by: 0, open: null });
  }

  get seen() {
    const shown = shownRows(this.values.shown, this.library.origin, this.table.columns.part);
    if (!shown && !this.only) return null;
    const marks = new Uint8Array(this.table.n);
    for (let row = 0; row < marks.length; row += 1) marks[row] = (!shown || shown(row)) && (!this.only || this.only[row]) ? 1 : 0;
    return marks;
  }

  draw(stay = false) {
    const { table, library, values } = this;
    const { classes } = this;
    const lists = rowsByClass(this.sorted, library.place, library.classes.length, this.seen);
    const totals = new Array(classes.length).fill(0);
    for (const at of library.place) totals[at < 0 ? classes.length - 1 : at] += 1;
    classes.forEach((one, i) => {
      const others = library.classes.filter(({ number }) => number !== one.number);
      this.columns.get(one.number).show({ ...one, others }, lists[i], totals[i], stay);
    });
    this.drawHistograms();
    this.threshold.show(library.threshold, library.origin);
    this.tally = tallyText(tallied(library.place, library.origin), table.n, library.classes.length);
    this.told(this.stats);
    this.mark();
  }

  drawHistograms() {
    const measure = this.measures.find(({ name }) => name === this.values.measure);
    const values = measure && this.table.column(measure.column, 0);
    const edges = values && edgesOf(values);
    const lists = rowsByClass(this.sorted, this.library.place, this.library.classes.length);
    this.classes.forEach(({ number }, i) => this.columns.get(number).draw(edges ? binnedCounts(values, lists[i], edges) : null, edges, measure?.label, measure?.unit));
  }

  mark() {
    for (const column of this.columns.values()) column.grid.mark(this.chosen, this.open, true);
    const { library } = this;
    this.bar.draw({
      tally: this.tally, selected: this.ids.length, classes: this.classes, undo: library.undo?.words, redo: library.redo?.words,
      values: this.values, only: this.only && rowsOf(this.only).length, who: this.who,
    });
  }

  // Averages, fractions and what they are known from, once the server has them for this state.
  told(stats) {
    this.stats = stats;
    const waiting = stats?.placed !== this.library.placed; // a name, or a threshold that moves nobody, changes none of them
    for (const { number, members } of this.classes) {
      const known = stats?.classes.find((one) => one.number === number) ?? null;
      this.columns.get(number).tell(known, { waiting, averages: known?.members !== members });
    }
    this.foot.textContent = stats && !waiting ? stats.words : "Averages and true shares are being worked out.";
  }

  // What a reader does.

  set(changes) {
    Object.assign(this.values, changes);
    if ("sort" in changes || "descending" in changes) this.order();
    if ("measure" in changes) this.drawHistograms();
    if ("size" in changes) for (const column of this.columns.values()) column.grid.resize(this.values.size);
    if ("sort" in changes || "descending" in changes || "shown" in changes) this.draw();
    else if ("upright" in changes) for (const column of this.columns.values()) column.grid.refresh();
    if ("upright" in changes) this.drawCard();
    this.mark();
    this.options.changed();
  }

  choose(marks) {
    this.chosen = marks;
    this.mark();
    this.options.changed();
  }

  select(ids, alone = false) {
    const marks = marksOf(this.table, ids);
    this.choose(marks);
    if (alone) this.alone(marks);
  }

  alone(marks) {
    this.only = marks && marks.slice();
    this.draw();
  }

  clear() {
    this.choose(new Uint8Array(this.table.n));
  }

  selectAll(column) {
    const marks = this.chosen.slice();
    for (const row of column.rows) marks[row] = 1;
    this.choose(marks);
  }

  picked(row, event, column) {
    if (event.type === "click" && event.detail < 2) {
      const touched = event.pointerType === "touch";
      this.choose(afterClick(this.chosen, column.rows, row, this.anchor, { toggle: touched }));
      this.anchor = row;
      if (this.open >= 0) this.openRow(row);
    } else this.openRow(row);
  }

  toggled(row, event, column) {
    const shift = event.shiftKey && event.type === "click" && column.rows.indexOf(this.anchor) >= 0;
    this.choose(afterClick(this.chosen, column.rows, row, this.anchor, { shift, toggle: !shift }));
    if (!shift) this.anchor = row;
  }

  // Shift and arrows: what was selected before, and all on the way.
  extended(rows, begins) {
    if (begins) this.beforeKeys = this.chosen.slice();
    const marks = this.beforeKeys.slice();
    for (const row of rows) marks[row] = 1;
    this.anchor = rows[0];
    this.choose(marks);
  }

  box(column, area, adding) {
    const { across, side, pitch } = column.grid;
    this.before ??= adding ? this.chosen.slice() : new Uint8Array(this.table.n);
    const marks = this.before.slice();
    for (const at of boxed({ gap: BETWEEN, across, side, pitch, count: column.rows.length }, area)) marks[column.rows[at]] = 1;
    this.choose(marks);
    addEventListener("pointerup", () => (this.before = null), { once: true });
  }

  // Move rows, or what is selected, or else the particle that is open or has the keyboard.
  move(number, rows = null) {
    if (this.options.readonly) return;
    let some = rows ?? Array.from(rowsOf(this.chosen));
    const single = !some.length;
    if (single) some = [this.current].filter((row) => row >= 0);
    if (!some.length) {
      this.bar.say("No particle is selected; click pictures, or go to one with the arrow keys, first.");
      return;
    }
    const next = this.open >= 0 ? this.after(this.open) : -1;
    const ids = this.table.idsOf([...some].sort((a, b) => a - b));
    this.act({ kind: "move", ids: rangesOf(ids), to: number }, () => {
      this.clear();
      if (this.open >= 0 && next >= 0) this.openRow(next);
    });
  }

  get current() {
    if (this.open >= 0) return this.open;
    const focused = document.activeElement?.closest?.(".library .picture");
    return focused ? focused.row : -1;
  }

  split(name) {
    const { ids } = this;
    this.act({ kind: "split", ids: rangesOf(ids), name }, () => this.clear());
  }

  back(kind) {
    const last = this.library[kind];
    if (last) this.act({ kind, entry: last.entry });
  }

  // Changes are by somebody: whose they are is asked once.
  act(action, then = () => {}) {
    if (this.options.readonly) return;
    this.bar.say("");
    if (!this.who) {
      this.waiting = [action, then];
      this.bar.askWho(true, "");
      return;
    }
    this.options.act({ ...action, who: this.who });
    then();
  }

  sign(name) {
    this.who = name;
    this.options.keepWho(name);
    this.bar.askWho(false, name);
    this.root.focus({ preventScroll: true });
    this.mark();
    const waiting = this.waiting;
    this.waiting = null;
    if (waiting) this.act(...waiting);
  }

  // One particle.

  openRow(row) {
    this.open = row;
    this.mark();
    this.drawCard();
    this.options.changed();
  }

  drawCard() {
    this.factsShown = JSON.stringify(this.facts(this.open));
    this.card.row = -2;
    this.card.show(this.open, this.answer, 0);
  }

  answered(answer) {
    this.answer = answer;
    if (this.open >= 0 && answer?.id === String(this.table.ids[this.open])) this.drawCard();
  }

  closeCard() {
    const row = this.open;
    this.openRow(-1);
    for (const column of this.columns.values()) if (column.rows.indexOf(row) >= 0) column.grid.focus(row);
  }

  after(row, by = 1) {
    for (const { rows } of this.columns.values()) {
      const at = rows.indexOf(row);
      if (at >= 0) return rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    }
    return -1;
  }

  openNext(by) {
    const next = this.after(this.open, by);
    if (next >= 0 && next !== this.open) this.openRow(next);
  }

  key(event) {
    if (event.target.matches("input:not([type=checkbox]):not([type=range]), select")) return;
    const asked = meant(event, this.library.classes.length);
    if (!asked) return;
    if (asked.kind === "clear" && this.open >= 0) this.closeCard();
    else if (asked.kind === "clear") this.clear();
    else if (asked.kind === "upright") this.set({ upright: !this.values.upright });
    else if (asked.kind === "all") this.allAround(event.target);
    else if (this.options.readonly) return;
    else if (asked.kind === "missing") this.bar.say(missingText(asked.key, this.library.classes.length));
    else if (asked.kind === "split" && !this.bar.newClass.disabled) this.bar.askName(true);
    else if (asked.kind === "move") this.move(asked.at === NO_CLASS ? NO_CLASS : this.library.classes[asked.at].number);
    else if (asked.kind === "undo" || asked.kind === "redo") this.back(asked.kind);
    event.preventDefault();
    event.stopPropagation();
  }

  allAround(target) {
    const number = target.closest("[data-class]")?.dataset.class;
    const some = number === undefined ? [...this.columns.values()] : [this.columns.get(Number(number))];
    some.forEach((column) => this.selectAll(column));
  }

  // Words and looks.

  classOf(row) {
    const at = this.library.place[row];
    return at < 0 ? this.classes[this.classes.length - 1] : this.library.classes[at];
  }

  label(row) {
    const by = ["by the model", "by its label", "beyond the threshold", "by hand"][this.library.origin[row]];
    const sure = `confidence ${share(this.table.column("confidence", 0)[row])}`;
    const said = this.differs(row) ? `the model says ${this.modelOf(row)}, ${sure}` : sure;
    return `${this.table.ids[row]}: ${this.classOf(row).name} ${by}, ${said}`;
  }

  // Whether the model would put a particle elsewhere: its confidence is not in the class that the particle is in.
  differs(row) {
    return this.library.place[row] !== this.library.model[row];
  }

  modelOf(row) {
    return this.library.classes[this.library.model[row]].name;
  }

  // What the card says of a particle's class here.
  facts(row) {
    if (row < 0) return [];
    const { origin } = this.library;
    const own = [["Class here", `${this.classOf(row).name}, ${BY_TEXT[origin[row]]}`]];
    if (origin[row] === BY.HAND) own.push(["Moved by", this.movers.get(row) ?? "being written"]);
    return own;
  }

  caption(row) {
    const { sort } = this.values;
    const colouring = this.table.colouring(sort);
    if (sort === "class" || !colouring) return String(this.table.ids[row]);
    const value = this.table.column(colouring.column, 0)[row];
    if (sort === "confidence" && this.differs(row)) return BY_TEXT[this.library.origin[row]];
    return sort === "confidence" ? share(value) : value === value ? figure(value) : "-";
  }

  colourOf(row) {
    return this.classOf(row).colour;
  }

  turn(row) {
    if (!this.values.upright) return 0;
    const angle = this.table.column("angle", 0)[row];
    return angle === angle ? angle : 0;
  }
}

function marksOf(table, ids) {
  const marks = new Uint8Array(table.n);
  for (const id of ids) if (table.row(id) >= 0) marks[table.row(id)] = 1;
  return marks;
}

function missingText(key, classes) {
  return `No class has the key ${key}: ${classes > 1 ? `the keys 1 to ${classes} move` : "the key 1 moves"} particles to a class, and 0 to none of these.`;
}

function keysText(readonly) {
  const select = "Select: click, Shift-click, Shift and arrows, Space, or drag a box. Open: double click or Enter.";
  return readonly ? select : `${select} Move: keys 1 to 9 and 0, or drag what is selected onto a class. Undo: z.`;
}
