// The library as a component of Streamlit: fetches the table once, sends what people do, and shows what came of it.

const REST_MS = 700; // after the last change before averages and fractions are worked out again
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

class MountedLibrary extends Mounted {
  constructor(root) {
    super(root);
    Object.assign(this, { commanded: 0, complained: 0 });
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

  library({ place, model, origin, ...others }) {
    return { ...others, place: bytesAs(Int16Array, place), model: bytesAs(Int16Array, model), origin: bytesAs(Uint8Array, origin) };
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
      ask: (sheet) => this.ask(sheet),
      act: (action) => this.change(action),
      changed: () => this.changed(),
    });
    this.commanded = data.command?.sequence ?? 0;
    this.complained = data.error?.sequence ?? 0;
    this.take(this.data);
    this.tellSoon();
  }

  change(action) {
    this.act(action);
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

  // What takes the server long is asked for when nobody has changed anything for a moment.
  restSoon() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.wanted = this.data.library.version;
      this.tellNow();
    }, this.data.stats ? REST_MS : 0);
  }

  telling() {
    const { view } = this;
    const open = view.open < 0 ? null : view.table.ids[view.open];
    return { run: this.data.run, address: view.address, ids: rangesOf(view.ids), open: textOrNull(open), stats: this.wanted ?? null };
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".library-place");
  const mounted = (root.mounted ??= new MountedLibrary(root));
  mounted.receive(data, setStateValue);
}
