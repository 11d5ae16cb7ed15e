// The explorer as a component of Streamlit: fetches the data once, tells the server what is chosen, and takes its answers.

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

class MountedExplorer extends Mounted {
  take(data) {
    const { view } = this;
    if (data.kept) view.options.shelf.shared = data.kept;
    view.sprites.add(this.absolute(data.sheets.urls));
    view.answered(data.answer);
    view.bar.kept.draw(view.options.shelf.all());
  }

  // What a reader had chosen stays where it has a meaning: the selection for the same images, else only how it looks.
  carried(data) {
    const before = this.view;
    if (!before) return data.address;
    const { select, zoom, ...parts } = before.address;
    if (this.images !== data.images) {
      const { hide, find, sample, ...looks } = parts;
      return looks;
    }
    const ids = before.ids;
    const link = ids.length ? linkOf(ids) : null;
    if (link) parts.select = `r${link}`;
    return parts;
  }

  async begin(data) {
    const before = this.view !== null;
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
    this.view = explorer;
    this.take(this.data);
    if (before || Object.keys(address).length) this.changed();
    await explorer.draw(await drawing);
  }

  keep(name, ids, shared) {
    const { shelf } = this.view.options;
    if (shared) {
      this.act({ name, ids });
      shelf.shared = shelf.shared.filter((one) => one.name !== name);
      if (ids !== null) shelf.shared.push({ name, ids });
      this.tellSoon();
    } else if (ids === null) shelf.forget(name);
    else if (!shelf.keep(name, idsOfRanges(ids, this.view.table.ids))) this.view.bar.say("This browser keeps nothing; use Copy link instead.");
    this.view.drawBar();
  }

  changed() {
    const query = withParts(location.search, this.view.address);
    history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}`);
    this.tellSoon();
  }

  telling() {
    const { view } = this;
    return { address: view.address, ids: rangesOf(view.ids), open: textOrNull(view.values.open) };
  }

  async copy() {
    const query = withParts(location.search, this.view.address);
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
  const mounted = (root.mounted ??= new MountedExplorer(root));
  mounted.receive(data, setStateValue);
  root.ontransitionend = (event) => event.target === root && mounted.view?.themed();
}
