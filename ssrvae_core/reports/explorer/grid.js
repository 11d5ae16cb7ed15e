// A grid of pictures that holds only those in view: thousands scroll as fast as ten.
import { make, thousands, typeScale } from "./elements.js";
import { turnTile } from "./sprites.js";

const [GAP, CAPTION, HEADING] = [6, 18, 30];
const MARGIN = 200; // pixels above and below what is to be seen that are made ready

export class PictureGrid {
  // `look`: {ids, label(row), caption(row), colour(row), turn(row)}; `on`: {open(row), toggle(row, event), hover(row),
  // extend(rows, begins)}: all from where Shift was first held down with an arrow to where the keyboard is.
  constructor(place, sprites, look, on) {
    Object.assign(this, { sprites, look, on, rows: new Int32Array(0), groups: [], size: 64, cells: new Map(), spare: [] });
    this.heads = new Map();
    this.chosen = null;
    this.current = -1; // the row that has the keyboard
    this.begun = null; // the row from which Shift and arrows go on
    this.sheet = make("div", { class: "sheet", role: "listbox", "aria-multiselectable": "true", "aria-label": "Pictures" });
    this.empty = make("p", { class: "nothing", hidden: true });
    this.element = make("div", { class: "pictures", tabIndex: -1 }, this.sheet, this.empty);
    place.append(this.element);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("click", (event) => this.clicked(event));
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    this.element.addEventListener("focusin", (event) => this.focused(event));
    this.element.addEventListener("pointerover", (event) => on.hover?.(this.rowOf(event.target)));
    this.element.addEventListener("pointerleave", () => on.hover?.(-1));
    this.observer = new ResizeObserver(() => this.lay());
    this.observer.observe(this.element);
  }

  // Show these rows, in groups {label, start, count}; the first is in view again unless `stay`.
  show(rows, groups, { stay = false, nothing = "" } = {}) {
    const focused = this.element.contains(document.activeElement);
    const at = this.rows.indexOf(this.current);
    Object.assign(this, { rows, groups });
    // The picture that had the keyboard may be gone: the one in its place has it then.
    if (at >= 0 && rows.length && rows.indexOf(this.current) < 0) this.current = rows[Math.min(at, rows.length - 1)];
    this.empty.hidden = rows.length > 0;
    this.empty.textContent = nothing;
    for (const [row, cell] of this.cells) this.put(row, cell);
    this.cells.clear();
    if (!stay) this.element.scrollTop = 0;
    this.lay();
    if (focused && this.cells.has(this.current)) this.cells.get(this.current).focus({ preventScroll: true });
  }

  resize(size) {
    this.size = size;
    this.lay();
  }

  // Mark the pictures that are selected, and the one that is open.
  mark(chosen, open, outlined = true) {
    Object.assign(this, { chosen, open });
    this.sheet.classList.toggle("outlined", outlined);
    for (const [row, cell] of this.cells) this.dress(cell, row);
  }

  // Draw every picture in view again, as their colours, captions or angles are others now.
  refresh() {
    for (const [row, cell] of this.cells) this.dress(cell, row);
  }

  // Where everything stands.
  lay() {
    const width = this.element.clientWidth - 2 * GAP;
    if (width <= 0) return;
    this.across = Math.max(1, Math.floor((width + GAP) / (this.size + GAP)));
    this.side = Math.floor((width + GAP) / this.across) - GAP; // no strip is left empty at the right
    const type = typeScale(this.element);
    this.pitch = this.side + Math.round(CAPTION * type) + GAP;
    let top = GAP;
    this.blocks = this.groups.map(({ label, start, count }) => {
      const head = label === null ? 0 : Math.round(HEADING * type);
      const block = { label, start, count, top, head, lines: Math.ceil(count / this.across) };
      top += head + block.lines * this.pitch;
      return block;
    });
    this.sheet.style.height = `${top}px`;
    this.draw(true);
  }

  draw(moved = false) {
    if (!this.blocks) return;
    const [from, to] = [this.element.scrollTop - MARGIN, this.element.scrollTop + this.element.clientHeight + MARGIN];
    const wanted = new Map();
    const heads = new Set();
    this.blocks.forEach((block, b) => {
      const first = block.top + block.head;
      if (block.top > to || first + block.lines * this.pitch < from) return;
      if (block.head) heads.add(b);
      const low = Math.max(0, Math.floor((from - first) / this.pitch));
      const high = Math.min(block.lines - 1, Math.floor((to - first) / this.pitch));
      for (let i = low * this.across; i < Math.min(block.count, (high + 1) * this.across); i += 1) {
        wanted.set(this.rows[block.start + i], [
          GAP + (i % this.across) * (this.side + GAP),
          first + Math.floor(i / this.across) * this.pitch,
          block.start + i,
        ]);
      }
    });
    for (const [row, cell] of this.cells) {
      if (wanted.has(row)) continue;
      this.cells.delete(row);
      this.put(row, cell);
    }
    for (const [row, [left, top, at]] of wanted) {
      let cell = this.cells.get(row);
      const fresh = !cell;
      if (fresh) {
        cell = this.spare.pop() ?? this.cell();
        this.cells.set(row, cell);
        cell.dataset.sample = this.look.ids[row];
        cell.row = row;
        this.sprites.show(cell.tile, row);
        this.dress(cell, row);
      }
      if (fresh || moved) {
        cell.style.transform = `translate(${left}px, ${top}px)`;
        cell.style.width = `${this.side}px`;
        cell.setAttribute("aria-posinset", at + 1);
        cell.setAttribute("aria-setsize", this.rows.length);
        if (fresh && !cell.parentNode) this.sheet.append(cell);
      }
    }
    for (const cell of this.spare) cell.remove();
    this.drawHeads(heads);
    this.tab();
  }

  drawHeads(wanted) {
    for (const [b, head] of this.heads) if (!wanted.has(b)) head.remove();
    const before = this.heads;
    this.heads = new Map();
    for (const b of wanted) {
      const head = before.get(b) ?? make("div", { class: "heading", role: "presentation" });
      const { label, count, top } = this.blocks[b];
      head.replaceChildren(make("b", { textContent: label }), ` ${thousands(count)}`);
      head.style.transform = `translateY(${top}px)`;
      if (!head.parentNode) this.sheet.append(head);
      this.heads.set(b, head);
    }
  }

  // One picture can be reached by the tabulator, the others by arrows from there.
  tab() {
    const reached = this.cells.has(this.current) ? this.current : this.rows[0];
    for (const [row, cell] of this.cells) cell.tabIndex = row === reached ? 0 : -1;
  }

  cell() {
    const tile = make("span", { class: "tile" });
    const cell = make("div", { class: "picture", role: "option" }, make("span", { class: "frame" }, tile));
    cell.tile = tile;
    cell.caption = make("span", { class: "caption" });
    cell.append(cell.caption);
    return cell;
  }

  put(row, cell) {
    if (document.activeElement === cell) this.element.focus({ preventScroll: true });
    this.spare.push(cell);
  }

  dress(cell, row) {
    const { look } = this;
    cell.setAttribute("aria-label", look.label(row));
    cell.setAttribute("aria-selected", this.chosen?.[row] ? "true" : "false");
    cell.classList.toggle("open", row === this.open);
    cell.classList.toggle("marked", look.marked?.(row) ?? false);
    cell.style.setProperty("--class", look.colour(row));
    turnTile(cell.tile, look.turn(row));
    cell.caption.textContent = look.caption(row);
  }

  rowOf(target) {
    return target.closest?.(".picture")?.row ?? -1;
  }

  // The tabulator, too, brings the keyboard to a picture.
  focused(event) {
    const row = this.rowOf(event.target);
    if (row >= 0) this.current = row;
  }

  clicked(event) {
    const row = this.rowOf(event.target);
    if (row < 0) return;
    this.current = row;
    this.begun = null;
    if (event.shiftKey || event.ctrlKey || event.metaKey) this.on.toggle?.(row, event);
    else this.on.open?.(row, event);
    this.tab();
  }

  pressed(event) {
    const at = this.rows.indexOf(this.current);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.across, ArrowDown: this.across, Home: -at, End: this.rows.length - 1 - at };
    steps.PageDown = this.across * Math.max(1, Math.floor(this.element.clientHeight / this.pitch));
    steps.PageUp = -steps.PageDown;
    if (event.key in steps && this.rows.length) {
      const next = Math.min(Math.max(at < 0 ? 0 : at + steps[event.key], 0), this.rows.length - 1);
      const from = this.rows.indexOf(event.shiftKey ? this.begun ?? this.current : -1);
      const begins = this.begun === null;
      this.begun = from < 0 ? null : this.rows[from];
      this.focus(this.rows[next]);
      if (from >= 0) this.on.extend?.(this.rows.slice(Math.min(from, next), Math.max(from, next) + 1), begins);
      this.on.move?.(this.rows[next]);
    } else {
      if (event.key !== "Shift") this.begun = null;
      if (event.key === "Enter" && at >= 0) this.on.open?.(this.current, event);
      else if (event.key === " " && at >= 0) this.on.toggle?.(this.current, event);
      else return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // Bring a picture into view.
  reveal(row) {
    const at = this.rows.indexOf(row);
    if (at < 0 || !this.blocks) return;
    const block = this.blocks.find(({ start, count }) => at >= start && at < start + count);
    const top = block.top + block.head + Math.floor((at - block.start) / this.across) * this.pitch;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top - GAP;
    else if (top + this.pitch > scrollTop + clientHeight) this.element.scrollTop = top + this.pitch - clientHeight;
    this.draw();
  }

  focus(row) {
    this.current = row;
    this.reveal(row);
    this.tab();
    this.cells.get(row)?.focus({ preventScroll: true });
  }
}
