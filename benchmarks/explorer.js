// What benchmarks/explorer.py does in the browser, for each way to draw the points: lasso, recolour, scroll and pan.

const frame = () => new Promise(requestAnimationFrame);

async function painted() {
  await frame();
  await new Promise((done) => setTimeout(done, 0));
}

async function timed(act) {
  const began = performance.now();
  await act();
  await painted();
  return performance.now() - began;
}

async function frames(seconds, act) {
  const began = performance.now();
  let n = 0;
  while (performance.now() - began < 1000 * seconds) {
    act(n);
    await painted();
    n += 1;
  }
  return (1000 * n) / (performance.now() - began);
}

// Frames a second while Plotly's axes are dragged to and fro.
async function drag(target, seconds) {
  const box = target.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const send = (where, type, clientX, clientY, buttons) => where.dispatchEvent(
    new MouseEvent(type, { clientX, clientY, bubbles: true, cancelable: true, button: 0, buttons, view: window }));
  send(target, "mousedown", x, y, 1);
  const speed = await frames(seconds, (n) => send(document, "mousemove", x + 60 * Math.sin(n / 5), y + 20 * Math.sin(n / 9), 1));
  send(document, "mouseup", x, y, 0);
  return speed;
}

export const explorerPage = {
  async lasso(share) {
    const { explorer } = window;
    const map = explorer.maps[0].element;
    const box = map.getBoundingClientRect();
    explorer.clear();
    await painted();
    map.setPointerCapture = () => {};
    const send = (type, [x, y]) => map.dispatchEvent(new PointerEvent(type, {
      clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true, cancelable: true, button: 0,
      buttons: 1, pointerId: 1,
    }));
    const angles = Array.from({ length: 60 }, (_, i) => (2 * Math.PI * i) / 60);
    const corners = angles.map((a) => [0.5 + share * Math.cos(a), 0.5 + share * Math.sin(a)]);
    send("pointerdown", corners[0]);
    for (const corner of corners.slice(1)) send("pointermove", corner);
    await painted();
    return timed(async () => {
      send("pointerup", corners[0]);
      await painted();
      while (document.querySelector(".pictures .waiting")) await frame();
    });
  },
  recolour: (turn) => timed(() => window.explorer.set({ colour: ["confidence", "predicted", "angle", "outlier score", "class"][turn % 5] })),
  async scroll(seconds) {
    window.explorer.clear();
    const grid = document.querySelector(".pictures");
    grid.scrollTop = 0;
    return frames(seconds, () => { grid.scrollTop += 60; });
  },
  async pan(seconds) {
    window.explorer.maps[0].use("pan");
    await painted();
    const speed = await drag(document.querySelector(".nsewdrag"), seconds);
    window.explorer.maps[0].use("lasso");
    return speed;
  },
};

const within = (share) => (x, y) => Math.hypot(x, y) < 5 * share;

export const scattergl = {
  async draw(table, colours) {
    const traces = colours.map((color) => ({ type: "scattergl", mode: "markers", x: [], y: [], c: [], marker: { size: 6, opacity: 0.75, color } }));
    const [z, predicted, confidence] = ["z", "predicted", "confidence"].map((name) => table.column(name));
    for (let i = 0; i < table.n; i += 1) {
      const trace = traces[predicted[i]];
      trace.x.push(z[2 * i]);
      trace.y.push(z[2 * i + 1]);
      trace.c.push(confidence[i]);
    }
    Object.assign(this, { colours, values: traces.map(({ c }) => c) });
    return timed(() => window.Plotly.newPlot("plot", traces, { dragmode: "pan", showlegend: false }));
  },
  lasso(share) {
    const inside = within(share);
    const { data } = document.getElementById("plot");
    const selectedpoints = data.map(({ x, y }) => Array.from(x, (_, i) => i).filter((i) => inside(x[i], y[i])));
    return timed(() => window.Plotly.restyle("plot", { selectedpoints }));
  },
  recolour(turn) {
    return timed(() => window.Plotly.restyle("plot", { "marker.color": turn % 2 ? this.values : this.colours }));
  },
  pan: (seconds) => drag(document.querySelector(".nsewdrag"), seconds),
};

export const regl = {
  async draw(table, colours) {
    const { default: create } = await import("./scatterplot.js");
    this.plot = create({ canvas: document.getElementById("plot"), width: 600, height: 600, pointSize: 6, opacity: 0.75 });
    const [z, predicted, confidence] = ["z", "predicted", "confidence"].map((name) => table.column(name));
    this.points = Array.from({ length: table.n }, (_, i) => [z[2 * i] / 8, z[2 * i + 1] / 8, predicted[i], confidence[i]]);
    this.looks = [
      { colorBy: "valueA", pointColor: colours },
      { colorBy: "valueB", pointColor: Array.from({ length: 64 }, (_, i) => `#0072${(64 + i).toString(16)}`) },
    ];
    this.plot.set(this.looks[0]);
    return timed(() => this.plot.draw(this.points));
  },
  lasso(share) {
    const inside = within(share);
    const chosen = this.points.map((_, i) => i).filter((i) => inside(8 * this.points[i][0], 8 * this.points[i][1]));
    return timed(() => this.plot.select(chosen));
  },
  recolour(turn) {
    return timed(() => {
      this.plot.set(this.looks[turn % 2]);
      return this.plot.draw(this.points);
    });
  },
  pan(seconds) {
    const view = this.plot.get("cameraView").slice();
    return frames(seconds, (n) => {
      const now = view.slice();
      now[12] = 0.2 * Math.sin(n / 5);
      this.plot.set({ cameraView: now });
    });
  },
};
