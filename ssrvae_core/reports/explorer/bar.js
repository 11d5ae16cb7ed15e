// The bar above: colour, parts, search, the legend that filters, the counter, and what can be done with a selection.
import { gradient } from "./colours.js";
import { askingButton, button, choice, figure, make, marker, nameField, showCount, thousands, tooLong } from "./elements.js";

// Put others in the place of an element's children; the keyboard stays on the one that takes the place of its own.
function refill(element, ...children) {
  const stops = () => Array.from(element.querySelectorAll("button, input"));
  const at = stops().indexOf(element.getRootNode().activeElement);
  element.replaceChildren(...children);
  if (at >= 0) stops()[at]?.focus({ preventScroll: true });
}

const PREDICTED = "What the model says, also of labelled particles; a library counts those under their labels";

export class Bar {
  // `on`: {set(changes), hide(name, value), only(name, value), everything(), matches(), clear(), link(), linkable(), keep(name), use(name), forget(name), csv()}.
  constructor(place, table, look, on) {
    Object.assign(this, { table, look, on });
    this.colour = choice("Colour by", table.colourings, "class", (colour) => on.set({ colour }), { class: "colour" });
    this.parts = make("span", { class: "parts", role: "group", "aria-label": "Parts of the data set" });
    this.find = make("input", {
      type: "search", class: "find", placeholder: "Id or name", "aria-label": "Search by id, file or micrograph; Enter adds what is found to the selection",
      title: "Id, or part of the name of a file or micrograph; Enter selects what is found, beside what is selected already",
      oninput: () => {
        if (this.missed) this.say("");
        on.set({ find: this.find.value });
      }, onkeydown: (event) => {
        if (event.key === "Enter") on.matches();
        if (event.key === "Escape") on.set({ find: "" });
        event.stopPropagation();
      },
    });
    this.count = make("b", { "data-selected": "", textContent: "0" });
    this.ofAll = make("span");
    this.live = make("span", { class: "unseen", role: "status", "aria-live": "polite" });
    this.clear = button("Clear", () => on.clear(), { "aria-label": "Clear the selection (Escape)" });
    this.csv = look.csv ? button("CSV", () => on.csv(), { "aria-label": "Selected particles as CSV" }) : null;
    this.link = button("Copy link", () => this.copy(), { class: "link" });
    const all = thousands(table.n);
    // The widest it can be has its room at once, or a selection would break the bar into more lines and move the maps.
    const counter = make("span", { class: "counter" }, make("span", {}, this.count, this.ofAll),
      make("span", { class: "room", "data-count": all, "data-words": ` of ${all} selected` }));
    this.kept = new Kept(look, on);
    this.top = make("div", { class: "bar" },
      make("label", {}, make("span", { textContent: "Colour" }), this.colour),
      this.axes(), this.parts, this.find,
      make("span", { class: "selection" }, counter, this.clear, this.kept.element, this.csv, this.link, this.live));
    this.legend = make("div", { class: "legend", role: "group", "aria-label": "Legend; each entry hides or shows its particles" });
    this.notice = make("p", { class: "notice", role: "status", hidden: true });
    place.append(this.top, this.legend, this.notice);
  }

  axes() {
    const most = Math.max(...this.table.models.map(({ dims }) => dims));
    if (most < 3) return null;
    const latents = Array.from({ length: most }, (_, d) => ({ name: String(d), label: `z${d + 1}` }));
    this.across = choice("Latent across", latents, "0", (x) => this.on.set({ x: Number(x), zooms: {} }));
    this.up = choice("Latent up", latents, "1", (y) => this.on.set({ y: Number(y), zooms: {} }));
    return make("span", { class: "axes" }, this.across, this.up);
  }

  async copy() {
    const done = await this.on.link();
    this.link.textContent = done ? "Copied" : "Not copied";
    clearTimeout(this.again);
    this.again = setTimeout(() => (this.link.textContent = "Copy link"), 1500);
    if (!done) this.say("The browser does not let this page copy; the address of the page is the link.");
    else if (!this.on.linkable()) this.say("The selection is too long for a link, which restores all else; keep it under a name instead.");
  }

  // Nothing is found for what is searched for; told until that is another.
  miss() {
    this.say(`No id, file or micrograph is found for '${this.find.value.trim()}'.`);
    this.missed = true;
  }

  say(words) {
    this.missed = false;
    this.notice.textContent = words;
    this.notice.hidden = !words;
  }

  // How many are selected, how many of these the filters let through, and how many of all.
  counts(picked, chosen, inSight) {
    showCount(this.count, picked);
    const seen = `${thousands(chosen)} in view`;
    this.ofAll.textContent = picked === chosen ? ` of ${thousands(inSight)} selected` : `, ${seen}`;
    this.clear.disabled = !picked;
    if (this.csv) this.csv.disabled = !chosen;
    this.live.textContent = `${thousands(picked)}${picked === chosen ? this.ofAll.textContent : ` selected, ${seen}`}`;
  }

  draw(values, tally) {
    const { table } = this;
    this.colour.value = values.colour;
    if (this.across) Object.assign(this.across, { value: String(values.x) });
    if (this.up) Object.assign(this.up, { value: String(values.y) });
    if (this.find.value !== values.find) this.find.value = values.find;
    this.drawParts(values);
    const colouring = table.colouring(values.colour);
    const shown = colouring.categories ? colouring : table.colouring("predicted");
    const entries = this.entries(shown, values, tally(shown.name));
    const others = Object.entries(values.hidden).filter(([name, some]) => some.length && name !== shown.name && name !== "part");
    refill(this.legend,
      colouring.categories ? "" : this.scale(colouring),
      make("span", { class: "lead", title: shown.name === "predicted" ? PREDICTED : "", textContent: `${shown.label}${this.whose(shown, values.by)}:` }), ...entries,
      ...others.map(([name]) => button(`${table.colouring(name).label}: filtered`, () => this.on.everything(name), { class: "other", title: "Show all again" })));
    this.kept.draw(this.look.kept());
  }

  // Of two models the one whose classes the legend counts and hides, where they may differ in them.
  whose({ column }, by) {
    const { models, columns } = this.table;
    return models.length > 1 && !columns[column] ? ` by ${models[by].title}` : "";
  }

  drawParts({ hidden }) {
    const { table } = this;
    const counts = table.partCounts;
    const there = table.parts.map((name, value) => ({ name, value })).filter(({ value }) => counts[value]);
    this.parts.hidden = there.length < 2;
    const gone = hidden.part ?? [];
    refill(this.parts, ...there.map(({ name, value }) => make("label", {},
      make("input", { type: "checkbox", checked: !gone.includes(value), onchange: () => this.on.hide("part", value) }),
      make("span", { textContent: `${name} ${thousands(counts[value])}` }))));
  }

  scale({ label, scale, low, high, unit }) {
    const words = [figure(low), figure(high)];
    return make("span", { class: "scale", role: "img", "aria-label": `${label} from ${words[0]} to ${words[1]} ${unit}` },
      make("span", { textContent: words[0] }), make("span", { class: "ramp", style: { background: gradient(this.table.scales[scale]) } }),
      make("span", { textContent: `${words[1]}${unit ? ` ${unit}` : ""}` }));
  }

  entries({ name, categories }, { hidden }, counts) {
    const gone = hidden[name] ?? [];
    return categories.filter(({ value }) => counts.get(value)).map((one) => make("button", {
      type: "button", class: "entry", "aria-pressed": gone.includes(one.value) ? "false" : "true",
      title: "Click hides or shows, double click shows only these",
      onclick: () => this.on.hide(name, one.value), ondblclick: () => this.on.only(name, one.value),
    }, marker(this.look.shapes, one), make("span", { textContent: one.name }), make("small", { textContent: thousands(counts.get(one.value)) })));
  }
}

const LONGEST_NAME = 60; // characters, as the server has it
const UNDER = "Keep the selection under this name";

// Selections with names.
class Kept {
  constructor(look, on) {
    Object.assign(this, { look, on, names: new Set() });
    this.name = nameField(LONGEST_NAME, { placeholder: "Name", "aria-label": "Name of the selection", oninput: () => this.ask(null), onkeydown: (event) => {
      if (event.key === "Enter") this.keep();
      if (event.key !== "Escape") event.stopPropagation();
    } });
    this.list = make("ul");
    this.under = button("Keep", () => this.keep(), { "aria-label": UNDER });
    this.element = make("details", { class: "kept" },
      make("summary", { textContent: "Selections" }),
      make("div", { class: "menu" }, this.list,
        make("div", { class: "line" }, this.name, this.under),
        this.where = make("p", { class: "where", "aria-live": "polite", textContent: look.keepsWhere })));
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.element.open = false;
      event.stopPropagation();
    });
    // Before anything on the page can stop it, as a map does that begins an outline.
    document.addEventListener("pointerdown", (event) => {
      if (!event.composedPath().includes(this.element)) this.element.open = false;
    }, true);
    this.element.addEventListener("toggle", () => this.ask(null));
  }

  keep() {
    const name = this.name.value.trim();
    if (!name || tooLong(name, LONGEST_NAME)) {
      this.name.focus();
      return;
    }
    if (this.names.has(name) && this.asked !== name) {
      this.ask(name);
      return;
    }
    this.ask(null);
    this.on.keep(name);
    this.name.value = "";
  }

  // Ask whether the selection that has this name is to be replaced; null for nothing to ask.
  ask(name) {
    this.asked = name;
    this.where.textContent = tooLong(this.name.value, LONGEST_NAME) || this.look.keepsWhere;
    this.under.textContent = name === null ? "Keep" : "Replace";
    this.under.setAttribute("aria-label", name === null ? UNDER : `Replace the selection ${name}, which is kept already`);
  }

  draw(kept) {
    const words = JSON.stringify(kept.map(({ name, n }) => [name, n]));
    if (words === this.words) return;
    this.words = words;
    this.names = new Set(kept.map(({ name }) => name));
    this.list.replaceChildren(...kept.map(({ name, n }) => make("li", {},
      make("button", { type: "button", class: "use", title: name, onclick: () => this.on.use(name) }, make("span", { textContent: name }), make("small", { textContent: thousands(n) })),
      askingButton("\u2715", `Forget the selection ${name}`, "Delete?", () => this.on.forget(name)))));
    this.list.hidden = !kept.length;
  }
}
