// The bar above the classes: what is selected and where it goes, undo, how pictures are shown, and who changes things.
import { LARGEST, SMALLEST } from "./address.js";
import { SHOWN } from "./choices.js";
import { button, choice, make, nameField, showCount, thousands } from "./elements.js";
import { LONGEST_CLASS } from "./marks.js";

export class LibraryBar {
  // `on`: {set(changes), move(number), split(name), undo(), redo(), clear(), alone(), everything(), who(name)}.
  constructor(place, { sorts, measures, turns, readonly, known }, on) {
    Object.assign(this, { on, readonly });
    this.tally = make("p", { class: "tally", "aria-live": "polite" });
    this.number = make("b", { "data-selected": "", textContent: "0" });
    this.moves = make("span", { class: "moves", role: "group", "aria-label": "Move the selected particles" });
    this.clear = button("Clear", on.clear, { title: "Escape" });
    this.alone = button("Only these", on.alone, { title: "Show the selected particles alone" });
    this.chip = button("Show all again", on.everything, { hidden: true });
    this.name = nameField(LONGEST_CLASS, { placeholder: "Name of the new class", "aria-label": "Name of the new class" });
    this.split = make("form", { class: "asked", hidden: true, onsubmit: (event) => {
      event.preventDefault();
      if (this.name.value.trim()) on.split(this.name.value.trim());
    } }, this.name, make("button", { type: "submit", textContent: "Make it" }), button("Cancel", () => this.askName(false)));
    this.newClass = button("New class", () => this.askName(true), { title: "Key n" });
    this.undo = button("Undo", on.undo);
    this.redo = button("Redo", on.redo);
    this.who = nameField(80, { "aria-label": "Your name or initials", placeholder: "Your name or initials" });
    this.whoWords = make("span", { textContent: "Whose change is it? It is kept with every change." });
    this.asking = make("form", { class: "asked notice", hidden: true, onsubmit: (event) => {
      event.preventDefault();
      if (this.who.value.trim()) on.who(this.who.value.trim());
    } }, this.whoWords, this.who, make("button", { type: "submit", textContent: "Keep" }));
    this.signed = button("", () => this.askWho(true), { class: "signed", disabled: known });
    this.notice = make("p", { class: "notice", hidden: true, role: "alert" });
    const editing = readonly ? [] : [this.moves, this.newClass, this.split, this.undo, this.redo];
    this.acts = make("div", { class: "bar acting" },
      make("span", { class: "counter" }, make("span", {}, this.number, " selected")), ...editing, this.clear, this.alone, this.chip);
    this.sort = choice("Sort by", sorts, "confidence", (sort) => on.set({ sort }));
    this.down = make("button", { type: "button", class: "down", onclick: () => on.set({ descending: null }) });
    this.size = make("input", { type: "range", min: SMALLEST, max: LARGEST, step: 8, "aria-label": "Size of the pictures, pixels",
      oninput: () => on.set({ size: Number(this.size.value) }) });
    this.upright = make("input", { type: "checkbox", onchange: () => on.set({ upright: this.upright.checked }) });
    this.shown = choice("Which particles are shown", SHOWN, "all", (shown) => on.set({ shown }));
    this.measure = choice("Histogram of", measures, measures[0]?.name, (measure) => on.set({ measure }));
    const named = (words, element) => make("label", {}, make("span", { textContent: words }), element);
    this.looks = make("div", { class: "bar looking" }, named("Show", this.shown), named("Sort", this.sort), this.down, named("Size", this.size),
      turns ? named("Upright", this.upright) : null, measures.length > 1 ? named("Histogram", this.measure) : null, readonly ? null : this.signed);
    place.append(this.tally, this.notice, this.asking, this.acts, this.looks);
  }

  // `said`: {tally, selected, classes, undo, redo, values, only, who}.
  draw({ tally, selected, classes, undo, redo, values, only, who }) {
    if (this.tally.textContent !== tally) this.tally.textContent = tally;
    showCount(this.number, selected);
    this.drawMoves(classes, selected);
    for (const one of [this.newClass, this.clear, this.alone]) one.disabled = !selected;
    if (!selected) this.askName(false);
    this.chip.hidden = !only;
    this.chip.textContent = only ? `Show all again, not ${thousands(only)} alone` : "";
    this.turnable(this.undo, "Undo", undo);
    this.turnable(this.redo, "Redo", redo);
    this.signed.textContent = who ? `as ${who}` : "Your name";
    this.signed.title = "Who the next changes are by";
    this.sort.value = values.sort;
    this.down.textContent = values.descending ? "\u2193" : "\u2191";
    this.down.setAttribute("aria-label", values.descending ? "Largest first; turn round" : "Smallest first; turn round");
    this.down.title = this.down.getAttribute("aria-label");
    this.size.value = String(values.size);
    this.upright.checked = values.upright;
    this.shown.value = values.shown;
    this.measure.value = values.measure;
  }

  turnable(one, name, words) {
    one.disabled = !words;
    one.title = words ? `${name}: ${words}` : `Nothing to ${name.toLowerCase()}`;
    one.setAttribute("aria-label", one.title);
  }

  drawMoves(classes, selected) {
    const wanted = classes.map(({ key, name, number }) => `${key} ${name} ${number}`).join("\n");
    if (this.drawn !== wanted) {
      this.drawn = wanted;
      this.moves.replaceChildren(make("span", { class: "lead", textContent: "Move to" }), ...classes.map(({ key, name, number, colour }) =>
        button("", () => this.on.move(number), { class: "to", style: { "border-left-color": colour }, title: `Move to ${name}${key ? ` (key ${key})` : ""}` })));
      classes.forEach(({ key, name }, i) => this.moves.children[i + 1].append(...(key ? [make("kbd", { textContent: key }), " "] : []), name));
    }
    for (const one of [...this.moves.children].slice(1)) one.disabled = !selected;
  }

  askName(open) {
    if (this.split.hidden === !open) return;
    this.split.hidden = !open;
    this.newClass.hidden = open;
    this.name.value = "";
    if (open) this.name.focus();
  }

  askWho(open, who = this.who.value) {
    this.asking.hidden = !open;
    this.who.value = who;
    if (open) this.who.focus();
  }

  say(text) {
    this.notice.hidden = !text;
    this.notice.textContent = text;
  }
}
