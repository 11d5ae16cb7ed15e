// Plotly makes a plane of equal axes square by writing a smaller domain into the figure it was given, and takes that for
// the figure's own the next time: a chart that comes back from the full screen would be smaller than it was.

const whole = ({ layout, _fullLayout: { _plots, ...full } }) => {
  if (Object.keys(_plots).length > 1) return;
  for (const axis of ["xaxis", "yaxis"]) if (full[axis]?.constrain === "domain") layout[axis].domain = [0, 1];
};

function follow(chart) {
  if (chart.isFollowed || !chart.on || !chart._fullLayout?._plots) return;
  chart.isFollowed = true;
  chart.on("plotly_afterplot", () => whole(chart));
  whole(chart);
}

export default function ({ parentElement }) {
  const followAll = () => document.querySelectorAll(".js-plotly-plot").forEach(follow);
  // Streamlit calls this again at times, and what it returns only at the very end.
  parentElement.observer?.disconnect();
  const observer = (parentElement.observer = new MutationObserver(followAll));
  observer.observe(document.body, { childList: true, subtree: true });
  followAll();
  return () => observer.disconnect();
}
