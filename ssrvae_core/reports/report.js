"use strict";
(() => {
  // A browser keeps few WebGL contexts and drops the oldest; a chart of many points takes three of them.
  const MOST_WEBGL_CHARTS = 4;
  const WIDEST_ON_PAPER = 900; // pixels; a chart on paper is then made as wide as there is room, so a wider one has small type
  const templates = JSON.parse(document.getElementById("templates").textContent);
  const charts = [...document.querySelectorAll(".chart")];
  const darkPage = matchMedia("(prefers-color-scheme: dark)");
  const hasWebgl = document.createElement("canvas").getContext("webgl") !== null;
  const drawn = new Map(); // chart -> whether it uses WebGL; least recently drawn first
  const ready = new Map(); // chart -> the promise that all of it is drawn
  const inView = new Set();
  const standing = new Map(); // chart -> name of the frame its film stands at

  const plotOf = (chart) => chart.querySelector(".plot");
  const template = () => (darkPage.matches ? templates.dark : templates.light);

  function draw(chart, look, vectors, paper = false) {
    const figure = JSON.parse(chart.querySelector("script").textContent);
    figure.layout.template = look;
    const traces = [figure, ...(figure.frames ?? [])].flatMap((part) => part.data);
    const points = traces.filter((trace) => trace.type === "scattergl");
    if (vectors) for (const trace of points) trace.type = "scatter";
    drawn.set(chart, points.length > 0 && !vectors);
    const place = plotOf(chart);
    if (paper) {
      const size = { width: Math.min(place.clientWidth, WIDEST_ON_PAPER), height: place.clientHeight };
      Object.assign(figure.layout, size);
      figure.config.responsive = false;
      // A film stands at its last epoch: with frames, Plotly would draw it only after it is printed.
      delete figure.frames;
      delete figure.layout.updatemenus;
    }
    const plotted = Plotly.newPlot(place, figure);
    if (paper) stretchable(place);
    ready.set(chart, figure.frames ? plotted.then((plot) => resume(chart, plot)) : plotted);
  }

  // How wide paper is, a page is not told before it is printed.
  function stretchable(plot) {
    for (const svg of plot.querySelectorAll(".main-svg")) svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
  }

  // A film that is drawn again goes on from the frame it stood at.
  function resume(chart, plot) {
    const still = { mode: "immediate", frame: { duration: 0, redraw: true }, transition: { duration: 0 } };
    if (!plot.isConnected) return undefined;
    plot.on("plotly_animatingframe", ({ name }) => standing.set(chart, name));
    return standing.has(chart) ? Plotly.animate(plot, [standing.get(chart)], still) : undefined;
  }

  // Plotly goes on drawing after newPlot has returned, and fails on a plot that is purged meanwhile, as after a print.
  // So the next one gets an element of its own at once, and this one goes once it is done.
  function erase(chart) {
    const plot = plotOf(chart);
    const fresh = plot.cloneNode(false);
    fresh.classList.remove("js-plotly-plot");
    plot.replaceWith(fresh);
    const purge = () => Plotly.purge(plot);
    ready.get(chart).then(purge, purge);
    drawn.delete(chart);
  }

  function makeRoom() {
    const erasable = [...drawn].filter(([chart, webgl]) => webgl && !inView.has(chart));
    const excess = [...drawn.values()].filter(Boolean).length - MOST_WEBGL_CHARTS;
    for (const [chart] of erasable.slice(0, Math.max(excess, 0))) erase(chart);
  }

  function drawAll(wanted, look, vectors, paper = false) {
    for (const chart of [...drawn.keys()]) erase(chart);
    for (const chart of wanted) draw(chart, look, vectors, paper);
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target);
      else inView.delete(target);
      if (isIntersecting && !drawn.has(target)) draw(target, template(), !hasWebgl);
    }
    makeRoom();
  }, { rootMargin: "1500px 0px" });
  for (const chart of charts) observer.observe(chart);

  darkPage.addEventListener("change", () => drawAll([...inView], template(), !hasWebgl));
  // On paper every chart is there, on white, as vectors.
  addEventListener("beforeprint", () => drawAll(charts, templates.light, true, true));
  addEventListener("afterprint", () => drawAll([...inView], template(), !hasWebgl));
})();
