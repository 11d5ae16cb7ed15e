// The library as a component of Streamlit: fetches the table once, sends what people do, and shows what came of it.

const TELL_MS = 150;
const REST_MS = 700; // after the last change before averages and fractions are worked out again
const AGAIN_MS = 4000; // after which a view that the server has not heard of is told again
const SIGNED = "ssrvae who";
const NAMES_KEPT = ["sort", "upright", "pictures", "show", "select"];

function remembered(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name) ?? "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

class MountedLibrary {
  constructor(root) {
    Object.assign(this, { root, missing: new Set(), actions: [], sequence: 0, view: null, commanded: 0, complained: 0 });
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

  take(data) {
    const { view } = this;
    view.sprites.add(this.absolute(data.sheets.urls));
    view.stats = data.stats;
    view.trust(data.trusted);
    view.receive(this.library(data.library), this.actions);
    view.answered(data.answer);
    if (data.error && data.error.sequence > this.complained) {
      this.complained = data.error.sequence;
      view.bar.say(data.error.text);
    }
    if (data.command && data.command.sequence > this.commanded) {
      this.commanded = data.command.sequence;
      view.select(idsOfRanges(data.command.ids, view.table.ids) ?? [], true);
      this.root.scrollIntoView({ block: "start" }); // the button stands far below
    }
    if (data.stats?.version !== data.library.version) this.restSoon();
  }

  library({ place, origin, ...others }) {
    return { ...others, place: bytesAs(Int16Array, place), origin: bytesAs(Uint8Array, origin) };
  }

  absolute(urls) {
    return Object.fromEntries(Object.entries(urls).map(([index, path]) => [index, appAddress() + path]));
  }

  async begin(data) {
    const table = readTable(await contentOf(data.table));
    if (this.token !== data.token) return; // another run has been chosen meanwhile
    const { select, ...looks } = data.address;
    this.actions = [];
    this.root.replaceChildren();
    this.view = new LibraryView(this.root, table, {
      sheets: { ...data.sheets, urls: this.absolute(data.sheets.urls) }, address: this.view ? looks : data.address, decodes: data.decodes,
      readonly: data.readonly, neutral: data.neutral, trusted: data.trusted, who: data.who || remembered(SIGNED), known: Boolean(data.who),
      keepWho: (name) => remembered(SIGNED, name),
      ask: (sheet) => {
        this.missing.add(sheet);
        this.tellSoon();
      },
      act: (action) => this.act(action),
      changed: () => this.changed(),
    });
    this.commanded = data.command?.sequence ?? 0;
    this.complained = data.error?.sequence ?? 0;
    this.take(this.data);
    this.tellSoon();
  }

  next() {
    return Math.max(this.sequence + 1, Date.now());
  }

  act(action) {
    this.sequence = this.next();
    this.actions.push({ ...action, sequence: this.sequence });
    if (action.kind === "move") this.view.receive(this.library(this.data.library), this.actions);
    this.tellNow();
  }

  changed() {
    if (!this.view?.library) return;
    const query = new URLSearchParams(location.search);
    for (const name of NAMES_KEPT) query.delete(name);
    for (const [name, text] of Object.entries(this.view.address)) query.set(name, text);
    history.replaceState(history.state, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    this.tellSoon();
  }

  tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tellNow(), TELL_MS);
  }

  // What takes the server long is asked for when nobody has changed anything for a moment.
  restSoon() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.wanted = this.data.library.version;
      this.tellNow();
    }, this.data.stats ? REST_MS : 0);
  }

  tellNow() {
    if (!this.root.isConnected || !this.view) return;
    this.sequence = this.next();
    const { view } = this;
    this.tell("view", {
      sequence: this.sequence, run: this.data.run, address: view.address, ids: rangesOf(view.ids), sheets: [...this.missing],
      open: view.open < 0 ? null : String(view.table.ids[view.open]), actions: this.actions, stats: this.wanted ?? null,
    });
    clearTimeout(this.again);
    this.again = setTimeout(() => this.data.sequence < this.sequence && this.tellNow(), AGAIN_MS);
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".library-place");
  const mounted = (root.mounted ??= new MountedLibrary(root));
  mounted.receive(data, setStateValue);
}
