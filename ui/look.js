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

// A wide window is told to the page once, so that its charts are as much higher as they are wider. It is told when the page
// stands: a widget that is still to come when the script runs again would never show the value the script has set.
function measure({ data, parentElement, setStateValue }) {
  const wide = window.innerWidth >= data.from;
  if (wide === (parentElement.wide ?? data.wide)) return;
  parentElement.wide = wide;
  whenItStands(() => setStateValue("wide", wide));
}

// On a phone the list of pages lies over the page: it goes once a page was chosen.
const PHONE = 768;

function onClick(event) {
  if (window.innerWidth > PHONE || !event.target.closest?.('[data-testid="stSidebarNavLink"]')) return;
  setTimeout(() => document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click());
}

const RUNS = "data-test-script-state";
const COMING = '[data-testid="stSkeleton"]';

function whenItStands(then) {
  const stands = () =>
    (document.querySelector(`[${RUNS}]`)?.getAttribute(RUNS) ?? "notRunning") === "notRunning" && !document.querySelector(COMING);
  if (stands()) return then();
  const waiting = new MutationObserver(() => {
    if (!stands()) return;
    waiting.disconnect();
    then();
  });
  waiting.observe(document.body, { subtree: true, childList: true, attributeFilter: [RUNS] });
}

export default function (component) {
  // Streamlit calls this again at times: there is one listener of each kind, whoever added it.
  const { keydown, click, resize } = window.ssrvaeLook ?? {};
  if (keydown) document.removeEventListener("keydown", keydown, true);
  if (click) document.removeEventListener("click", click);
  if (resize) window.removeEventListener("resize", resize);
  let waiting;
  const onResize = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => measure(component), 300);
  };
  window.ssrvaeLook = { keydown: onKey, click: onClick, resize: onResize };
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("click", onClick);
  window.addEventListener("resize", onResize);
  measure(component);
}
