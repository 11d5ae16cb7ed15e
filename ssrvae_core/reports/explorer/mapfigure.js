// A map as a figure of Plotly's own, for files and on paper.
import { MOST_MARKERS } from "./points.js";

// Its points are vectors while there are not too many.
export function figureOf(map) {
  const { xs, ys, look, looks, seen, chosen } = map.points;
  const lists = new Map();
  for (let row = 0; row < map.table.n; row += 1) {
    if (!seen[row]) continue;
    const key = 2 * look[row] + (chosen ? chosen[row] : 1);
    if (!lists.has(key)) lists.set(key, []);
    lists.get(key).push(row);
  }
  const type = map.table.n > 4 * MOST_MARKERS ? "scattergl" : "scatter";
  const named = new Set();
  const data = [...lists].sort(([a], [b]) => (a % 2) - (b % 2) || a - b).map(([key, rows]) => {
    const { colour, symbol, label } = looks[key >> 1];
    const shown = label !== undefined && !named.has(label);
    if (shown) named.add(label);
    return {
      type, mode: "markers", name: label ?? "", showlegend: shown,
      x: rows.map((row) => xs.values[xs.start + row * xs.step]), y: rows.map((row) => ys.values[ys.start + row * ys.step]),
      marker: { color: colour, symbol, size: 7, opacity: key % 2 ? 0.75 : 0.1, line: map.look.line },
    };
  });
  const [x, y] = map.zoom ?? map.whole; // not the ranges that equal scales widen them to, or they would be widened twice
  const layout = map.layout();
  const white = { paper_bgcolor: "#FFFFFF", plot_bgcolor: "#FFFFFF", template: map.look.template };
  return {
    data,
    layout: {
      ...layout, ...white, showlegend: true, title: { text: [map.look.title(map.model), map.lack].filter(Boolean).join("<br>"), font: { size: 14 } },
      legend: { orientation: "h", y: -0.12 }, xaxis: { ...layout.xaxis, range: x }, yaxis: { ...layout.yaxis, range: y },
      margin: { ...layout.margin, t: 48, b: 70 },
    },
  };
}
