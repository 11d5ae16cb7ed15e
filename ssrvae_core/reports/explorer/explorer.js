// The explorer: bar, maps, pictures and one particle, over one state.
import { LARGEST, SMALLEST, addressOf, refusalText, selectionText, valuesOf } from "./address.js";
import { Bar } from "./bar.js";
import { ParticleCard } from "./card.js";
import { looksOf } from "./colours.js";
import { csvOf, save } from "./csv.js";
import { choice, figure, make, measured, thousands } from "./elements.js";
import { LIKENESS, both, found, groupedRows, inSight, marked, rowsOf, sortedRows, sortsOf } from "./filters.js";
import { PictureGrid } from "./grid.js";
import { PointMap } from "./map.js";
import { Stamps } from "./points.js";
import { ADD, REPLACE, TAKE, selected, withStep } from "./selection.js";
import { percent, share } from "./shares.js";
import { Sprites } from "./sprites.js";
import { State } from "./state.js";

const ORDERING = ["sort", "descending", "by"];

export class Explorer {
  // `options`: {sheets, look, address, shelf, keep, forget, linkOf, changed(explorer), ask(sheet), answers}.
  constructor(root, table, options) {
    Object.assign(this, { root, table, options, answer: null });
    table.partCounts = table.parts.map(() => 0);
    for (const part of table.columns.part) table.partCounts[part] += 1;
    this.sorts = sortsOf(table);
    this.usual = this.usualOf();
    const { values, refused } = valuesOf(options.address ?? {}, table, this.sorts, this.usual);
    this.state = new State(values);
    this.sprites = new Sprites({ ...options.sheets, n: table.n }, options.ask);
    this.cache = {};
    this.build();
    this.compute(new Set(Object.keys(values)));
    this.drawAll();
    this.state.on((changed) => this.hear(changed));
    if (refused.length) this.bar.say(refusalText(refused));
  }

  // Of two models the one that knows angles sorts and turns; pictures are as large as a screen has room for.
  usualOf() {
    const { table } = this;
    const knowing = table.models.findIndex((model) => model.turns);
    const unknown = table.columns.label.reduce((n, label) => n + (label < 0), 0);
    // Where few classes are known, those that the model finds tell more.
    const colour = unknown > table.n / 2 ? "predicted" : "class";
    return { ...new State().values, colour, by: Math.max(knowing, 0), ...this.options.usual };
  }

  get values() {
    return this.state.values;
  }

  set(changes) {
    this.state.set(changes);
  }

  build() {
    const { table, root, options } = this;
    const { look } = options;
    root.classList.add("explorer");
    root.classList.toggle("double", table.models.length > 1);
    const stamps = new Stamps(look.shapes, look.line);
    const shared = {
      ...look, ids: table.ids, stamps, sprites: this.sprites,
      label: (row) => this.label(row), caption: (row) => this.caption(row), colour: (row) => this.colourOf(row),
      turn: (row) => this.turn(row), lines: (row, model) => this.lines(row, model), title: (model) => this.title(model),
      kept: () => options.shelf.all(),
    };
    this.bar = new Bar(root, table, shared, {
      set: (changes) => this.set(changes),
      hide: (name, value) => this.hide(name, value),
      only: (name, value) => this.only(name, value),
      everything: (name) => this.set({ hidden: { ...this.values.hidden, [name]: [] } }),
      matches: () => this.selectMatches(),
      clear: () => this.clear(),
      link: () => options.link(this),
      linkable: () => selectionText(this.values.steps) !== null,
      keep: (name) => this.keep(name),
      use: (name) => this.use(name),
      forget: (name) => options.forget(name, this),
      csv: () => save(csvOf(table, this.pickedRows), "selection.csv", "text/csv"),
    });
    this.body = make("div", { class: "body" });
    root.append(this.body);
    const place = make("div", { class: "maps" });
    this.body.append(place);
    this.maps = table.models.map((model, index) => {
      const holder = make("figure", { class: "holder" }, make("figcaption", { textContent: this.title(index) }));
      place.append(holder);
      return new PointMap(holder, table, index, shared, {
        step: (step) => this.step(step),
        clear: () => this.clear(),
        open: (row) => this.open(row, false),
        hover: (row) => this.hover(row, index),
        zoom: (zoom) => this.set({ zooms: { ...this.values.zooms, [index]: zoom } }),
        tool: (tool) => this.maps.forEach((map) => map.use(tool)),
      });
    });
    this.side = make("div", { class: "side" });
    this.body.append(this.side);
    this.buildControls();
    this.grid = new PictureGrid(this.side, this.sprites, shared, {
      open: (row) => this.open(row, true),
      toggle: (row, event) => this.toggle(row, event),
      extend: (rows, begins) => this.extend(rows, begins),
      hover: (row) => this.hover(row, -1),
      move: (row) => this.values.open !== null && this.open(row, true),
    });
    this.card = new ParticleCard(this.side, table, this.sprites, { ...shared, decodes: options.decodes }, {
      open: (id) => this.open(table.row(id), true),
      close: () => this.close(),
      step: (by) => this.openNext(by),
      likeness: () => this.set({ sort: LIKENESS.name, descending: false }),
    });
    root.addEventListener("keydown", (event) => this.key(event));
  }

  buildControls() {
    const { table } = this;
    const check = (name, words) => {
      const box = make("input", { type: "checkbox", onchange: () => this.set({ [name]: box.checked }) });
      this.checks[name] = box;
      return make("label", {}, box, make("span", { textContent: words }));
    };
    this.checks = {};
    this.size = make("input", {
      type: "range", min: SMALLEST, max: LARGEST, step: 8, "aria-label": "Size of the pictures, pixels",
      oninput: () => this.set({ size: Number(this.size.value) }),
    });
    this.sort = choice("Sort by", this.sorts, "confidence", (sort) => this.set({ sort }));
    this.down = make("button", { type: "button", class: "down", onclick: () => this.set({ descending: !this.values.descending }) });
    this.by = table.models.length > 1
      ? choice("Model that sorts and turns", table.models.map(({ title }, i) => ({ name: String(i), label: title })), "0", (by) => this.set({ by: Number(by) }))
      : null;
    this.told = make("span", { class: "told" });
    const turns = table.models.some((model) => model.turns);
    this.controls = make("div", { class: "controls" }, this.told,
      make("label", {}, make("span", { textContent: "Sort" }), this.sort), this.down, this.by && make("label", {}, make("span", { textContent: "by" }), this.by),
      make("label", { class: "sized" }, make("span", { textContent: "Size" }), this.size),
      turns ? check("upright", "Upright") : null, check("grouped", "By class"), check("all", "All"));
    this.checks.all.parentNode.title = "Show all particles in sight, not only the selected ones";
    this.side.append(this.controls);
  }

  // Words.

  title(model) {
    const { title, accuracy, judged } = this.table.models[model];
    const words = accuracy === null || accuracy === undefined ? title : `${title}: right for ${percent(accuracy)} of ${thousands(judged)} validation images`;
    return words.replaceAll(" %", "\u00a0%"); // no line ends before the sign
  }

  // What is said of one particle.
  label(row) {
    const { table } = this;
    const by = this.values.by;
    const [label, predicted] = [table.columns.label[row], table.column("predicted", by)[row]];
    const truth = label < 0 ? "" : label === predicted ? ", right" : `, truly ${table.classes[label]}`;
    return `${table.ids[row]}: ${table.classes[predicted]} ${share(table.column("confidence", by)[row])}${truth}`;
  }

  caption(row) {
    const { table } = this;
    const { sort, by } = this.values;
    const colouring = table.colouring(sort);
    if (sort === "id" || sort === LIKENESS.name) return String(table.ids[row]);
    if (sort === "class" || !colouring) return table.classes[table.column("predicted", by)[row]];
    const value = table.column(colouring.column, by)[row];
    if (sort === "confidence") return share(value);
    if (value !== value) return "-";
    return colouring.unit === "degrees" ? `${Math.round(value)}\u00b0` : figure(value);
  }

  lines(row, model) {
    const { table } = this;
    const { columns } = table;
    const label = columns.label[row];
    const lines = [
      `Particle ${table.ids[row]}`,
      `${table.classes[table.column("predicted", model)[row]]}, ${share(table.column("confidence", model)[row])}`,
      label < 0 ? table.parts[columns.part[row]] : `true class ${table.classes[label]}, ${table.parts[columns.part[row]]}`,
    ];
    const { colouring, values } = this.cache.looks[model];
    const value = values[row];
    if (!colouring.categories && colouring.name !== "confidence") lines.push(`${colouring.label} ${value === value ? measured([value], colouring.unit) : "not known"}`);
    return lines;
  }

  colourOf(row) {
    const { look, looks } = this.cache.looks[this.values.by];
    return looks[look[row]].colour;
  }

  turn(row) {
    if (!this.values.upright) return 0;
    const angle = this.table.column("angle", this.values.by)[row];
    return angle === angle ? angle : 0;
  }

  // What follows from the choices; computed where one of them has changed.

  compute(changed) {
    const { table, values, cache } = this;
    const any = (...names) => names.some((name) => changed.has(name));
    if (any("colour")) cache.looks = table.models.map((_, model) => looksOf(table, values.colour, model));
    const seenBefore = cache.seen;
    if (any("hidden", "find", "by")) cache.seen = inSight(table, values);
    if (any("steps")) {
      cache.picked = selected(table, values.steps);
      this.pickedRows = rowsOf(cache.picked);
    }
    if (any("hidden", "find", "by", "steps")) {
      cache.chosen = both(cache.picked, cache.seen);
      this.chosenRows = rowsOf(cache.chosen);
      if (cache.seen !== seenBefore) cache.inSight = rowsOf(cache.seen).length;
    }
    if (any(...ORDERING) || (values.sort === LIKENESS.name && any("open"))) cache.order = sortedRows(table, rowsOf(new Uint8Array(table.n).fill(1)), values);
  }

  // Rows of the pictures: the selected ones, or all where none is, in their order.
  get pictured() {
    const { cache, values } = this;
    const marks = this.chosenRows.length && !values.all ? cache.chosen : cache.seen;
    return groupedRows(this.table, marked(cache.order, marks), values);
  }

  hear(changed) {
    const any = (...names) => names.some((name) => changed.has(name));
    this.compute(changed);
    if (any("hidden", "find", "by", "steps", "sort", "descending", "grouped", "all") || (this.values.sort === LIKENESS.name && any("open"))) {
      this.drawGrid(!any("steps", "sort", "descending", "grouped"));
    } else if (any("colour", "upright")) this.grid.refresh();
    if (any("size")) this.grid.resize(this.values.size);
    if (any("hidden", "find", "by", "steps", "open", "all")) this.markGrid();
    if (any("upright") && this.openRow >= 0) this.card.row = -2;
    if (any("colour", "hidden", "find", "steps", "x", "y", "by", "open")) this.drawMaps();
    if (any("zooms")) this.maps.forEach((map, i) => JSON.stringify(map.zoom) !== JSON.stringify(this.values.zooms[i] ?? null) && map.see(this.values.zooms[i] ?? null));
    if (any("open", "by", "upright")) this.card.show(this.openRow, this.answer, this.values.by);
    this.drawBar();
    this.options.changed(this, changed);
  }

  get openRow() {
    return this.values.open === null ? -1 : this.table.row(this.values.open);
  }

  drawAll() {
    const { values } = this;
    this.grid.size = values.size;
    this.drawGrid();
    this.markGrid();
    this.drawMaps();
    this.card.show(this.openRow, this.answer, values.by);
    this.drawBar();
  }

  drawGrid(stay = false) {
    const { rows, groups } = this.pictured;
    this.grid.show(rows, groups, { stay, nothing: "No particle passes the filters." });
    const what = this.chosenRows.length && !this.values.all ? "selected" : this.cache.inSight < this.table.n ? "in sight" : "in all";
    this.told.textContent = `${thousands(rows.length)} ${what}`;
  }

  // Where all pictures are selected ones, marking them tells nothing.
  markGrid() {
    this.grid.mark(this.cache.chosen, this.openRow, this.values.all);
  }

  drawMaps() {
    const { cache, values } = this;
    const chosen = this.chosenRows.length ? cache.chosen : null;
    this.maps.forEach((map, model) => map.show({
      marks: { ...cache.looks[model], seen: cache.seen, chosen }, dims: { x: values.x, y: values.y }, open: this.openRow,
      zoom: values.zooms[model] ?? map.zoom,
    }));
  }

  drawBar() {
    const { values, cache } = this;
    this.bar.draw(values, (name) => this.tally(name));
    this.bar.counts(this.pickedRows.length, this.chosenRows.length, cache.inSight);
    this.sort.value = values.sort;
    this.down.textContent = values.descending ? "\u2193" : "\u2191";
    this.down.setAttribute("aria-label", values.descending ? "Largest first; turn round" : "Smallest first; turn round");
    this.down.title = this.down.getAttribute("aria-label");
    if (this.by) this.by.value = String(values.by);
    this.size.value = String(values.size);
    for (const [name, box] of Object.entries(this.checks)) box.checked = values[name];
    this.checks.all.parentNode.hidden = !this.chosenRows.length;
  }

  // How many particles have each value of a colouring.
  tally(name) {
    const key = `tally ${name} ${this.values.by}`;
    if (!this.cache[key]) {
      const counts = new Map();
      for (const value of this.table.column(this.table.colouring(name).column, this.values.by)) counts.set(value, (counts.get(value) ?? 0) + 1);
      this.cache[key] = counts;
    }
    return this.cache[key];
  }

  // What a reader does.

  step(step) {
    this.set({ steps: withStep(this.values.steps, step), all: false });
  }

  select(ids) {
    this.step({ how: REPLACE, ids });
  }

  toggle(row, event) {
    const id = this.table.ids[row];
    if (event.shiftKey && event.type === "click" && this.anchor !== undefined) {
      const { rows } = this.grid;
      const [from, to] = [rows.indexOf(this.anchor), rows.indexOf(row)].sort((a, b) => a - b);
      if (from >= 0) this.set({ steps: [...this.values.steps, { how: ADD, ids: this.table.idsOf(rows.subarray(from, to + 1)) }], all: this.wide() });
      return;
    }
    this.anchor = row;
    const all = this.wide();
    this.set({ steps: [...this.values.steps, { how: this.cache.chosen[row] ? TAKE : ADD, ids: [id] }], all });
  }

  // Shift and arrows: what was selected before, and all on the way.
  extend(rows, begins) {
    if (begins) this.before = this.values.steps;
    this.set({ steps: [...this.before, { how: ADD, ids: this.table.idsOf(rows) }], all: this.wide() });
  }

  // Pictures stay where they are while some of them are selected one by one.
  wide() {
    return this.values.all || !this.chosenRows.length;
  }

  selectMatches() {
    const marks = found(this.table, this.values.find);
    if (!marks) return;
    // Added, as replacing a selection that the search hides would lose it unseen.
    const step = { how: this.pickedRows.length ? ADD : REPLACE, ids: this.table.idsOf(rowsOf(marks)) };
    this.set({ steps: withStep(this.values.steps, step), find: "", all: false });
  }

  clear() {
    this.set({ steps: [], all: false });
  }

  hide(name, value) {
    const now = this.values.hidden[name] ?? [];
    const some = now.includes(value) ? now.filter((one) => one !== value) : [...now, value].sort((a, b) => a - b);
    this.set({ hidden: { ...this.values.hidden, [name]: some } });
  }

  only(name, value) {
    const others = this.table.colouring(name).categories.map((one) => one.value).filter((one) => one !== value);
    this.set({ hidden: { ...this.values.hidden, [name]: others } });
  }

  keep(name) {
    if (!this.pickedRows.length) {
      this.bar.say("Nothing is selected, so there is nothing to keep.");
      return;
    }
    this.bar.say("");
    this.options.keep(name, this.ids, this);
    this.drawBar();
  }

  use(name) {
    const ids = this.options.shelf.ids(name);
    if (ids) this.select(ids);
    this.bar.kept.element.open = false;
  }

  // Ids of what is selected, ascending, whether or not it passes the filters.
  get ids() {
    return this.table.idsOf(this.pickedRows);
  }

  hover(row, from) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.maps.forEach((map, index) => map.point(index === from || from < 0 || row >= 0 ? row : -1, this.openRow));
  }

  open(row, stay) {
    if (row < 0) return;
    this.set({ open: this.table.ids[row] });
    if (!stay) this.grid.reveal(row);
  }

  openNext(by) {
    const { rows } = this.grid;
    const at = rows.indexOf(this.openRow);
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (next === undefined) return;
    this.open(next, false);
  }

  close() {
    const row = this.openRow;
    this.set({ open: null });
    if (row >= 0) this.grid.focus(row);
  }

  // What only a model can say of the particle that is open.
  answered(answer) {
    this.answer = answer;
    if (answer && answer.id === String(this.values.open)) this.card.show(this.openRow, answer, this.values.by);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]):not([type=range]), select")) return;
    if (event.key === "Escape") {
      if (this.values.open !== null) this.close();
      else this.clear();
    } else if (event.key === "/") this.bar.find.focus();
    else if (event.key === "u" && this.checks.upright) this.set({ upright: !this.values.upright });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Plotly may come later than the pictures.
  draw(Plotly) {
    return Promise.all(this.maps.map((map) => map.begin(Plotly)));
  }

  get address() {
    return addressOf(this.values, this.usual);
  }

  themed() {
    this.maps.forEach((map) => map.repaint());
  }
}
