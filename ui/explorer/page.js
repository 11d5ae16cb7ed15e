// What components that hold pictures do on a page of Streamlit: fetch what the server keeps for them, and fill the window.

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
