"use strict";
(() => {
  // A browser keeps few WebGL contexts and drops the oldest; a chart of many points takes three of them.
  const MOST_WEBGL_CHARTS = 4;
  const templates = JSON.parse(document.getElementById("templates").textContent);
  const charts = [...document.querySelectorAll(".chart")];
  const darkPage = matchMedia("(prefers-color-scheme: dark)");
  const hasWebgl = document.createElement("canvas").getContext("webgl") !== null;
  const drawn = new Map(); // chart -> whether it uses WebGL; least recently drawn first
  const inView = new Set();
  const standing = new Map(); // chart -> name of the frame its film stands at

  const plotOf = (chart) => chart.querySelector(".plot");
  const template = () => (darkPage.matches ? templates.dark : templates.light);

  function draw(chart, look, vectors) {
    const figure = JSON.parse(chart.querySelector("script").textContent);
    figure.layout.template = look;
    const traces = [figure, ...(figure.frames ?? [])].flatMap((part) => part.data);
    const points = traces.filter((trace) => trace.type === "scattergl");
    if (vectors) for (const trace of points) trace.type = "scatter";
    drawn.set(chart, points.length > 0 && !vectors);
    const plotted = Plotly.newPlot(plotOf(chart), figure);
    if (figure.frames) plotted.then((plot) => resume(chart, plot));
  }

  // A film that is drawn again goes on from the frame it stood at.
  function resume(chart, plot) {
    const still = { mode: "immediate", frame: { duration: 0, redraw: true }, transition: { duration: 0 } };
    if (standing.has(chart)) Plotly.animate(plot, [standing.get(chart)], still);
    plot.on("plotly_animatingframe", ({ name }) => standing.set(chart, name));
  }

  function erase(chart) {
    Plotly.purge(plotOf(chart));
    drawn.delete(chart);
  }

  function makeRoom() {
    const erasable = [...drawn].filter(([chart, webgl]) => webgl && !inView.has(chart));
    const excess = [...drawn.values()].filter(Boolean).length - MOST_WEBGL_CHARTS;
    for (const [chart] of erasable.slice(0, Math.max(excess, 0))) erase(chart);
  }

  function drawAll(wanted, look, vectors) {
    for (const chart of [...drawn.keys()]) erase(chart);
    for (const chart of wanted) draw(chart, look, vectors);
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
  addEventListener("beforeprint", () => drawAll(charts, templates.light, true));
  addEventListener("afterprint", () => drawAll([...inView], template(), !hasWebgl));
})();
