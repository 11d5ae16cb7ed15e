// The line above the pictures: how many there are, how they are sorted, and how large.
import { LARGEST, SMALLEST } from "./address.js";
import { choice, make, thousands } from "./elements.js";
import { LIKENESS } from "./filters.js";

export class GridControls {
  // `set(changes)` changes choices; `turnRound()` the direction of sorting.
  constructor(place, table, sorts, { set, turnRound }) {
    const check = (name, words) => {
      const box = make("input", { type: "checkbox", onchange: () => set({ [name]: box.checked }) });
      this.checks[name] = box;
      return make("label", {}, box, make("span", { textContent: words }));
    };
    this.checks = {};
    this.size = make("input", {
      type: "range", min: SMALLEST, max: LARGEST, step: 8, "aria-label": "Size of the pictures, pixels",
      oninput: () => set({ size: Number(this.size.value) }),
    });
    this.sort = choice("Sort by", sorts, "confidence", (sort) => set({ sort }));
    this.down = make("button", { type: "button", class: "down", onclick: turnRound });
    this.by = table.models.length > 1
      ? choice("Model that sorts and turns", table.models.map(({ title }, i) => ({ name: String(i), label: title })), "0", (by) => set({ by: Number(by) }))
      : null;
    this.told = make("span");
    const told = make("span", { class: "told" }, this.told, make("span", { class: "room", "data-words": `${thousands(table.n)} selected` }));
    const turns = table.models.some((model) => model.turns);
    place.append(make("div", { class: "controls" }, told,
      make("label", {}, make("span", { textContent: "Sort" }), this.sort), this.down, this.by && make("label", {}, make("span", { textContent: "by" }), this.by),
      make("label", { class: "sized" }, make("span", { textContent: "Size" }), this.size),
      turns ? check("upright", "Upright") : null, check("grouped", "By class"), check("all", "All")));
    this.checks.all.parentNode.title = "Show all particles in sight, not only the selected ones";
  }

  // Show the choices; `some` where particles are selected.
  draw(values, some) {
    const likeness = this.sort.querySelector(`[value="${LIKENESS.name}"]`);
    likeness.disabled = values.open === null;
    likeness.textContent = likeness.disabled ? LIKENESS.lacking : LIKENESS.label;
    this.sort.value = values.sort;
    this.down.textContent = values.descending ? "\u2193" : "\u2191";
    this.down.setAttribute("aria-label", values.descending ? "Largest first; turn round" : "Smallest first; turn round");
    this.down.title = this.down.getAttribute("aria-label");
    if (this.by) this.by.value = String(values.by);
    this.size.value = String(values.size);
    for (const [name, box] of Object.entries(this.checks)) box.checked = values[name];
    this.checks.all.parentNode.style.visibility = some ? "" : "hidden"; // what stands below stays where it is
  }

  count(n, what) {
    this.told.textContent = `${thousands(n)} ${what}`;
  }
}
