// The tools above a chart are one place to stop at for the keyboard, as a tool bar is: arrow keys lead from tool to tool, Tab
// leads on. Plotly makes a place of each.

const BAR = ".modebar";
const TOOL = ".modebar-btn";

const toolsOf = (bar) => [...bar.querySelectorAll(TOOL)].filter((tool) => tool.getClientRects().length);

// While the browser looks for the next place, the other tools of the bar are none.
function leave(bar) {
  const tools = toolsOf(bar).filter((tool) => tool !== document.activeElement);
  const before = tools.map((tool) => tool.getAttribute("tabindex"));
  tools.forEach((tool) => tool.setAttribute("tabindex", "-1"));
  setTimeout(() => tools.forEach((tool, i) => (before[i] === null ? tool.removeAttribute("tabindex") : tool.setAttribute("tabindex", before[i]))));
}

function onKey(event) {
  const bar = event.target.closest?.(BAR);
  if (!bar) return;
  if (event.key === "Tab") return leave(bar);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const tools = toolsOf(bar);
  const at = tools.indexOf(event.target.closest(TOOL));
  tools[(at + step + tools.length) % tools.length].focus();
  event.preventDefault();
}

// A wide window is told to the page once, so that its charts are as much higher as they are wider. It is told when the
// script has run to its end: a run that is cut short may have sent a widget's value that the browser never shows.
function measure({ data, parentElement, setStateValue }) {
  const wide = window.innerWidth >= data.from;
  if (wide === (parentElement.wide ?? data.wide)) return;
  parentElement.wide = wide;
  whenIdle(() => setStateValue("wide", wide));
}

const RUNS = "data-test-script-state";

function whenIdle(then) {
  const app = document.querySelector(`[${RUNS}]`);
  if (!app || app.getAttribute(RUNS) === "notRunning") return then();
  const waiting = new MutationObserver(() => {
    if (app.getAttribute(RUNS) !== "notRunning") return;
    waiting.disconnect();
    then();
  });
  waiting.observe(app, { attributeFilter: [RUNS] });
}

export default function (component) {
  // Streamlit calls this again at times: there is one listener of each kind, whoever added it.
  const { keydown, resize } = window.ssrvaeLook ?? {};
  if (keydown) document.removeEventListener("keydown", keydown, true);
  if (resize) window.removeEventListener("resize", resize);
  let waiting;
  const onResize = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => measure(component), 300);
  };
  window.ssrvaeLook = { keydown: onKey, resize: onResize };
  document.addEventListener("keydown", onKey, true);
  window.addEventListener("resize", onResize);
  measure(component);
}
