// A lasso or a box that the pointer draws on a map, and clicks on its points.
import { make } from "./elements.js";
import { along } from "./points.js";
import { howOf, rangeOf, simplified, toSteps } from "./selection.js";

const [CLICK, STRIDE] = [5, 3]; // pixels: of a click, between corners of a lasso

export class Lasso {
  constructor(map) {
    this.map = map;
    this.canvas = make("canvas", { class: "outline", "aria-hidden": "true" });
  }

  listen() {
    const { element } = this.map;
    for (const type of ["pointerdown", "mousedown", "touchstart"]) {
      element.addEventListener(type, (event) => this.pressed(event), { capture: true, passive: false });
    }
    element.addEventListener("pointermove", (event) => this.moved(event));
    element.addEventListener("pointerup", (event) => this.released(event));
    element.addEventListener("pointercancel", () => this.drop());
    element.addEventListener("dblclick", (event) => this.doubled(event), { capture: true });
  }

  // A lasso or a box is ours; Plotly pans and zooms, and has its tool bar.
  pressed(event) {
    const { element, tool } = this.map;
    if (event.target.closest?.(".modebar-container, .tip")) return;
    if (event.type === "pointerdown") {
      if (event.button) return;
      this.start = this.at(event);
      element.focus({ preventScroll: true });
    }
    if (tool === "pan") return;
    event.stopPropagation();
    if (event.cancelable && event.type !== "pointerdown") event.preventDefault();
    if (event.type !== "pointerdown") return;
    element.setPointerCapture?.(event.pointerId);
    this.drawing = { tool, how: howOf(event), path: [this.start] };
  }

  at({ clientX, clientY }) {
    const box = this.map.element.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  moved(event) {
    const place = this.at(event);
    if (!this.drawing) {
      if (event.buttons) return;
      this.map.hover(event.target.closest?.(".modebar-container") ? -1 : this.map.under(place), place);
      return;
    }
    const { path, tool } = this.drawing;
    const last = path[path.length - 1];
    if (tool === "lasso" && Math.hypot(place[0] - last[0], place[1] - last[1]) < STRIDE) return;
    if (tool === "lasso") path.push(place);
    else this.drawing.path = [path[0], place];
    this.draw();
  }

  corners() {
    const { tool, path } = this.drawing;
    if (tool === "lasso") return path;
    const [[left, top], [right, bottom]] = [path[0], path[path.length - 1]];
    return [[left, top], [right, top], [right, bottom], [left, bottom]];
  }

  draw() {
    const ratio = this.map.emptied(this.canvas);
    const brush = this.canvas.getContext("2d");
    Object.assign(brush, { strokeStyle: this.map.accent, lineWidth: 1.5 * ratio, fillStyle: "rgba(86, 180, 233, 0.15)" });
    brush.beginPath();
    for (const [x, y] of this.corners()) brush.lineTo(x * ratio, y * ratio);
    brush.closePath();
    brush.fill();
    brush.setLineDash([4 * ratio, 3 * ratio]);
    brush.stroke();
  }

  drop() {
    this.drawing = null;
    this.map.emptied(this.canvas);
  }

  released(event) {
    const place = this.at(event);
    const start = this.start;
    this.start = null;
    const { drawing } = this;
    const away = start && Math.hypot(place[0] - start[0], place[1] - start[1]);
    const clicked = start && away < CLICK && (!drawing || drawing.path.length < 4);
    if (!drawing) {
      if (clicked) this.open(place);
      return;
    }
    const corners = this.corners();
    this.drop();
    if (clicked) this.open(place);
    else if (corners.length > 2) this.map.on.step(this.stepOf(drawing.how, corners));
  }

  open(place) {
    const row = this.map.under(place);
    if (row >= 0) this.map.on.open(row);
  }

  // An outline in pixels as a step of the selection.
  stepOf(how, corners) {
    const { axes, model, dims } = this.map;
    const [[fx, ox], [fy, oy]] = [along(axes.xaxis), along(axes.yaxis)];
    const [across, up] = [0, 1].map((axis) => rangeOf(this.map.coordinate(axis)));
    const outline = simplified(corners, 1).map(([x, y]) => [toSteps((x - ox) / fx, across), toSteps((y - oy) / fy, up)]);
    return { how, map: model, x: dims.x, y: dims.y, outline };
  }

  doubled(event) {
    if (event.target.closest?.(".modebar-container") || this.map.tool === "pan") return;
    event.stopPropagation();
    this.map.on.clear();
  }
}
