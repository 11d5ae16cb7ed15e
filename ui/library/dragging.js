// Dragging among pictures: a box selects, what is selected is carried to another class.
import { make, thousands } from "./elements.js";

const STILL = 5; // pixels that a pointer may move and still click
const EDGE = 36; // pixels at the sides of the classes in which carrying scrolls them

export class Dragging {
  // `on`: {marked(row), boxed(column, box, adding), carried(row), drop(number, row)}.
  constructor(root, on, readonly) {
    Object.assign(this, { root, on, readonly, now: null });
    this.box = make("div", { class: "box", hidden: true });
    this.ghost = make("div", { class: "ghost", hidden: true });
    root.append(this.ghost);
  }

  watch(column) {
    const { element } = column.grid;
    element.addEventListener("pointerdown", (event) => this.begin(event, column));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.end(event));
    element.addEventListener("pointercancel", () => this.stop());
    element.addEventListener("lostpointercapture", () => this.stop());
    // The click that ends a drag is none.
    element.addEventListener("click", (event) => {
      if (!this.ended) return;
      this.ended = false;
      event.stopPropagation();
    }, true);
  }

  begin(event, column) {
    this.ended = false;
    if (event.button || event.pointerType === "touch" || event.offsetX > event.currentTarget.clientWidth) return;
    const [left, top] = this.within(event, column);
    this.now = { column, row: column.grid.rowOf(event.target), left, top, x: event.clientX, y: event.clientY, adding: event.shiftKey || event.ctrlKey || event.metaKey, moving: false };
  }

  // Where a pointer is on the sheet of pictures, wherever it is scrolled to.
  within(event, column) {
    const box = column.grid.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top + column.grid.element.scrollTop];
  }

  move(event) {
    const { now } = this;
    if (!now) return;
    if (!now.moving) {
      if (Math.hypot(event.clientX - now.x, event.clientY - now.y) < STILL) return;
      now.moving = true;
      now.carries = now.row >= 0 && this.on.marked(now.row);
      event.currentTarget.setPointerCapture(event.pointerId);
      now.column.grid.sheet.append(this.box);
    }
    const over = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-class]");
    // A box ends where its class ends: beyond, the picture itself is carried.
    const carrying = !this.readonly && now.row >= 0 && (now.carries || (over && over !== now.column.element));
    this.over?.classList.remove("target");
    this.over = carrying && over !== now.column.element ? over : null;
    this.over?.classList.add("target");
    this.box.hidden = carrying;
    this.ghost.hidden = !carrying;
    now.carrying = carrying;
    if (carrying) this.carry(event, now);
    else this.stretch(event, now);
  }

  carry(event, now) {
    this.scroll(event, now.column.element.parentNode);
    const n = this.on.carried(now.carries ? -1 : now.row);
    this.ghost.textContent = n === 1 ? "1 particle" : `${thousands(n)} particles`;
    const box = this.root.getBoundingClientRect();
    this.ghost.style.transform = `translate(${event.clientX - box.left + 12}px, ${event.clientY - box.top + 12}px)`;
  }

  // Classes beyond the edge come into view while something is carried there.
  scroll({ clientX }, place) {
    const { left, right } = place.getBoundingClientRect();
    if (clientX > right - EDGE) place.scrollLeft += EDGE / 2;
    else if (clientX < left + EDGE) place.scrollLeft -= EDGE / 2;
  }

  stretch(event, now) {
    const [x, y] = this.within(event, now.column);
    const [left, right] = [now.left, x].sort((a, b) => a - b);
    const [top, bottom] = [now.top, y].sort((a, b) => a - b);
    Object.assign(this.box.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    this.on.boxed(now.column, { left, top, right, bottom }, now.adding);
  }

  end() {
    const { now, over } = this;
    if (now?.moving) this.ended = true;
    if (now?.carrying && over) this.on.drop(Number(over.dataset.class), now.carries ? -1 : now.row);
    this.stop();
  }

  stop() {
    this.now = null;
    this.over?.classList.remove("target");
    this.over = null;
    this.box.remove();
    this.ghost.hidden = true;
  }
}
