// A class of a library: what is known of it, above its pictures.
import { button, make, nameField, thousands, vector } from "./elements.js";
import { PictureGrid } from "./grid.js";
import { LONGEST_CLASS, NO_CLASS } from "./marks.js";

const [WIDE, HIGH] = [200, 44]; // of a histogram's drawing

export class ClassColumn {
  // `on`: {open(row, event, column), toggle(row, event, column), extend(rows, begins), rename(number, name), merge(number, into), all(column)}.
  constructor(place, number, sprites, look, on, readonly) {
    Object.assign(this, { number, on, readonly });
    this.title = make("h3", {});
    this.count = make("span", { class: "count" });
    this.menu = number === NO_CLASS ? null : this.buildMenu();
    this.pair = make("div", { class: "averages" });
    this.working = make("span", { class: "working", textContent: "working out averages" });
    this.pair.append(this.working);
    this.plot = make("div", { class: "histogram" });
    this.words = make("p", { class: "fraction" });
    this.extra = make("div", { class: "extra" });
    this.element = make("section", { class: "column", "data-class": String(number) },
      make("header", {}, make("div", { class: "named" }, this.title, this.count, this.menu), this.pair, this.plot, this.words, this.extra));
    place.append(this.element);
    this.grid = new PictureGrid(this.element, sprites, look, {
      open: (row, event) => on.open(row, event, this),
      toggle: (row, event) => on.toggle(row, event, this),
      extend: (some, begins) => on.extend(some, begins),
    });
  }

  get rows() {
    return this.grid.rows;
  }

  buildMenu() {
    const { on, number } = this;
    this.name = nameField(LONGEST_CLASS, { "aria-label": "New name of the class" });
    this.into = make("select", { "aria-label": "Class to merge into" });
    const done = () => {
      menu.open = false;
      menu.querySelector("summary").focus();
    };
    const rename = make("form", { onsubmit: (event) => {
      event.preventDefault();
      done();
      on.rename(number, this.name.value);
    } }, this.name, make("button", { type: "submit", textContent: "Rename" }));
    const merge = make("div", { class: "line" }, this.into, button("Merge into it", () => {
      done();
      on.merge(number, Number(this.into.value));
    }));
    this.mergeable = merge;
    const menu = make("details", { class: "menu" }, make("summary", { textContent: "\u22ef" }),
      make("div", { class: "choices" }, button("Select all of this class", () => {
        done();
        on.all(this);
      }), this.readonly ? null : rename, this.readonly ? null : merge));
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      done();
      event.stopPropagation();
    });
    return menu;
  }

  // `one`: {name, colour, key, others}; `rows` are shown of `total` particles.
  show(one, rows, total, stay) {
    this.total = total;
    this.element.style.setProperty("--class", one.colour);
    this.title.textContent = one.key ? `${one.key} ${one.name}` : one.name;
    this.title.title = one.name;
    this.count.textContent = rows.length === total ? thousands(total) : `${thousands(rows.length)} of ${thousands(total)}`;
    this.element.setAttribute("aria-label", `${one.name}, ${total === 1 ? "1 particle" : `${thousands(total)} particles`}`);
    this.grid.sheet.setAttribute("aria-label", `Pictures of ${one.name}`);
    if (this.menu) {
      const summary = this.menu.querySelector("summary");
      summary.setAttribute("aria-label", `Rename, merge or select ${one.name}`);
      summary.title = summary.getAttribute("aria-label");
      if (document.activeElement !== this.name) {
        this.name.value = one.name;
        this.name.setCustomValidity("");
      }
      if (document.activeElement !== this.into) {
        this.into.replaceChildren(...one.others.map(({ number, name }) => make("option", { value: String(number), textContent: name })));
      }
      this.mergeable.hidden = !one.others.length;
    }
    const nothing = total ? "None of its particles is shown now." : this.emptyText(one);
    const same = rows.length === this.rows.length && rows.every((row, i) => row === this.rows[i]);
    this.grid.empty.textContent = nothing;
    if (same && this.shown) {
      this.grid.refresh(); // an answer of the server must not move a picture that is just being clicked
      return;
    }
    this.shown = true;
    this.grid.show(Int32Array.from(rows), [{ label: null, start: 0, count: rows.length }], { stay, nothing });
  }

  emptyText(one) {
    if (this.number === NO_CLASS) return "Every particle is in a class. Move what is debris or unclear here with the key 0, or set a threshold.";
    return this.readonly ? "No particle is in this class." : `No particle is in this class: select pictures, and drag them here${one.key ? ` or press ${one.key}` : ""}.`;
  }

  // `stats`: {mean, deviation, averaged, fraction} of the server, or null while it works. What is `waiting` is a fraction,
  // which depends on every class, and the `averages` where others are in this one.
  tell(stats, { waiting, averages }) {
    if (this.number === NO_CLASS) return;
    this.element.setAttribute("aria-busy", waiting ? "true" : "false");
    this.working.textContent = averages && (!stats || stats.mean) ? "working out averages" : "working out fractions";
    // Numbers of a moment ago would contradict the count above them.
    this.words.textContent = stats && !waiting ? stats.fraction : "The true share is being worked out.";
    if (!stats) return;
    const average = stats.mean
      ? [plate(stats.mean, averages ? "Average of upright particles" : `Average of ${thousands(stats.averaged)} upright particles`, "Average"), plate(stats.deviation, "Standard deviation over them, pixel by pixel", "Deviation")]
      : [];
    this.pair.replaceChildren(...average, this.working);
  }

  draw(counts, edges, name, unit) {
    if (!counts) {
      this.plot.replaceChildren();
      return;
    }
    const most = Math.max(...counts, 1);
    const step = WIDE / counts.length;
    const path = counts.map((n, i) => (n ? `M${(i * step).toFixed(1)},${HIGH}v${(-(HIGH * n) / most).toFixed(1)}h${(step - 1).toFixed(1)}V${HIGH}z` : "")).join("");
    const ends = [edges[0], edges[edges.length - 1]].map((value) => Number(value.toPrecision(3)));
    const words = `${name}, ${ends[0]} to ${ends[1]}${unit ? ` ${unit}` : ""}`;
    const drawing = vector("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": `Histogram of ${words}` },
      vector("path", { d: path || "M0,0" }));
    this.plot.replaceChildren(drawing, make("div", { class: "ends" }, make("span", { textContent: String(ends[0]) }),
      make("span", { textContent: unit ? `${name}, ${unit}` : name }), make("span", { textContent: String(ends[1]) })));
  }
}

function plate(source, words, caption) {
  return make("figure", { title: words }, make("img", { src: source, alt: words }), make("figcaption", { textContent: caption }));
}
