// A film in one figure: all of its frames are here already, so no step asks the server.

const TELL_MS = 400;
const [NARROW, WIDEST, ROUNDED, HIGH] = [640, 1280, 80, 20];
const MOST_TICKS = 10;
const [LONG_MS, SLOWEST_MS, MANY] = [8000, 1500, 20]; // a film of few frames plays for about so long
const LINE = "rgba(138, 138, 138, 0.7)";

// Streamlit fetches plotly with its first chart; a page that begins with a film fetches the one beside plotly.py.
let loading = null;
function plotly(path) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const app = document.querySelector('script[src*="static/js/"]').src.split("static/js/")[0];
    const script = document.createElement("script");
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("Plotly could not be loaded; reload the page."));
    };
    script.src = app + path;
    document.head.append(script);
  });
  return loading;
}

// The page's own colours and type, on top of what the figure brings.
function themed(template, root) {
  const { color, fontFamily } = getComputedStyle(root);
  const layout = { ...template.layout, font: { ...template.layout.font, color, family: fontFamily } };
  for (const axis of ["xaxis", "yaxis"]) layout[axis] = { ...layout[axis], linecolor: LINE, tickcolor: LINE };
  layout.modebar = { ...layout.modebar, activecolor: color };
  return { ...template, layout };
}

function drawTicks(ticks, steps, narrow) {
  const every = Math.ceil(steps.length / (narrow ? MOST_TICKS / 2 + 1 : MOST_TICKS));
  const last = steps.length - 1;
  ticks.replaceChildren(...steps.flatMap(({ label, missing }, i) => {
    if (i !== last && (i % every || last - i < every)) return [];
    const tick = document.createElement("span");
    tick.textContent = missing ? `\u25cb ${label}` : label;
    tick.className = missing ? "missing" : "";
    tick.style.left = `${last ? (100 * i) / last : 0}%`;
    return [tick];
  }));
}

// A sentence whose numbers keep their sign beside them where the line ends.
function inOnePiece(sentence) {
  return sentence.split(/(\S+ %)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const share = document.createElement("span");
    share.textContent = part;
    return share;
  });
}

function nearest(steps, position) {
  const distance = ({ position: own }) => Math.abs(own - position);
  return steps.reduce((best, step, i) => (distance(step) < distance(steps[best]) ? i : best), 0);
}

async function run(root, data, tell, ask) {
  const find = (selector) => root.querySelector(selector);
  const [slider, graph, button, offer] = [find("input"), find(".figure"), find(".play"), find(".offer")];
  const { steps } = data;
  const Plotly = await plotly(data.plotly);
  const figure = JSON.parse(data.figure);
  const painter = await Painter.of(figure, data.shapes);
  if (root.dataset.token !== data.token || !root.isConnected) return; // another film has begun meanwhile

  const current = () => root.dataset.token === data.token && root.isConnected;
  // A film that takes the place of another one goes on where that one stood.
  const stood = steps.findIndex(({ position }) => position === root.position);
  let [wanted, playing] = [stood < 0 ? data.start : stood, false];
  const label = () => {
    const step = steps[wanted];
    slider.value = wanted;
    slider.setAttribute("aria-valuetext", step.label);
    find("output").textContent = step.label;
    find(".told").replaceChildren(...inOnePiece(step.told));
    const offered = root.offers[wanted];
    offer.hidden = !offered;
    offer.textContent = offered ?? "";
  };
  const show = (index) => {
    wanted = index;
    root.position = steps[index].position;
    label();
    if (!painter.canvas) return;
    painter.paint(wanted);
    root.dataset.shown = steps[wanted].label;
  };
  const stop = () => {
    playing = false;
    button.textContent = "Play";
    find(".told").setAttribute("aria-live", "polite");
  };
  const moved = (index) => {
    stop();
    show(index);
    clearTimeout(root.telling);
    root.telling = setTimeout(() => current() && tell("at", steps[index].position), TELL_MS);
  };
  const trained = steps.flatMap(({ missing }, i) => (missing ? [] : [i]));
  const long = Math.min(SLOWEST_MS, LONG_MS / trained.length);
  const pause = trained.length < MANY ? Math.max(data.pause, long) : data.pause;
  const play = async () => {
    playing = true;
    button.textContent = "Pause";
    find(".told").setAttribute("aria-live", "off");
    if (wanted >= trained.at(-1)) wanted = -1;
    while (playing && wanted < trained.at(-1) && current()) {
      const began = performance.now();
      show(trained.find((i) => i > wanted));
      await new Promise((done) => setTimeout(done, Math.max(0, pause - (performance.now() - began))));
    }
    if (playing && current()) moved(wanted);
  };

  find("label").textContent = `${data.label}:`;
  Object.assign(slider, { max: steps.length - 1, disabled: steps.length < 2 });
  button.disabled = trained.length < 2;
  drawTicks(find(".ticks"), steps, !data.width);
  graph.setAttribute("aria-label", data.alt);
  label();
  slider.oninput = () => moved(Number(slider.value));
  button.onclick = () => (playing ? moved(wanted) : play());
  offer.onclick = () => ask("train", steps[wanted].position);
  root.relabel = label;
  stop();

  const { template, ...layout } = figure.layout;
  const still = { ...layout, annotations: [], images: [], autosize: true };
  const config = {
    ...data.config,
    responsive: false,
    doubleClick: "reset",
    modeBarButtonsToRemove: [...data.config.modeBarButtonsToRemove, "select2d", "lasso2d", "toImage"],
    modeBarButtonsToAdd: [
      {
        name: "picture",
        title: "Download this frame",
        icon: Plotly.Icons.camera,
        click: () => {
          const { width, height, ...now } = graph.layout;
          const whole = painter.whole(wanted);
          const size = { width: graph._fullLayout.width, height: graph._fullLayout.height };
          const paper = { template, paper_bgcolor: "#FFFFFF", plot_bgcolor: "#FFFFFF" }; // on whatever page it was seen
          Plotly.downloadImage({ ...whole, layout: { ...now, ...paper, ...whole.layout } }, { ...root.picture, ...size });
        },
      },
    ],
  };
  await Plotly.newPlot(graph, painter.standing, { ...still, template: themed(template, root) }, config);
  painter.attach(graph, root);
  show(wanted);
  root.classList.remove("loading");
  root.removeAttribute("aria-busy");
  if (wanted !== data.start) moved(wanted);
  for (const event of ["plotly_afterplot", "plotly_relayouting"]) graph.on(event, () => painter.paint());
  const tip = find(".tip");
  graph.onpointermove = ({ clientX, clientY }) => {
    const box = graph.getBoundingClientRect();
    const [left, top] = [clientX - box.left, clientY - box.top];
    const words = painter.tell(left, top);
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    tip.classList.toggle("leftwards", left > box.width / 2);
    Object.assign(tip.style, { left: `${left}px`, top: `${top}px` });
  };
  graph.onpointerleave = () => (tip.hidden = true);
  graph.on("plotly_click", ({ points: [point] }) => {
    moved(nearest(steps, point.x)); // of the curves and their hollow points, which are all that Plotly draws
  });
  root.ontransitionend = (event) => {
    if (event.target === root) Plotly.relayout(graph, { template: themed(template, root) });
  };
  root.resized = () => graph.isConnected && Plotly.Plots.resize(graph);
}

// The width a film is laid out for, 0 on a phone; coarse, so that few are ever made.
function widthOf(root) {
  if (root.clientWidth < NARROW) return 0;
  return Math.min(WIDEST, ROUNDED * Math.floor(root.clientWidth / ROUNDED));
}

// The height that is left for a film in a presentation, whatever the page is scrolled to; coarse as well.
function roomOf(root) {
  const scrolled = root.closest('[data-testid="stMain"]')?.scrollTop ?? 0;
  const above = root.querySelector(".stage").getBoundingClientRect().top + scrolled;
  return HIGH * Math.floor(Math.max(window.innerHeight - above, 0) / HIGH);
}

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".film");
  Object.assign(root, { offers: data.offers, picture: data.picture });
  const header = document.querySelector('[data-testid="stHeader"]'); // which lies over what scrolls
  root.style.setProperty("--under", `${header?.offsetHeight ?? 0}px`);
  root.watch?.disconnect(); // this is called again whenever the data change, and what it returns only at the very end
  const fit = () => {
    if (!root.clientWidth) return true;
    const otherWidth = widthOf(root) !== data.width;
    const otherRoom = data.room !== null && widthOf(root) > 0 && roomOf(root) !== data.room;
    if (otherWidth) setStateValue("width", widthOf(root));
    if (otherRoom) setStateValue("room", roomOf(root));
    return !otherWidth && !otherRoom;
  };
  const watch = (root.watch = new ResizeObserver(() => fit() && root.resized?.()));
  watch.observe(root);
  window.removeEventListener("resize", root.fit);
  window.addEventListener("resize", (root.fit = fit)); // a window that only grows in height does not resize the film
  const fits = fit();
  if (fits && root.dataset.token !== data.token) {
    root.dataset.token = data.token;
    const failed = (error) => {
      root.classList.remove("loading");
      root.querySelector(".told").textContent = error.message;
    };
    run(root, data, setStateValue, setTriggerValue).catch(failed);
  } else {
    root.relabel?.();
  }
  return () => {
    watch.disconnect();
    window.removeEventListener("resize", fit);
  };
}
