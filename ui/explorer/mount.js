// The explorer as a component of Streamlit: fetches the data once, tells the server what is chosen, and takes its answers.

const TELL_MS = 150;
const AGAIN_MS = 4000; // after which a view that the server has not heard of is told again

// A component begins before any chart of Streamlit's has fetched plotly.
let plotlyLoading = null;
function plotlyAt(path) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  plotlyLoading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotlyLoading = null;
      script.remove();
      reject(new Error("Plotly could not be loaded; reload the page."));
    };
    script.src = appAddress() + path;
    document.head.append(script);
  });
  return plotlyLoading;
}

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // a browser that keeps nothing
  }
}

class Mounted {
  constructor(root) {
    Object.assign(this, { root, missing: new Set(), actions: [], sequence: 0, explorer: null });
    keepFitting(root);
  }

  receive(data, tell) {
    Object.assign(this, { data, tell });
    this.actions = this.actions.filter(({ sequence }) => sequence > data.done);
    if (this.token !== data.token) {
      this.token = data.token;
      this.begin(data).catch((error) => (this.root.textContent = error.message));
      return;
    }
    if (!this.explorer) return;
    this.take(data);
  }

  take(data) {
    if (data.kept) this.explorer.options.shelf.shared = data.kept;
    this.explorer.sprites.add(this.absolute(data.sheets.urls));
    this.explorer.answered(data.answer);
    this.explorer.bar.kept.draw(this.explorer.options.shelf.all());
  }

  absolute(urls) {
    return Object.fromEntries(Object.entries(urls).map(([index, path]) => [index, appAddress() + path]));
  }

  // What a reader had chosen stays where it has a meaning: the selection for the same images, else only how it looks.
  carried(data) {
    const before = this.explorer;
    if (!before) return data.address;
    const { select, zoom, ...parts } = before.address;
    if (this.images !== data.images) {
      const { hide, find, sample, ...looks } = parts;
      return looks;
    }
    const ids = before.ids;
    if (ids.length) parts.select = `ri${rangesOf(ids)}`;
    return parts;
  }

  async begin(data) {
    const before = this.explorer !== null;
    const drawing = plotlyAt(data.plotly);
    const buffer = await contentOf(data.table);
    if (this.token !== data.token) return; // other runs have been chosen meanwhile
    const address = this.carried(data);

    this.root.replaceChildren();
    this.images = data.images;
    const table = readTable(buffer);
    const shelf = new Shelf(data.images, storage(), table.ids);
    shelf.shared = data.kept ?? [];
    const explorer = new Explorer(this.root, table, {
      sheets: { ...data.sheets, urls: this.absolute(data.sheets.urls) }, look: data.look, usual: data.usual, shelf, address,
      decodes: data.decodes,
      ask: (sheet) => this.ask(sheet),
      changed: () => this.changed(),
      keep: (name, ids) => this.keep(name, rangesOf(ids), data.kept !== null),
      forget: (name) => this.keep(name, null, data.kept !== null),
      link: () => this.copy(),
    });
    this.explorer = explorer;
    this.take(this.data);
    if (before || Object.keys(address).length) this.changed();
    await explorer.draw(await drawing);
  }

  keep(name, ids, shared) {
    const { shelf } = this.explorer.options;
    if (shared) {
      this.sequence = Math.max(this.sequence + 1, Date.now());
      this.actions.push({ sequence: this.sequence, name, ids });
      shelf.shared = shelf.shared.filter((one) => one.name !== name);
      if (ids !== null) shelf.shared.push({ name, ids });
      this.tellSoon();
    } else if (ids === null) shelf.forget(name);
    else if (!shelf.keep(name, idsOfRanges(ids, this.explorer.table.ids))) this.explorer.bar.say("This browser keeps nothing; use Copy link instead.");
    this.explorer.drawBar();
  }

  ask(sheet) {
    this.missing.add(sheet);
    this.tellSoon();
  }

  changed() {
    const query = withParts(location.search, this.explorer.address);
    history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}`);
    this.tellSoon();
  }

  tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tellNow(), TELL_MS);
  }

  // The server hears of the latest view; what was dropped on the way is told again.
  tellNow() {
    if (!this.root.isConnected) return;
    const { explorer } = this;
    this.sequence = Math.max(this.sequence + 1, Date.now());
    const { open } = explorer.values;
    const view = {
      sequence: this.sequence, address: explorer.address, ids: rangesOf(explorer.ids), open: open === null ? null : String(open),
      sheets: [...this.missing], actions: this.actions,
    };
    this.tell("view", view);
    clearTimeout(this.again);
    this.again = setTimeout(() => this.data.sequence < this.sequence && this.tellNow(), AGAIN_MS);
  }

  async copy() {
    const query = withParts(location.search, this.explorer.address);
    try {
      await navigator.clipboard.writeText(`${location.origin}${location.pathname}?${query}`);
      return true;
    } catch {
      return false;
    }
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".explorer-place");
  const mounted = (root.mounted ??= new Mounted(root));
  mounted.receive(data, setStateValue);
  root.ontransitionend = (event) => event.target === root && mounted.explorer?.themed();
}
