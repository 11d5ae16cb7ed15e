// What components that hold pictures do on a page of Streamlit: fetch what the server keeps for them, tell it what is chosen,
// and fill the window.

const TELL_MS = 150;
const AGAIN_MS = 4000; // after which a view that the server has not heard of is told again
const FETCHES_KEPT = 8;
const fetched = new Map(); // address -> promise of its content, kept while the app is open

function appAddress() {
  return document.querySelector('script[src*="static/js/"]').src.split("static/js/")[0];
}

function contentOf(path) {
  if (!fetched.has(path)) {
    if (fetched.size > FETCHES_KEPT) fetched.delete(fetched.keys().next().value);
    const asked = fetch(appAddress() + path, { cache: "force-cache" }).then((answer) => {
      if (!answer.ok) throw new Error("The particles could not be loaded; reload the page.");
      return answer.arrayBuffer();
    });
    asked.catch(() => fetched.delete(path));
    fetched.set(path, asked);
  }
  return fetched.get(path);
}

// Keeps `--above` of an element at the height of what stands above it on the page, which comes and goes.
function keepFitting(root) {
  const main = root.closest('[data-testid="stMain"]');
  const fit = () => {
    const above = Math.round(root.getBoundingClientRect().top + (main?.scrollTop ?? window.scrollY) + 8);
    root.style.setProperty("--above", `${above}px`);
  };
  fit();
  const watching = new ResizeObserver(() => (root.isConnected ? fit() : watching.disconnect()));
  watching.observe(main?.firstElementChild ?? document.body);
}

// A component that shows particles. A child has `view`, null until it has begun, and three methods: `begin(data)` shows other
// particles, `take(data)` what else the server says, and `telling()` returns what the server is to hear.
class Mounted {
  constructor(root) {
    Object.assign(this, { root, missing: new Set(), actions: [], sequence: 0, view: null });
    keepFitting(root);
  }

  receive(data, tell) {
    Object.assign(this, { data, tell });
    this.actions = this.actions.filter(({ sequence }) => sequence > data.done);
    if (this.token !== data.token) {
      this.token = data.token;
      this.begin(data).catch((error) => (this.root.textContent = error.message));
    } else if (this.view) this.take(data);
  }

  absolute(urls) {
    return Object.fromEntries(Object.entries(urls).map(([index, path]) => [index, appAddress() + path]));
  }

  ask(sheet) {
    this.missing.add(sheet);
    this.tellSoon();
  }

  // A change that the server is to make once: it is told until the server has done it.
  act(action) {
    this.sequence = this.next();
    this.actions.push({ ...action, sequence: this.sequence });
  }

  next() {
    return Math.max(this.sequence + 1, Date.now());
  }

  tellSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.tellNow(), TELL_MS);
  }

  // The server hears of the latest view; what was dropped on the way is told again.
  tellNow() {
    if (!this.root.isConnected || !this.view) return;
    this.sequence = this.next();
    this.tell("view", { ...this.telling(), sequence: this.sequence, sheets: [...this.missing], actions: this.actions });
    clearTimeout(this.again);
    this.again = setTimeout(() => this.data.sequence < this.sequence && this.tellNow(), AGAIN_MS);
  }
}

function textOrNull(id) {
  return id === null ? null : String(id);
}
