// One map: Plotly draws axes, tool bar and exports; the points are painted on a canvas among its layers.
import { make, typeScale } from "./elements.js";
import { Lasso } from "./lasso.js";
import { figureOf } from "./mapfigure.js";
import { along, mixedOrder, paintPoints, pointAt } from "./points.js";
import { rangeOf } from "./selection.js";
import { Tip } from "./tip.js";

const NEAR = 12; // pixels to a point that is meant
const WHOLE = 0.06; // room around all points, as a share of their range
const MARGIN_OF_AXES = { l: 52, r: 8, t: 34, b: 46 };
const PAPER = { width: 600, height: 560 }; // of a map on paper, which is made as wide as there is room
const TOOLS = { l: "lasso", b: "select", p: "pan" };

export class PointMap {
  // `on`: {step(step), open(row), hover(row), zoom(zoom), tool(name)}; `say(row)` are the lines of a point.
  constructor(place, table, model, look, on) {
    Object.assign(this, { table, model, look, on, zoom: null, tool: "lasso", ready: false });
    this.order = mixedOrder(table.n);
    this.graph = make("div", { class: "graph" });
    this.lasso = new Lasso(this);
    this.grey = make("p", { class: "grey", hidden: true });
    this.tip = new Tip(look, model);
    this.element = make("div", {
      class: "map", tabIndex: 0, role: "group", "data-explorer-map": String(model),
      "aria-label": `Map of the latent variables of ${table.models[model].title}. L lasso, B box, P pan, plus and minus `
        + "zoom, arrows move, 0 shows all, Escape clears the selection.",
    }, this.graph, this.lasso.canvas, this.grey, this.tip.element);
    place.append(this.element);
    this.canvas = make("canvas", { class: "painted", "aria-hidden": "true" });
    this.rings = make("canvas", { class: "painted", "aria-hidden": "true" });
    this.element.append(this.canvas, this.rings); // until there are Plotly's layers to lie among
    this.size = [0, 0];
    new ResizeObserver(() => this.fit()).observe(this.element);
    this.lasso.listen();
    this.element.addEventListener("pointerleave", () => this.hover(-1));
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  // Draw the axes; the points follow once Plotly is there.
  async begin(Plotly) {
    this.Plotly = Plotly;
    const { graph } = this;
    const camera = { name: "picture", title: "Download plot", icon: Plotly.Icons.camera, click: () => this.download() };
    // Plotly leaves its own lasso out where no trace of its can be selected.
    const tool = (name, val, title, icon) => ({
      name, title, icon, attr: "dragmode", val, click: () => this.use(val),
    });
    const tools = [
      tool("lasso", "lasso", "Lasso (L): shift adds, alt takes away", Plotly.Icons.lasso),
      tool("box", "select", "Box (B): shift adds, alt takes away", Plotly.Icons.selectbox),
      tool("pan", "pan", "Pan (P)", Plotly.Icons.pan),
    ];
    await Plotly.newPlot(graph, [{ type: "scatter", mode: "markers", x: [null], y: [null], hoverinfo: "skip", showlegend: false }],
      this.layout(), {
        ...this.look.config, responsive: false, scrollZoom: true, doubleClick: "reset", displayModeBar: true,
        modeBarButtons: [tools, ["zoomIn2d", "zoomOut2d", "resetScale2d"], [camera]],
      });
    graph.querySelector(".gl-container").append(this.canvas, this.rings);
    this.ready = true;
    for (const event of ["plotly_afterplot", "plotly_relayouting"]) graph.on(event, () => this.paint());
    graph.on("plotly_relayout", (changes) => this.told(changes));
    this.paint();
  }

  fit() {
    const size = [this.element.clientWidth, this.element.clientHeight];
    if (!size[0] || !size[1] || (size[0] === this.size[0] && size[1] === this.size[1])) return;
    this.size = size;
    if (this.ready) this.Plotly.relayout(this.graph, { width: size[0], height: size[1] });
    else this.paint();
  }

  get whole() {
    return [0, 1].map((axis) => {
      const [low, high] = rangeOf(this.coordinate(axis));
      return [low - WHOLE * (high - low), high + WHOLE * (high - low)];
    });
  }

  coordinate(axis) {
    const { x, y } = this.dims;
    return this.table.coordinate(this.model, axis ? y : x, axis);
  }

  get equal() {
    return this.table.models[this.model].dims > 1;
  }

  layout() {
    const [x, y] = this.zoom ?? this.whole;
    const single = !this.equal;
    const name = (d) => `z${Math.min(d, this.table.models[this.model].dims - 1) + 1}`;
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    return {
      template: this.template(),
      margin: this.margin,
      showlegend: false,
      dragmode: this.tool,
      hovermode: false,
      width, height,
      xaxis: { range: x, title: { text: name(this.dims.x), standoff: 4 } },
      yaxis: {
        range: y, title: { text: single ? "Standard deviation of z1" : name(this.dims.y), standoff: 4 },
        ...(single ? {} : { scaleanchor: "x" }),
      },
    };
  }

  get margin() {
    const type = typeScale(this.element);
    return Object.fromEntries(Object.entries(MARGIN_OF_AXES).map(([side, n]) => [side, type * n]));
  }

  get accent() {
    return getComputedStyle(this.element).outlineColor;
  }

  // The page's own colours and type, on top of what the figure brings.
  template() {
    const { color, fontFamily } = getComputedStyle(this.element);
    const { layout, ...rest } = this.look.template;
    const line = "rgba(138, 138, 138, 0.7)";
    const axis = (own) => ({ ...own, linecolor: line, tickcolor: line });
    return {
      ...rest,
      layout: {
        ...layout, font: { ...layout.font, size: typeScale(this.element) * layout.font.size, color, family: fontFamily }, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
        modebar: { ...layout.modebar, color, activecolor: this.accent, bgcolor: "rgba(0, 0, 0, 0)" },
      },
    };
  }

  // What is to be painted: {look, looks, seen, chosen, dims, hovered, open}; only what is handed over changes.
  show(changes) {
    const before = this.dims;
    Object.assign(this, changes);
    this.grey.textContent = this.lack;
    this.grey.hidden = !this.lack;
    if (before && (before.x !== this.dims.x || before.y !== this.dims.y)) {
      this.xs = this.ys = null;
      this.zoom = changes.zoom ?? null;
      if (this.ready) {
        this.Plotly.relayout(this.graph, this.layout());
        return;
      }
    }
    this.paint();
  }

  // Why no point has a colour; empty where they have one.
  get lack() {
    const { lacking, colouring } = this.marks;
    if (!lacking) return "";
    const { title } = this.table.models[this.model];
    return colouring.name === "angle" ? `The ${title} infers no angle.` : `The ${title} has no ${colouring.label.toLowerCase()}.`;
  }

  get points() {
    this.xs ??= this.coordinate(0);
    this.ys ??= this.coordinate(1);
    const { look, looks, seen, chosen } = this.marks;
    return { xs: this.xs, ys: this.ys, look, looks, seen, chosen, order: this.order };
  }

  // Plotly's axes; until they are there, what they will be, so that the points need not wait.
  get axes() {
    if (this.ready) {
      const { xaxis, yaxis } = this.graph._fullLayout;
      return { xaxis, yaxis };
    }
    const { l, r, t, b } = this.margin;
    const lengths = [Math.max(this.element.clientWidth - l - r, 1), Math.max(this.element.clientHeight - t - b, 1)];
    const ranges = this.zoom ?? this.whole;
    const scales = ranges.map(([low, high], i) => (high - low) / lengths[i]);
    const axis = (_id, i, _offset) => {
      const [low, high] = ranges[i];
      const half = (this.equal ? Math.max(...scales) * lengths[i] : high - low) / 2;
      return { _id, _offset, _length: lengths[i], range: [(low + high) / 2 - half, (low + high) / 2 + half] };
    };
    return { xaxis: axis("x", 0, l), yaxis: axis("y", 1, t) };
  }

  get extent() {
    return this.ready ? this.graph._fullLayout : { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  paint() {
    if (!this.marks || !this.element.clientWidth) return;
    const ratio = this.emptied(this.canvas);
    paintPoints(this.canvas.getContext("2d"), ratio, this.points, this.axes, this.look.stamps);
    this.ring();
  }

  emptied(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.extent;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      Object.assign(canvas, { width: wide, height: high });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    } else canvas.getContext("2d").clearRect(0, 0, wide, high);
    return ratio;
  }

  // Circles around the point under the pointer, and the one whose particle is open.
  ring() {
    if (!this.marks || !this.element.clientWidth) return;
    const ratio = this.emptied(this.rings);
    const brush = this.rings.getContext("2d");
    const { color } = getComputedStyle(this.element);
    for (const [row, size, width] of [[this.hovered ?? -1, 7, 2], [this.open ?? -1, 9, 2.5]]) {
      if (row < 0) continue;
      const at = this.placeOf(row);
      const { xaxis, yaxis } = this.axes;
      const inside = at[0] >= xaxis._offset && at[0] <= xaxis._offset + xaxis._length && at[1] >= yaxis._offset
        && at[1] <= yaxis._offset + yaxis._length;
      if (!inside) continue;
      Object.assign(brush, { strokeStyle: color, lineWidth: width * ratio });
      brush.beginPath();
      brush.arc(at[0] * ratio, at[1] * ratio, size * ratio, 0, 2 * Math.PI);
      brush.stroke();
    }
  }

  placeOf(row) {
    const { xs, ys } = this.points;
    const [[fx, ox], [fy, oy]] = [along(this.axes.xaxis), along(this.axes.yaxis)];
    return [fx * xs.values[xs.start + row * xs.step] + ox, fy * ys.values[ys.start + row * ys.step] + oy];
  }

  under([left, top]) {
    return this.marks ? pointAt(this.points, this.axes, left, top, NEAR) : -1;
  }

  hover(row, place = null) {
    const other = row !== this.hovered;
    if (other) this.on.hover(row);
    this.tip.show(row, place, other);
  }

  // Ring the point of a picture that is under the pointer in the grid.
  point(row, open) {
    Object.assign(this, { hovered: row, open });
    this.ring();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey) return;
    const tool = TOOLS[event.key.toLowerCase()];
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (tool) this.use(tool);
    else if (event.key === "+" || event.key === "=") this.scale(0.75);
    else if (event.key === "-") this.scale(1 / 0.75);
    else if (event.key === "0") this.see(null);
    else if (event.key in moves) this.move(...moves[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  use(tool) {
    this.tool = tool;
    if (this.ready && this.graph._fullLayout.dragmode !== tool) this.Plotly.relayout(this.graph, { dragmode: tool });
  }

  ranges() {
    const { xaxis, yaxis } = this.axes;
    return [xaxis.range.slice(), yaxis.range.slice()];
  }

  scale(factor) {
    this.see(this.ranges().map(([low, high]) => {
      const [middle, half] = [(low + high) / 2, (factor * (high - low)) / 2];
      return [middle - half, middle + half];
    }));
  }

  move(x, y) {
    this.see(this.ranges().map(([low, high], axis) => {
      const step = 0.15 * (high - low) * (axis ? y : x);
      return [low + step, high + step];
    }));
  }

  // Show a part of the plane, or all of it.
  see(zoom) {
    this.zoom = zoom;
    if (!this.ready) {
      this.paint();
      return;
    }
    const [x, y] = zoom ?? this.whole;
    this.Plotly.relayout(this.graph, { "xaxis.range": x, "yaxis.range": y });
  }

  told(changes) {
    const names = Object.keys(changes);
    if (names.includes("dragmode")) {
      this.tool = changes.dragmode;
      this.on.tool(this.tool);
    }
    if (!names.some((name) => /axis\d*\.(range|autorange)/.test(name))) return;
    const wide = this.whole;
    const all = this.ranges().every(([low, high], axis) => {
      const [least, most] = wide[axis];
      return low <= least + 1e-6 * (most - least) && high >= most - 1e-6 * (most - least);
    });
    this.zoom = all ? null : this.ranges();
    this.on.zoom(this.zoom);
  }

  // Colours of a page that has turned dark or light.
  repaint() {
    if (this.ready) this.Plotly.relayout(this.graph, { template: this.template(), margin: this.margin });
  }

  // The map as a figure of Plotly's own.
  figure() {
    return figureOf(this);
  }

  async download() {
    const { picture } = this.look;
    const filename = `${picture.filename}-${this.table.models[this.model].title}`;
    const { width, height } = this.extent;
    await this.Plotly.downloadImage(this.figure(), { ...picture, filename, width, height });
  }

  // Stand as vectors in place of the canvases, and go back.
  toPaper() {
    if (!this.ready || this.paper) return;
    this.paper = make("div", { class: "paper" });
    for (const canvas of [this.canvas, this.rings, this.lasso.canvas]) canvas.remove();
    this.graph.hidden = true;
    this.element.append(this.paper);
    const { data, layout } = this.figure();
    for (const trace of data) trace.type = "scatter";
    this.papered = this.Plotly.newPlot(this.paper, data, { ...layout, ...PAPER }, { staticPlot: true });
    for (const svg of this.paper.querySelectorAll(".main-svg")) svg.setAttribute("viewBox", `0 0 ${PAPER.width} ${PAPER.height}`);
  }

  fromPaper() {
    if (!this.paper) return;
    const { paper } = this;
    const purge = () => this.Plotly.purge(paper);
    this.papered.then(purge, purge); // Plotly goes on drawing for a while, and fails on a plot that is purged
    paper.remove();
    this.paper = null;
    this.graph.hidden = false;
    this.graph.querySelector(".gl-container").append(this.canvas, this.rings);
    this.element.append(this.lasso.canvas);
    this.paint();
  }
}

