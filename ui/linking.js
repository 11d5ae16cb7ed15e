// Streamlit keeps two things of a chart from the page: a double click in it, and how far it is zoomed in.

const ZOOM = /^[xy]axis\.(range|autorange)/;
const zooms = {};  // of every view, by chart

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const ofView = (zooms[data.view] ??= {});

  // A chart is listened to once, for whichever view it shows.
  function listen(name) {
    const chart = document.querySelector(`.st-key-${name} .js-plotly-plot`);
    if (!chart?.on) return;
    const known = chart.heard !== undefined;
    chart.heard = {
      cleared: () => setTriggerValue("cleared", true),
      zoomed: () => {
        const { xaxis, yaxis } = chart._fullLayout;
        ofView[name] = [[...xaxis.range], [...yaxis.range]];
        setStateValue("zooms", { view: data.view, charts: { ...ofView } });
      },
    };
    if (known) return;
    chart.on("plotly_deselect", () => chart.heard.cleared());
    chart.on("plotly_doubleclick", () => chart.heard.cleared());
    chart.on("plotly_relayout", (change) => {
      if (Object.keys(change).some((key) => ZOOM.test(key))) chart.heard.zoomed();
    });
  }

  const listenToAll = () => data.charts.forEach(listen);
  // Streamlit calls this again whenever the data change, and what it returns only at the very end.
  parentElement.observer?.disconnect();
  const observer = (parentElement.observer = new MutationObserver(listenToAll));
  observer.observe(document.body, { childList: true, subtree: true });
  listenToAll();
  return () => observer.disconnect();
}
