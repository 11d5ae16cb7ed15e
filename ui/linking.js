// Charts that stand side by side share one selection. What is lassoed in one is painted at once in all of them, on a canvas
// above their points, which fade: Plotly would draw every chart again for it. And Streamlit keeps two things of a chart from
// the page, a double click in it and how far it is zoomed in. What begins with an underscore is Plotly's own business, in
// the version that Streamlit 1.67 brings along; the tests in a browser tell when that changes.

const ZOOM = /^[xy]axis\.(range|autorange)/;
const CAMERA = '.modebar-btn[data-title^="Download plot"]';
const LEVELS = 256; // of a colour scale
const FADED_LAYER = 0.2; // all points as one picture, so that less than this would hide where the cloud is
const zooms = {}; // of every view, by chart

const chartOf = (name) => document.querySelector(`.st-key-${name} .js-plotly-plot`);
const idsOf = (points) => new Set(points.map(({ customdata }) => Number(customdata)));
const positions = ({ customdata }, ids) => [...customdata.keys()].filter((i) => ids.has(Number(customdata[i])));

// Colours along a scale of Plotly's, in as many levels as a screen shows.
function levels(colorscale) {
  const [canvas, last] = [document.createElement("canvas"), LEVELS - 1];
  Object.assign(canvas, { width: LEVELS, height: 1 });
  const brush = canvas.getContext("2d");
  const gradient = brush.createLinearGradient(0, 0, last, 0);
  for (const [at, color] of colorscale) gradient.addColorStop(at, color);
  brush.fillStyle = gradient;
  brush.fillRect(0, 0, LEVELS, 1);
  const { data } = brush.getImageData(0, 0, LEVELS, 1);
  return Array.from({ length: LEVELS }, (_, i) => `rgb(${data.slice(4 * i, 4 * i + 3).join()})`);
}

// The colour of a trace's point.
function colouring({ marker }, layout) {
  if (typeof marker.color === "string") return () => marker.color;
  const { cmin, cmax, colorscale } = layout[marker.coloraxis];
  const colours = levels(colorscale);
  const share = (value) => Math.min(Math.max((value - cmin) / (cmax - cmin || 1), 0), 1);
  return (i) => colours[Math.round(share(marker.color[i]) * (LEVELS - 1))];
}

function paint(chart, ids, stamps) {
  const layout = chart._fullLayout;
  const traces = chart._fullData.filter(({ customdata, visible }) => customdata && visible === true);
  for (const points of chart.querySelectorAll(".scatterlayer, .gl-canvas")) points.style.opacity = ids.size ? FADED_LAYER : "";
  let canvas = chart.querySelector(".marks");
  if (!canvas) {
    canvas = Object.assign(document.createElement("canvas"), { className: "marks" });
    canvas.setAttribute("aria-hidden", "true");
    Object.assign(canvas.style, { position: "absolute", inset: 0, pointerEvents: "none" });
    chart.querySelector(".gl-container").append(canvas);
  }
  const [brush, ratio] = [canvas.getContext("2d"), fit(canvas, layout)];
  for (const trace of ids.size ? traces : []) {
    const axes = { xaxis: layout[trace.xaxis.replace("x", "xaxis")], yaxis: layout[trace.yaxis.replace("y", "yaxis")] };
    const colour = colouring(trace, layout);
    clipTo(brush, axes, ratio);
    stampPoints(brush, ratio, trace, axes, (i) => {
      const marker = { ...trace.marker, opacity: 1 };
      return ids.has(Number(trace.customdata[i])) && stamps.of({ ...marker, color: colour(i) }, ratio);
    });
    brush.restore();
  }
}

// Take away the outline of what was lassoed in a chart before the selection came from elsewhere.
function forgetOutline(chart) {
  if (!chart.layout.selections?.length) return;
  chart._fullLayout._deactivateSelection?.(chart); // else it would swallow the next click
  chart.layout.selections = chart._fullLayout.selections = [];
  for (const outline of chart.querySelectorAll(".selectionlayer > *, .zoomlayer .select-outline")) outline.remove();
  chart.duties.deaf = true;
  chart.emit("plotly_deselect"); // Streamlit would not tell the same lasso a second time
  chart.duties.deaf = false;
}

// Let the button that resets the axes find the whole plane where a chart was drawn zoomed; Plotly forgets it at times.
function rememberWhole(chart, whole) {
  if (!whole) return;
  for (const [axis, [from, to]] of [["xaxis", whole[0]], ["yaxis", whole[1]]]) {
    Object.assign(chart._fullLayout[axis], { _rangeInitial0: from, _rangeInitial1: to });
  }
}

// Dress the points as a picture should have them, for as long as Plotly takes to copy them.
function dress(chart, ids, faded) {
  const [selected, unselected] = [1, faded].map((opacity) => ({ marker: { opacity } }));
  for (const trace of chart._fullData) {
    if (!ids.size || !trace.customdata) continue;
    const given = trace._input;
    const before = { selectedpoints: given.selectedpoints, selected: given.selected, unselected: given.unselected };
    Object.assign(given, { selectedpoints: positions(trace, ids), selected, unselected });
    setTimeout(() => Object.assign(given, before));
  }
}

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const ofView = (zooms[data.view] ??= {});
  const stamps = new Stamps(data.shapes);
  const selection = (parentElement.selection ??= {});

  const charts = () => data.charts.map(chartOf).filter((chart) => chart?.duties);

  function mark(ids) {
    selection.ids = ids;
    for (const chart of charts()) chart.duties.paint();
  }

  function select(ids, source) {
    selection.source = source;
    mark(ids);
    for (const chart of charts()) if (chart.duties.name !== source) forgetOutline(chart);
  }

  // What a chart has to do, for the data of this call.
  const dutiesOf = (name, chart) => ({
    name,
    data,
    ids: () => selection.ids,
    paint() {
      rememberWhole(chart, data.whole[name]);
      paint(chart, selection.ids, stamps);
    },
    dress: () => dress(chart, selection.ids, data.faded),
    lassoing: (points) => mark(idsOf(points)),
    lassoed: (points) => select(idsOf(points), name),
    cleared() {
      if (this.deaf) return;
      select(new Set(), null);
      setTriggerValue("cleared", true);
    },
    zoomed() {
      const { xaxis, yaxis } = chart._fullLayout;
      ofView[name] = [[...xaxis.range], [...yaxis.range]];
      setStateValue("zooms", { view: data.view, charts: { ...ofView } });
    },
  });

  // A chart is listened to once, however often it is drawn and this is called.
  function listen(name) {
    const chart = chartOf(name);
    if (!chart?.on || !chart._fullLayout?._plots || chart.duties?.data === data) return;
    const known = chart.duties !== undefined;
    chart.duties = dutiesOf(name, chart);
    if (name !== selection.source) forgetOutline(chart);
    chart.duties.paint();
    if (known) return;
    chart.on("plotly_selecting", (event) => event?.points?.length && chart.duties.lassoing(event.points));
    chart.on("plotly_selected", (event) => event && chart.duties.lassoed(event.points ?? []));
    chart.on("plotly_deselect", () => chart.duties.cleared());
    chart.on("plotly_doubleclick", () => chart.duties.cleared());
    chart.on("plotly_relayout", (change) => {
      if (Object.keys(change).some((key) => ZOOM.test(key))) chart.duties.zoomed();
    });
    for (const event of ["plotly_afterplot", "plotly_relayouting"]) chart.on(event, () => chart.duties.paint());
    chart.addEventListener("click", ({ target }) => target.closest(CAMERA) && chart.duties.dress(), true);
  }

  Object.assign(selection, { ids: new Set(data.ids), source: data.source });
  const listenToAll = () => data.charts.forEach(listen);
  // Streamlit calls this again whenever the data change, and what it returns only at the very end.
  parentElement.observer?.disconnect();
  const observer = (parentElement.observer = new MutationObserver(listenToAll));
  observer.observe(document.body, { childList: true, subtree: true });
  listenToAll();
  return () => observer.disconnect();
}
