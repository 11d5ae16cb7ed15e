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
  const steps = data.degrees.length - 1; // both ends are one angle, and half of each lies beyond the slider
  const svg = drawing("svg", { viewBox: `0.5 0 ${steps} 10`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", `What ${model.title} says at every angle: ${model.told}`);
  const band = element("div", { class: "band" }, svg);
  for (let from = 0, to; from < model.said.length; from = to) {
    to = from + 1;
    while (model.said[to] === model.said[from]) to += 1;
    const [name, colour] = [data.classes[model.said[from]], data.colours[model.said[from]]];
    svg.append(drawing("rect", { x: from, y: 0, width: to - from, height: 10, fill: colour }));
    const [left, right] = [Math.max(from - 0.5, 0), Math.min(to - 0.5, steps)].map((at) => (100 * at) / steps);
    if (right - left > WIDE_ENOUGH) {
      const style = `left: ${left}%; width: ${right - left}%; color: ${ink(colour)}`;
      band.append(element("span", { style, "aria-hidden": "true" }, name));
    }
  }
  if (data.labelled) {
    const [from, to] = data.labelled;
    const frame = { x: from, y: 0.5, width: to - from + 1, height: 9, fill: "none", stroke: "currentColor" };
    svg.append(drawing("rect", { ...frame, "stroke-width": 2.5, "vector-effect": "non-scaling-stroke" }));
  }
  const cursor = element("div", { class: "cursor" });
  band.append(cursor);
  const row = element("div", { class: "strip" }, element("div", { class: "who" }, `${model.title} says`), band, element("div"));
  return [row, (at) => (cursor.style.left = `${(100 * at) / steps}%`)];
}

function bars(model, data) {
  const rows = data.classes.map((name, label) => {
    const fill = element("div", { class: "fill", style: `background: ${data.colours[label]}` });
    const number = element("span", { class: "share" });
    const isTrue = label === data.truth;
    const title = element("span", { class: "name" }, swatch(data.colours[label]), name);
    if (isTrue) title.append(element("span", { class: "tag" }, "true class"));
    const row = element("div", { class: isTrue ? "bar true" : "bar" }, title, element("div", { class: "track" }, fill), number);
    return { row, fill, number };
  });
  const update = (at) => rows.forEach(({ fill, number }, label) => {
    fill.style.transform = `scaleX(${model.shares[at][label]})`;
    number.textContent = share(model.shares[at][label]);
  });
  return [rows.map(({ row }) => row), update];
}

// The posterior of the angle as a shape on the circle, counter-clockwise from upright at the top: its area is the probability.
function circle(model, data) {
  if (!model.posterior) {
    const none = element("div", { class: "none" }, "A turned image is another image to it.");
    return [element("figure", { class: "circle" }, none), () => {}];
  }
  const svg = drawing("svg", { viewBox: "-56 -62 112 112", role: "img" });
  const zero = drawing("text", { y: -51, "text-anchor": "middle", "font-size": 9, fill: "currentColor", "fill-opacity": 0.75 });
  zero.textContent = "0\u00b0";
  svg.append(zero);
  const soft = { fill: "none", stroke: "currentColor", "stroke-opacity": 0.35, "stroke-width": 0.6 };
  svg.append(drawing("circle", { r: 14, ...soft }), drawing("circle", { r: 48, ...soft }));
  const truth = drawing("line", { stroke: "currentColor", "stroke-width": 1, "stroke-dasharray": "3 2" });
  const shape = drawing("path", { fill: data.colours[0], "fill-opacity": 0.75, stroke: data.colours[0] });
  svg.append(shape, truth);
  const highest = Math.max(...model.posterior.flat());
  const point = (turn, radius) => [-radius * Math.sin(turn), -radius * Math.cos(turn)].map((v) => v.toFixed(2)).join(" ");
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
    svg.setAttribute("aria-label", `Posterior of the angle: ${model.peaks[at]}`);
  };
  return [element("figure", { class: "circle" }, svg), update];
}

function panel(model, data) {
  const canvas = element("canvas", { role: "img", "aria-label": `What ${model.title} draws of the image` });
  const picture = element("figure", {}, canvas);
  const below = element("p", { class: "below" }, "Drawn as seen. It has no angle.");
  const showBelow = (at) => {
    if (model.posterior) below.textContent = `Drawn with your turn taken out. ${model.peaks[at]} (dashed: yours).`;
  };
  const verdict = element("span", { class: "verdict" });
  const [rows, showBars] = bars(model, data);
  const [round, showCircle] = circle(model, data);
  const paint = film(canvas, model.sheet, data.tile);
  const showVerdict = (at) => {
    const label = model.said[at];
    const judged = data.truth < 0 ? "says" : label === data.truth ? "right" : "wrong";
    verdict.className = `verdict ${judged}`;
    verdict.textContent = `${judged}${judged === "says" ? "" : ":"} ${data.classes[label]}`;
  };
  const head = element("div", { class: "head" }, element("h3", {}, model.title), verdict);
  const card = element("section", { class: "model", "aria-label": model.title }, head, element("div", { class: "bars" }, ...rows),
    element("div", { class: "pictures" }, picture, round), below);
  return [card, (at) => [showVerdict, showBars, showCircle, showBelow, paint].forEach((show) => show(at))];
}

function spoken(data, at, isOpen) {
  if (!isOpen) return `At ${data.degrees[at]}\u00b0.`;
  const says = data.models.map((model) => {
    const label = model.said[at];
    const wrong = data.truth >= 0 && label !== data.truth ? ", which is wrong" : "";
    return `${model.title} says ${data.classes[label]} (${share(model.shares[at][label])})${wrong}`;
  });
  return `At ${data.degrees[at]}°: ${says.join("; ")}.`;
}

// How often a model keeps to the true class, or where that is not known to what it says upright.
function kept({ said }, { truth, degrees }) {
  const wanted = truth < 0 ? said[degrees.indexOf(0)] : truth;
  return said.filter((label) => label === wanted).length;
}

// A reader who guesses first looks closer: verdicts, bars and the strips, which have all answers, are hidden until then.
function guessing(root, data, tell) {
  const find = (selector) => root.querySelector(selector);
  const { models, degrees, classes, truth } = data;
  const [first, second] = models;
  const [keep, keeps] = truth < 0 ? ["keep its answer", "keeps its answer"] : [`say ${classes[truth]}`, "is right"];
  const options = second
    ? { first: first.title, second: second.title, both: "both", neither: "neither" }
    : { first: "yes, at every angle", neither: "no, not at every angle" };
  const unasked = { skip: "show me" };
  const numbers = models.map((model) => kept(model, data));
  const [one, other] = numbers.map((n) => n === degrees.length);
  const answer = one && other ? "both" : one ? "first" : other ? "second" : "neither";
  const count = (n) => (n === degrees.length ? "at every angle" : `at ${n} of ${degrees.length} angles`);
  const counts = models.map(({ title }, i) => `${title}${i ? "" : ` ${keeps}`} ${count(numbers[i])}`);
  const show = (guess) => {
    const open = guess in options || guess in unasked;
    root.open = open;
    root.classList.toggle("unguessed", !open);
    find(".guess").hidden = open;
    find(".strips").hidden = find(".guessed").hidden = !open;
    const guessed = guess in options ? `You guessed ${options[guess]}${guess === answer ? ", rightly" : ""}. ` : "";
    if (open) find(".outcome").textContent = `${guessed}${counts.join(", ")}.`;
    root.say();
    root.fit();
  };
  find(".question").textContent = second
    ? `Guess first: at every angle, which model will ${keep}?`
    : `Guess first: at every angle, will ${first.title} ${keep}?`;
  const choose = (guess) => {
    root.guess = guess;
    show(guess);
    tell(guess);
  };
  const buttons = Object.entries({ ...options, ...unasked }).map(([guess, title]) => {
    const button = element("button", { type: "button", "data-guess": guess }, title);
    button.onclick = () => choose(guess);
    return button;
  });
  find(".guess").replaceChildren(find(".question"), ...buttons);
  find(".again").onclick = () => choose("none");
  show(root.guess);
}

// Make pictures as large as leaves all of it on one screen, where that is no smaller than can be seen.
function fit(root) {
  const card = root.querySelector(".model");
  if (!card || !root.clientWidth || !root.isConnected) return;
  const phone = getComputedStyle(root).gridTemplateAreas.split('" "').length > 2;
  if (phone) return ["--drawn", "--seen"].forEach((name) => root.style.removeProperty(name));
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const scrolled = document.querySelector('[data-testid="stMain"]')?.scrollTop ?? 0;
  const set = (name, side) => root.style.setProperty(name, `${Math.round(side)}px`);
  const cards = [...root.querySelectorAll(".model")];
  const within = (low, side, high) => Math.max(low, Math.min(side, high));
  const caption = root.querySelector(".seen figcaption").offsetHeight + 3;
  const gap = 0.7 * rem;
  const top = root.getBoundingClientRect().top + scrolled;
  const room = window.innerHeight - top - root.querySelector(".control").offsetHeight - gap - rem;
  const widest = root.clientWidth * (cards.length > 1 ? 0.3 : 0.4);
  set("--seen", within(8 * rem, room - caption, widest));
  set("--drawn", 5 * rem);
  const pictures = root.querySelector(".pictures");
  const besides = Math.max(...cards.map(({ offsetHeight }) => offsetHeight)) - pictures.querySelector("canvas").offsetHeight;
  const wide = (pictures.clientWidth - 0.8 * rem) / 2;
  set("--drawn", within(Math.min(4 * rem, wide), room - besides, wide));
  const high = Math.max(...cards.map(({ offsetHeight }) => offsetHeight));
  set("--seen", within(8 * rem, high - caption, widest));
}

export default function ({ parentElement, data, setStateValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const root = find(".turntable");
  if (root.dataset.token === data.token) return;
  root.dataset.token = data.token;
  root.guess ??= data.guess; // one that was made of another image stays
  clearInterval(root.playing);

  const slider = find("input");
  const step = data.degrees[1] - data.degrees[0];
  Object.assign(slider, { min: data.degrees[0], max: data.degrees.at(-1), step, value: data.start });

  const paint = film(find(".seen canvas"), data.sheet, data.tile);
  const panels = data.models.map((model) => panel(model, data));
  const strips = data.models.map((model) => strip(model, data));
  find(".seen figcaption").textContent = data.caption;
  find(".models").replaceChildren(...panels.map(([card]) => card));
  find(".strips").replaceChildren(...strips.map(([row]) => row));
  const frame = [element("span", { class: "swatch frame" }), "angles of labelled images"];
  find(".legend").replaceChildren(...(data.labelled ? frame : []));

  const show = () => {
    const at = data.degrees.indexOf(Number(slider.value));
    find("output").textContent = `${slider.value}°`;
    slider.setAttribute("aria-valuetext", `${slider.value} degrees`);
    find(".seen canvas").setAttribute("aria-label", `${data.caption}, turned by ${slider.value} degrees`);
    paint(at);
    [...panels, ...strips].forEach(([, update]) => update(at));
    root.say();
  };
  root.say = () => (find(".spoken").textContent = spoken(data, data.degrees.indexOf(Number(slider.value)), root.open));
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
    find(".spoken").setAttribute("aria-live", "polite");
  };
  stop();
  button.onclick = () => {
    if (root.playing) {
      stop();
      tell();
      return;
    }
    button.textContent = "Stop";
    find(".spoken").setAttribute("aria-live", "off"); // it would be read ten times a second
    root.playing = setInterval(() => {
      if (!root.isConnected) return stop();
      slider.value = slider.value === slider.max ? slider.min : Number(slider.value) + step;
      show();
    }, PLAY_MS);
  };
  show();
  root.fit = () => fit(root);
  guessing(root, data, (guess) => setStateValue("guess", guess));
  root.watch?.disconnect(); // this is called again with every image, and what it returns only at the very end
  let width = root.clientWidth;
  root.watch = new ResizeObserver(() => root.clientWidth !== width && ((width = root.clientWidth), root.fit()));
  root.watch.observe(root);
  root.refit ??= () => root.fit();
  window.addEventListener("resize", root.refit); // one that is there already is not there twice
  return () => {
    root.watch.disconnect();
    window.removeEventListener("resize", root.refit);
  };
}
