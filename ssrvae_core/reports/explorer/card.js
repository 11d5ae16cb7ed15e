// One particle: its pictures, what the models say of it, and those that are like it.
import { button, figure, make, measured, vector } from "./elements.js";
import { nearest } from "./filters.js";
import { share } from "./shares.js";
import { turnTile } from "./sprites.js";

const NEIGHBOURS = 10;
const MOST_CLASSES = 6;
const RADIUS = 40;

export class ParticleCard {
  // `on`: {open(id), close(), step(by), likeness()}.
  constructor(place, table, sprites, look, on) {
    Object.assign(this, { table, sprites, look, on, row: -1, answer: null });
    this.element = make("section", { class: "card", hidden: true, tabIndex: -1, "aria-label": "One particle" });
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    place.append(this.element);
  }

  pressed(event) {
    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
    if (event.key in steps) this.on.step(steps[event.key]);
    else if (event.key === "Escape") this.on.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // `answer`: {id as text, picture, models: [{drawing, difference, posterior}]} from whoever can decode, or null.
  show(row, answer, by) {
    const same = row === this.row && answer === this.answer && by === this.by;
    Object.assign(this, { row, answer, by });
    this.element.hidden = row < 0;
    if (row < 0 || same) return;
    // What has the keyboard is about to go: its successor gets it, or else the card.
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    const act = focused?.dataset.act;
    const { table } = this;
    const id = table.ids[row];
    const ready = answer?.id === String(id) ? answer : null;
    this.element.setAttribute("aria-busy", ready || !this.look.decodes ? "false" : "true");
    this.element.replaceChildren(this.head(row), make("div", { class: "facts" },
      ...table.models.map((_, model) => this.model(row, model, ready)), this.details(row)), this.neighbours(row));
    if (focused) ((act && this.element.querySelector(`[data-act="${act}"]`)) || this.element).focus({ preventScroll: true });
  }

  head(row) {
    const { table } = this;
    const act = (name, text, label, does) => button(text, does, { "data-act": name, "aria-label": label, title: label });
    return make("header", {},
      make("b", { textContent: `Particle ${table.ids[row]}` }),
      make("span", { class: "verdict", textContent: this.verdict(row) }),
      make("span", { class: "acts" },
        act("back", "\u2039", "Previous particle (left arrow)", () => this.on.step(-1)),
        act("next", "\u203a", "Next particle (right arrow)", () => this.on.step(1)),
        act("close", "\u2715", "Close (Escape)", () => this.on.close())));
  }

  verdict(row) {
    const { table } = this;
    const label = table.columns.label[row];
    return label < 0 ? "true class unknown" : `true class ${table.classes[label]}`;
  }

  model(row, model, ready) {
    const { table } = this;
    const drawn = ready?.models[model];
    const title = table.models[model].title;
    const angle = table.columns[`${model}/angle`][row];
    const pictures = make("div", { class: "pair" });
    if (model === 0) pictures.append(this.picture(row, 0, "As seen", ready?.picture));
    if (angle === angle) pictures.append(this.picture(row, angle, "Upright", ready?.picture));
    if (drawn?.drawing) {
      pictures.append(plain(drawn.drawing, `Drawn by ${title}`, "Drawing"), plain(drawn.difference, "Seen less drawn", "Difference"));
    } else if (this.look.decodes && !ready) pictures.append(waiting("Drawing"), waiting("Difference"));
    if (angle === angle) pictures.append(this.circle(row, model, drawn?.posterior));
    return make("div", { class: "model" }, make("h4", { textContent: title }), pictures, this.bars(row, model));
  }

  picture(row, angle, caption, whole) {
    const tile = make("span", { class: "tile" });
    if (whole) {
      tile.style.backgroundImage = `url("${whole}")`;
      tile.style.backgroundSize = "100% 100%";
    } else this.sprites.show(tile, row);
    turnTile(tile, angle);
    return make("figure", {}, make("span", { class: "frame", role: "img", "aria-label": `${caption}, particle ${this.table.ids[row]}` }, tile),
      make("figcaption", { textContent: caption }));
  }

  bars(row, model) {
    const { table } = this;
    const said = table.probabilities(model, row).map((value, k) => ({ value, k }));
    const most = said.sort((a, b) => b.value - a.value || a.k - b.k).slice(0, MOST_CLASSES);
    const label = table.columns.label[row];
    const categories = table.colouring("predicted").categories;
    return make("dl", { class: "bars", "aria-label": "Class probabilities" }, ...most.flatMap(({ value, k }) => [
      make("dt", { textContent: table.classes[k] + (k === label ? " (true)" : "") }),
      make("dd", {}, make("span", { class: "bar", style: { width: `${100 * value}%`, background: categories[k].colour } }),
        make("span", { textContent: share(value) })),
    ]));
  }

  // The angle on its circle: how probable each is where that is known, else the mean and how sure it is.
  circle(row, model, posterior) {
    const { table } = this;
    const [angle, sure] = [table.columns[`${model}/angle`][row], table.columns[`${model}/concentration`][row]];
    const at = (degrees, radius) => {
      const radians = (degrees * Math.PI) / 180;
      return `${(-radius * Math.sin(radians)).toFixed(1)},${(-radius * Math.cos(radians)).toFixed(1)}`;
    };
    const drawing = vector("svg", { viewBox: "-68 -76 136 136", width: 92, height: 92, role: "img" },
      vector("circle", { r: RADIUS, class: "rim" }));
    const zero = vector("text", { class: "zero", y: -60, "text-anchor": "middle" });
    zero.textContent = "0\u00b0";
    drawing.append(zero);
    if (posterior) {
      const most = Math.max(...posterior);
      const path = posterior.map((p, i) => at((360 * i) / posterior.length - 180, RADIUS + (18 * p) / most));
      drawing.append(vector("path", { d: `M${path.join("L")}Z`, class: "posterior" }));
    }
    drawing.append(vector("path", { d: `M0,0L${at(angle, RADIUS * Math.max(sure, 0.1))}`, class: "needle" }));
    const words = `Angle ${angle.toFixed(0)}\u00b0`;
    drawing.setAttribute("aria-label", `${words}, counter-clockwise from the top, concentration ${figure(sure, 2)}.`);
    return make("figure", { class: "circle", title: `Concentration ${figure(sure, 2)}` }, drawing, make("figcaption", { textContent: words }));
  }

  details(row) {
    const { table } = this;
    const { columns } = table;
    const facts = [...(this.look.facts?.(row) ?? []), ["Part", table.parts[columns.part[row]]]];
    if (columns.names?.[row]) facts.push(["File", columns.names[row]]);
    if (columns.group && columns.group[row] >= 0) facts.push(["Micrograph", table.groups[columns.group[row]]]);
    for (const one of table.colourings) {
      if (one.categories || one.name === "confidence" || one.name === "angle") continue;
      const values = table.models.map((_, model) => table.column(one.column, model)[row]);
      if (!values.some((value) => value === value)) continue;
      const shown = columns[one.column] ? values.slice(0, 1) : values;
      facts.push([one.label, measured(shown, one.unit)]);
    }
    return make("dl", { class: "details" }, ...facts.flatMap(([name, text]) => [
      make("dt", { textContent: name }), make("dd", { textContent: text }),
    ]));
  }

  neighbours(row) {
    const { table, by } = this;
    const { rows, distances } = nearest(table, by, row, NEIGHBOURS);
    const cells = rows.map((other, i) => {
      const tile = make("span", { class: "tile" });
      this.sprites.show(tile, other);
      turnTile(tile, this.look.turn(other));
      const said = this.look.label(other);
      const cell = make("button", {
        type: "button", class: "near", "data-sample": String(table.ids[other]), title: `${said}, distance ${figure(distances[i])}`,
        "aria-label": `${said}, distance ${figure(distances[i])}`, onclick: () => this.on.open(table.ids[other]),
      }, make("span", { class: "frame" }, tile));
      cell.style.setProperty("--class", this.look.colour(other));
      return cell;
    });
    return make("div", { class: "likes" },
      make("div", { class: "line" }, make("span", { textContent: `Nearest in the latents of ${table.models[by].title}` }),
        button("Sort all by likeness", () => this.on.likeness(), { "data-act": "like" })), make("div", { class: "nears" }, ...cells));
  }
}

function plain(source, words, caption) {
  const picture = make("img", { src: source, alt: words });
  return make("figure", {}, make("span", { class: "frame" }, picture), make("figcaption", { textContent: caption }));
}

function waiting(caption) {
  return make("figure", {}, make("span", { class: "frame" }, make("span", { class: "tile waiting" })), make("figcaption", { textContent: caption }));
}
