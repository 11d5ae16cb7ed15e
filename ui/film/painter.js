// Paints what a step of a film changes on a canvas among the layers of Plotly's figure: Plotly would draw the figure again,
// which takes it many times as long. `benchmarks/films.py` measures both.

const NEAR = 8; // pixels from a point at which it is told
const LINE_HEIGHT = 1.3;
const NUMBERS = {
  f4: Float32Array, f8: Float64Array, i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array,
  i4: Int32Array, u4: Uint32Array,
};

// Numbers come as plotly.py packs them, in base64.
function unpacked(value) {
  if (!value?.bdata) return value;
  const bytes = Uint8Array.from(atob(value.bdata), (letter) => letter.charCodeAt(0));
  return new NUMBERS[value.dtype](bytes.buffer);
}

function unpack(trace) {
  return Object.fromEntries(Object.entries(trace).map(([name, value]) => [name, unpacked(value)]));
}

// Plotly's little HTML as lines of text; nothing of it is put into the page.
function linesOf(html) {
  return html.split("<br>").map((part) => {
    const { body } = new DOMParser().parseFromString(part, "text/html");
    const size = parseFloat(body.querySelector("span")?.style.fontSize);
    return { text: body.textContent, bold: body.querySelector("b") !== null, size };
  });
}

async function pictureOf(source) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  return picture;
}

function inside({ xaxis, yaxis }, x, y) {
  const holds = ({ _offset, _length }, at) => at >= _offset && at <= _offset + _length;
  return holds(xaxis, x) && holds(yaxis, y);
}

// What a template of plotly's says of one point of a trace.
function told(trace, point) {
  const value = (name, index) => (index === undefined ? trace[name]?.[point] : trace[name]?.[point]?.[index]);
  const filled = trace.hovertemplate
    .replace("<extra></extra>", "")
    .replace("%{id}", "%{ids}")
    .replace(/%\{(\w+)(?:\[(\d+)\])?(:,)?\}/g, (_, name, index, commas) => {
      const found = value(name, index) ?? "";
      return commas ? found.toLocaleString("en-US") : found;
    });
  return linesOf(filled).map(({ text }) => text).join("\n");
}

class Painter {
  // `figure` as plotly.py sends it, its moving traces without what moves; `shapes` are the markers' outlines, 16 x 16.
  static async of(figure, shapes) {
    const painter = new Painter();
    const { traces } = figure.frames[0];
    painter.stamps = new Stamps(shapes);
    painter.moving = traces;
    painter.fixed = figure.data.map(unpack);
    const nothing = { annotations: [], images: [] }; // which plotly.py leaves out where there are none
    painter.frames = figure.frames.map(({ data, layout }) => ({ data: data.map(unpack), ...nothing, ...layout }));
    const sources = painter.frames.flatMap(({ data, images }) => [...data, ...images].map(({ source }) => source));
    const wanted = [...new Set(sources.filter(Boolean))];
    const pictures = await Promise.all(wanted.map(pictureOf));
    painter.pictures = new Map(wanted.map((source, i) => [source, pictures[i]]));
    painter.read = new Map();
    return painter;
  }

  // For Plotly: a moving trace is its entry in the legend, or nothing but a reason to draw its axes.
  get standing() {
    return this.fixed.map((trace, i) => {
      if (!this.moving.includes(i)) return trace;
      const { name, xaxis, yaxis, marker, mode, legendgroup, legendrank, showlegend = false } = trace;
      const nowhere = { type: "scatter", x: [null], y: [null], hoverinfo: "skip", name, xaxis, yaxis, showlegend };
      return showlegend ? { ...nowhere, mode, marker, legendgroup, legendrank } : { ...nowhere, mode: "markers", legendgroup };
    });
  }

  // All of a step, for a picture that Plotly draws; points as vectors.
  whole(step) {
    const { data, annotations, images } = this.frames[step];
    const traces = this.fixed.map((trace, i) => {
      const type = trace.type === "scattergl" ? "scatter" : trace.type;
      return { ...trace, type, visible: this.graph.data[i].visible ?? true };
    });
    this.moving.forEach((trace, i) => Object.assign(traces[trace], { ...data[i], type: traces[trace].type }));
    return { data: traces, layout: { annotations, images } };
  }

  // Lie over the axes and below the legends and labels, where Plotly keeps its own canvases.
  attach(graph, style) {
    this.graph = graph;
    this.style = style;
    graph.querySelector(".painted")?.remove(); // of the film that was here before
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.className = "painted";
    this.brush = this.canvas.getContext("2d");
    graph.querySelector(".gl-container").append(this.canvas);
  }

  paint(step = this.step) {
    this.step = step;
    const { graph, brush, canvas } = this;
    const { _size: area, font } = graph._fullLayout;
    this.ratio = fit(canvas, graph._fullLayout);
    const { color, fontFamily } = getComputedStyle(this.style);
    this.type = { color, family: fontFamily, size: font.size };
    for (const { trace, axes } of this.panels()) {
      if (trace.type !== "scatter" || trace.mode === "text") clipTo(brush, axes, this.ratio);
      else brush.save();
      if (trace.type === "scattergl") this.points(trace, axes);
      else if (trace.type === "image") this.cells(trace, axes);
      else if (trace.mode === "text") this.numbers(trace, axes);
      else this.marker(trace, axes);
      brush.restore();
    }
    const { annotations, images } = this.frames[step];
    for (const image of images) if (image.visible) this.picture(image, area);
    for (const annotation of annotations) this.title(annotation, area);
  }

  // The moving traces that are to be seen, whole, with their axes.
  *panels() {
    const { graph, moving, fixed, frames, step } = this;
    for (const [i, index] of moving.entries()) {
      if ((graph.data[index].visible ?? true) !== true) continue;
      const trace = { ...fixed[index], ...frames[step].data[i] };
      const [xaxis, yaxis] = ["x", "y"].map((letter) => {
        const id = trace[`${letter}axis`] ?? letter;
        return graph._fullLayout[`${letter}axis${id.slice(1)}`];
      });
      yield { trace, axes: { xaxis, yaxis } };
    }
  }

  points(trace, axes) {
    const stamp = this.stamps.of(trace.marker, this.ratio);
    stampPoints(this.brush, this.ratio, trace, axes, () => stamp);
  }

  cells({ source }, { xaxis, yaxis }) {
    const box = [xaxis._offset, yaxis._offset, xaxis._length, yaxis._length].map((n) => n * this.ratio);
    this.brush.imageSmoothingEnabled = false;
    this.brush.drawImage(this.pictures.get(source), ...box);
  }

  numbers({ x, y, text, textfont }, { xaxis, yaxis }) {
    const [[fx, ox], [fy, oy]] = [along(xaxis), along(yaxis)];
    Object.assign(this.brush, { textAlign: "center", textBaseline: "middle", font: this.font(textfont.size) });
    for (let i = 0; i < text.length; i += 1) {
      this.brush.fillStyle = textfont.color?.[i] ?? this.type.color;
      this.brush.fillText(text[i], (fx * x[i] + ox) * this.ratio, (fy * y[i] + oy) * this.ratio);
    }
  }

  // A line up to the first gap, and a marker at every point that has a size.
  marker({ x, y, line, marker }, { xaxis, yaxis }) {
    const at = (i) => [(xaxis._offset + xaxis.d2p(x[i])) * this.ratio, (yaxis._offset + yaxis.d2p(y[i])) * this.ratio];
    Object.assign(this.brush, { strokeStyle: line.color, lineWidth: line.width * this.ratio });
    this.brush.beginPath();
    for (let i = 0; y[i] !== null && i < y.length; i += 1) this.brush.lineTo(...at(i));
    this.brush.stroke();
    for (let i = 0; i < y.length; i += 1) {
      if (!marker.size[i] || y[i] === null) continue;
      const own = { symbol: marker.symbol[i], color: marker.color[i], size: marker.size[i] };
      const stamp = this.stamps.of({ ...marker, ...own }, this.ratio);
      const [left, top] = at(i);
      this.brush.drawImage(stamp, left - stamp.width / 2, top - stamp.height / 2);
    }
  }

  picture({ source, x, y, sizex, sizey }, area) {
    const picture = this.pictures.get(source);
    const scale = Math.min((sizex * area.w) / picture.width, (sizey * area.h) / picture.height) * this.ratio;
    const [width, height] = [picture.width * scale, picture.height * scale];
    const [middle, top] = [(area.l + x * area.w) * this.ratio, (area.t + (1 - y) * area.h) * this.ratio];
    this.brush.imageSmoothingEnabled = true;
    this.brush.drawImage(picture, middle - width / 2, top, width, height);
  }

  // Centred above a panel.
  title({ text, xref, yref, x, y, yshift = 0, font }, area) {
    const { brush, ratio, type } = this;
    const place = (ref, share, from, length) => {
      const axis = ref === "paper" ? null : this.graph._fullLayout[`${ref[0]}axis${ref.split(" ")[0].slice(1)}`];
      return axis ? axis._offset + share * axis._length : from + share * length;
    };
    const middle = place(xref, x, area.l, area.w) * ratio;
    let bottom = (place(yref, 1 - y, area.t, area.h) - yshift) * ratio;
    if (!this.read.has(text)) this.read.set(text, linesOf(text));
    Object.assign(brush, { textAlign: "center", textBaseline: "bottom", fillStyle: type.color });
    for (const { text: words, bold, size } of this.read.get(text).slice().reverse()) {
      const height = size || font?.size || type.size;
      brush.font = this.font(height, bold);
      brush.fillText(words, middle, bottom);
      bottom -= LINE_HEIGHT * height * ratio;
    }
  }

  font(size, bold = false) {
    return `${bold ? "bold " : ""}${size * this.ratio}px ${this.type.family}`;
  }

  // What is to be said of the place of the pointer, null where there is nothing.
  tell(left, top) {
    let [closest, words] = [Infinity, null];
    for (const { trace, axes } of this.panels()) {
      if (!trace.hovertemplate || trace.x.length !== trace.y.length || !inside(axes, left, top)) continue;
      const [[fx, ox], [fy, oy]] = [along(axes.xaxis), along(axes.yaxis)];
      const reach = trace.mode === "text" ? Infinity : NEAR;
      for (let i = 0; i < trace.x.length; i += 1) {
        const distance = trace.x[i] === null ? Infinity : Math.hypot(fx * trace.x[i] + ox - left, fy * trace.y[i] + oy - top);
        if (distance < closest && distance <= reach) [closest, words] = [distance, [trace, i]];
      }
    }
    return words && told(...words);
  }
}
