// One image on a turntable: everything for every angle is here already, so the slider never asks the server.

const SVG = "http://www.w3.org/2000/svg";
const PLAY_MS = 100;
const TELL_MS = 300;
const WIDE_ENOUGH = 10;  // percent of the strip that a name needs

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawing(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function swatch(colour) {
  return element("span", { class: "swatch", style: `background: ${colour}` });
}

// A row of tiles in one picture; the function returned shows tile `at` on the canvas.
function film(canvas, source, [height, width]) {
  const sheet = new Image();
  let shown = 0;
  canvas.width = width;
  canvas.height = height;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.imageRendering = "pixelated";
  const paint = () => canvas.getContext("2d").drawImage(sheet, shown * width, 0, width, height, 0, 0, width, height);
  sheet.onload = paint;
  sheet.src = source;
  return (at) => {
    shown = at;
    if (sheet.complete) paint();
  };
}

// Black or white, whichever reads on a colour.
function ink(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000000" : "#FFFFFF";
}

// Which class a model says at every angle, as stretches of its colour with its name where there is room; the frame marks the angles labelled images have.
function strip(model, data) {
  const svg = drawing("svg", { viewBox: `0 0 ${data.degrees.length} 10`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", `What ${model.title} says at every angle: ${model.told}`);
  const band = element("div", { class: "band" }, svg);
  for (let from = 0, to; from < model.said.length; from = to) {
    to = from + 1;
    while (model.said[to] === model.said[from]) to += 1;
    const [name, colour] = [data.classes[model.said[from]], data.colours[model.said[from]]];
    svg.append(drawing("rect", { x: from, y: 0, width: to - from, height: 10, fill: colour }));
    const [left, width] = [from, to - from].map((angles) => (100 * angles) / model.said.length);
    if (width > WIDE_ENOUGH) {
      const style = `left: ${left}%; width: ${width}%; color: ${ink(colour)}`;
      band.append(element("span", { style, "aria-hidden": "true" }, name));
    }
  }
  if (data.labelled) {
    const [from, to] = data.labelled;
    const frame = { x: from, y: 0.5, width: to - from + 1, height: 9, fill: "none", stroke: "currentColor" };
    svg.append(drawing("rect", { ...frame, "stroke-width": 2.5, "vector-effect": "non-scaling-stroke" }));
  }
  return element("div", { class: "strip" }, element("div", { class: "small" }, `${model.title} says`), band);
}

function bars(model, data) {
  const rows = data.classes.map((name, label) => {
    const fill = element("div", { class: "fill", style: `background: ${data.colours[label]}` });
    const share = element("span", { class: "share" });
    const mark = label === data.truth ? "bar true" : "bar";
    const title = label === data.truth ? `${name} \u2713` : name;
    const row = element("div", { class: mark }, element("span", { class: "name" }, swatch(data.colours[label]), title),
      element("div", { class: "track" }, fill), share);
    return { row, fill, share };
  });
  const update = (at) => rows.forEach(({ fill, share }, label) => {
    fill.style.transform = `scaleX(${model.shares[at][label]})`;
    share.textContent = model.shares[at][label].toFixed(2);
  });
  return [rows.map(({ row }) => row), update];
}

// The posterior of the angle as a shape on the circle: its area is the probability.
function circle(model, data) {
  if (!model.posterior) {
    const none = element("div", { class: "none" }, "It has no angle: a turned image is another image to it.");
    return [element("figure", { class: "circle" }, none, element("figcaption", {}, "Angle it infers")), () => {}];
  }
  const svg = drawing("svg", { viewBox: "-50 -50 100 100", role: "img" });
  const soft = { fill: "none", stroke: "currentColor", "stroke-opacity": 0.35, "stroke-width": 0.6 };
  svg.append(drawing("circle", { r: 14, ...soft }), drawing("circle", { r: 48, ...soft }));
  const truth = drawing("line", { stroke: "currentColor", "stroke-width": 1, "stroke-dasharray": "3 2" });
  const shape = drawing("path", { fill: data.colours[0], "fill-opacity": 0.75, stroke: data.colours[0] });
  svg.append(shape, truth);
  const highest = Math.max(...model.posterior.flat());
  const point = (turn, radius) => [radius * Math.cos(turn), -radius * Math.sin(turn)].map((v) => v.toFixed(2)).join(" ");
  const update = (at) => {
    const probabilities = model.posterior[at];
    const half = Math.PI / probabilities.length;
    const wedges = probabilities.map((p, a) => {
      const radius = Math.sqrt(14 ** 2 + (p / highest) * (48 ** 2 - 14 ** 2));
      const turn = 2 * a * half;
      return `M${point(turn - half, 14)}L${point(turn - half, radius)}L${point(turn + half, radius)}L${point(turn + half, 14)}Z`;
    });
    shape.setAttribute("d", wedges.join(""));
    const turn = (data.degrees[at] * Math.PI) / 180;
    const [x1, y1, x2, y2] = [...point(turn, 8).split(" "), ...point(turn, 49).split(" ")];
    Object.entries({ x1, y1, x2, y2 }).forEach(([name, value]) => truth.setAttribute(name, value));
    svg.setAttribute("aria-label", `Posterior of the angle, its mean at ${Math.round(model.angle[at])} degrees`);
  };
  return [element("figure", { class: "circle" }, svg, element("figcaption", {}, "Angle it infers; dashed: your turn")), update];
}

function losses(model) {
  const list = element("dl");
  const values = Object.keys(model.losses).map((name) => {
    const value = element("dd");
    list.append(element("dt", {}, name), value);
    return [name, value];
  });
  return [list, (at) => values.forEach(([name, value]) => (value.textContent = `${model.losses[name][at].toFixed(2)} nats`))];
}

function panel(model, data) {
  const canvas = element("canvas", { role: "img", "aria-label": `What ${model.title} draws of the image` });
  const drawn = model.posterior ? "What it draws, your turn taken out" : "What it draws";
  const picture = element("figure", {}, canvas, element("figcaption", {}, drawn));
  const [rows, showBars] = bars(model, data);
  const [round, showCircle] = circle(model, data);
  const [list, showLosses] = losses(model);
  const paint = film(canvas, model.sheet, data.tile);
  const card = element("section", { class: "model", "aria-label": model.title }, element("h3", {}, model.title), ...rows,
    element("div", { class: "pictures" }, picture, round), list);
  return [card, (at) => [showBars, showCircle, showLosses, paint].forEach((show) => show(at))];
}

function verdict(data, at) {
  const says = data.models.map((model) => {
    const label = model.said[at];
    const wrong = data.truth >= 0 && label !== data.truth ? ", which is wrong" : "";
    return `${model.title} says ${data.classes[label]} (${model.shares[at][label].toFixed(2)})${wrong}`;
  });
  return `At ${data.degrees[at]}°: ${says.join("; ")}.`;
}

export default function ({ parentElement, data, setStateValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const root = find(".turntable");
  if (root.dataset.token === data.token) return;
  root.dataset.token = data.token;
  clearInterval(root.playing);

  const slider = find("input");
  const step = data.degrees[1] - data.degrees[0];
  Object.assign(slider, { min: data.degrees[0], max: data.degrees.at(-1), step, value: data.start });

  const paint = film(find(".seen canvas"), data.sheet, data.tile);
  const panels = data.models.map((model) => panel(model, data));
  find(".seen figcaption").textContent = data.caption;
  find(".models").replaceChildren(...panels.map(([card]) => card));
  find(".strips").replaceChildren(...data.models.map((model) => strip(model, data)));
  const names = data.classes.map((name, k) => element("span", {}, swatch(data.colours[k]), name));
  const frame = element("span", {}, element("span", { class: "swatch frame" }), "angles the labelled images have");
  find(".legend").replaceChildren(...names, ...(data.labelled ? [frame] : []));

  const show = () => {
    const at = data.degrees.indexOf(Number(slider.value));
    find("output").textContent = `${slider.value}°`;
    slider.setAttribute("aria-valuetext", `${slider.value} degrees`);
    find(".seen canvas").setAttribute("aria-label", `${data.caption}, turned by ${slider.value} degrees`);
    paint(at);
    panels.forEach(([, update]) => update(at));
    find(".verdict").textContent = verdict(data, at);
  };
  const tell = () => setStateValue("angle", Number(slider.value));
  slider.oninput = show;
  slider.onchange = () => {  // arrow keys end a change each
    clearTimeout(root.telling);
    root.telling = setTimeout(tell, TELL_MS);
  };

  const button = find(".play");
  const stop = () => {
    clearInterval(root.playing);
    root.playing = null;
    button.textContent = "Play";
    find(".verdict").setAttribute("aria-live", "polite");
  };
  stop();
  button.onclick = () => {
    if (root.playing) {
      stop();
      tell();
      return;
    }
    button.textContent = "Stop";
    find(".verdict").setAttribute("aria-live", "off"); // it would be read ten times a second
    root.playing = setInterval(() => {
      if (!root.isConnected) return stop();
      slider.value = slider.value === slider.max ? slider.min : Number(slider.value) + step;
      show();
    }, PLAY_MS);
  };
  show();
}
