// The explorer: bar, maps, pictures and one particle, over one state.
import { addressOf, refusalText, selectionText, valuesOf } from "./address.js";
import { Bar } from "./bar.js";
import { ParticleCard } from "./card.js";
import { csvOf, save } from "./csv.js";
import { Derived } from "./derived.js";
import { make } from "./elements.js";
import { LIKENESS, found, rowsOf, sortsOf } from "./filters.js";
import { PictureGrid } from "./grid.js";
import { GridControls } from "./gridcontrols.js";
import { PointMap } from "./map.js";
import { Stamps } from "./points.js";
import { ADD, REPLACE, TAKE, withStep } from "./selection.js";
import { Sprites } from "./sprites.js";
import { State } from "./state.js";
import { captionOf, labelOf, pointLines, titleOf } from "./words.js";

export class Explorer {
  // `options`: {sheets, look, address, shelf, keep, forget, linkOf, changed(explorer), ask(sheet), answers}.
  constructor(root, table, options) {
    Object.assign(this, { root, table, options, answer: null });
    table.partCounts = table.parts.map(() => 0);
    for (const part of table.columns.part) table.partCounts[part] += 1;
    this.sorts = sortsOf(table);
    this.usual = this.usualOf();
    const { values, refused } = valuesOf(options.address ?? {}, table, this.sorts, this.usual);
    this.state = new State({ ...values, ...this.sortable(values) });
    this.sprites = new Sprites({ ...options.sheets, n: table.n }, options.ask);
    this.cache = new Derived(table);
    this.build();
    this.cache.compute(new Set(Object.keys(values)), this.values);
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
    this.state.set({ ...changes, ...this.sortable({ ...this.values, ...changes }) });
  }

  // Likeness is likeness to the particle that is open: without one, pictures stand in their usual order.
  sortable({ sort, open }) {
    const { sort: usual, descending } = this.usual;
    return sort === LIKENESS.name && open === null ? { sort: usual, descending } : {};
  }

  build() {
    const { table, root } = this;
    root.classList.add("explorer");
    root.classList.toggle("double", table.models.length > 1);
    const shared = this.sharedLook();
    this.buildBar(shared);
    const body = make("div", { class: "body" });
    root.append(body);
    this.buildMaps(body, shared);
    this.buildSide(body, shared);
    root.addEventListener("keydown", (event) => this.key(event));
  }

  // What bar, maps, pictures and card draw with.
  sharedLook() {
    const { table, options } = this;
    const { look } = options;
    return {
      ...look, ids: table.ids, stamps: new Stamps(look.shapes, look.line), sprites: this.sprites,
      label: (row) => labelOf(table, row, this.values.by), caption: (row) => captionOf(table, row, this.values),
      colour: (row) => this.colourOf(row), turn: (row) => this.turn(row), lines: (row, model) => this.lines(row, model),
      title: (model) => titleOf(table, model),
      kept: () => options.shelf.all(),
    };
  }

  buildBar(shared) {
    const { table, options } = this;
    this.bar = new Bar(this.root, table, shared, {
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
      csv: () => save(csvOf(table, this.cache.pickedRows), "selection.csv", "text/csv"),
    });
  }

  buildMaps(body, shared) {
    const { table } = this;
    const place = make("div", { class: "maps" });
    body.append(place);
    this.maps = table.models.map((model, index) => {
      const holder = make("figure", { class: "holder" }, make("figcaption", { textContent: titleOf(table, index) }));
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
  }

  // Beside the maps: the pictures and what arranges them, and one particle.
  buildSide(body, shared) {
    const { table, options } = this;
    const side = make("div", { class: "side" });
    body.append(side);
    this.controls = new GridControls(side, table, this.sorts, {
      set: (changes) => this.set(changes),
      turnRound: () => this.set({ descending: !this.values.descending }),
    });
    this.grid = new PictureGrid(side, this.sprites, shared, {
      open: (row) => this.open(row, true),
      toggle: (row, event) => this.toggle(row, event),
      extend: (rows, begins) => this.extend(rows, begins),
      hover: (row) => this.hover(row, -1),
      move: (row) => this.values.open !== null && this.open(row, true),
    });
    this.card = new ParticleCard(side, table, this.sprites, { ...shared, decodes: options.decodes }, {
      open: (id) => this.open(table.row(id), true),
      close: () => this.close(),
      step: (by) => this.openNext(by),
      likeness: () => this.set({ sort: LIKENESS.name, descending: false }),
    });
  }

  lines(row, model) {
    return pointLines(this.table, row, model, this.cache.looks[model]);
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

  hear(changed) {
    const any = (...names) => names.some((name) => changed.has(name));
    this.cache.compute(changed, this.values);
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
    const { rows, groups } = this.cache.pictured(this.values);
    this.grid.show(rows, groups, { stay, nothing: "No particle passes the filters." });
    const what = this.cache.chosenRows.length && !this.values.all ? "selected" : this.cache.inSight < this.table.n ? "in sight" : "in all";
    this.controls.count(rows.length, what);
  }

  // Where all pictures are selected ones, marking them tells nothing.
  markGrid() {
    this.grid.mark(this.cache.chosen, this.openRow, this.values.all);
  }

  drawMaps() {
    const { cache, values } = this;
    const chosen = cache.chosenRows.length ? cache.chosen : null;
    this.maps.forEach((map, model) => map.show({
      marks: { ...cache.looks[model], seen: cache.seen, chosen }, dims: { x: values.x, y: values.y }, open: this.openRow,
      zoom: values.zooms[model] ?? map.zoom,
    }));
  }

  drawBar() {
    const { values, cache } = this;
    this.bar.draw(values, (name) => cache.tally(name, values.by));
    this.bar.counts(cache.pickedRows.length, cache.chosenRows.length, cache.inSight);
    this.controls.draw(values, cache.chosenRows.length > 0);
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
    return this.values.all || !this.cache.chosenRows.length;
  }

  selectMatches() {
    const marks = found(this.table, this.values.find);
    if (!marks) return;
    if (!marks.includes(1)) {
      this.bar.miss();
      return;
    }
    // Added, as replacing a selection that the search hides would lose it unseen.
    const step = { how: this.cache.pickedRows.length ? ADD : REPLACE, ids: this.table.idsOf(rowsOf(marks)) };
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
    if (!this.cache.pickedRows.length) {
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
    return this.table.idsOf(this.cache.pickedRows);
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
    else if (event.key === "u" && this.controls.checks.upright) this.set({ upright: !this.values.upright });
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
