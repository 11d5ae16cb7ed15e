// Streamlit keeps two things of a chart from the page: a double click in it, and how far it is zoomed in.

const ZOOM = /^[xy]axis\.(range|autorange)/;
const zooms = {};  // of every view, by chart

export default function ({ data, setStateValue, setTriggerValue }) {
  const ofView = (zooms[data.view] ??= {});

  function listen(name) {
    const chart = document.querySelector(`.st-key-${name} .js-plotly-plot`);
    if (!chart?.on || chart.dataset.heard === data.view) return;
    chart.dataset.heard = data.view;
    const clear = () => setTriggerValue("cleared", true);
    chart.on("plotly_deselect", clear);
    chart.on("plotly_doubleclick", clear);
    chart.on("plotly_relayout", (change) => {
      if (!Object.keys(change).some((key) => ZOOM.test(key))) return;
      const { xaxis, yaxis } = chart._fullLayout;
      ofView[name] = [[...xaxis.range], [...yaxis.range]];
      setStateValue("zooms", { view: data.view, charts: { ...ofView } });
    });
  }

  const listenToAll = () => data.charts.forEach(listen);
  const observer = new MutationObserver(listenToAll);
  observer.observe(document.body, { childList: true, subtree: true });
  listenToAll();
  return () => observer.disconnect();
}
