// The colour and the marker of every particle.

const LEVELS = 64;

function hex([r, g, b]) {
  return `#${[r, g, b].map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`;
}

// A colour at a share of a scale of even steps of [red, green, blue].
export function onScale(scale, share) {
  const at = Math.min(Math.max(share, 0), 1) * (scale.length - 1);
  const [low, rest] = [Math.floor(at), at - Math.floor(at)];
  const high = Math.min(low + 1, scale.length - 1);
  return scale[low].map((v, i) => v + rest * (scale[high][i] - v));
}

// One look per particle: `look[row]` is a place in `looks`, each a colour, a symbol, and whether it is hollow; `lacking` where
// the model knows the value of no particle.
export function looksOf(table, name, model) {
  const colouring = table.colouring(name) ?? table.colourings[0];
  const values = table.column(colouring.column, model);
  const look = new Uint16Array(table.n);
  if (colouring.categories) {
    const place = new Map(colouring.categories.map(({ value }, i) => [value, i]));
    for (let row = 0; row < table.n; row += 1) look[row] = place.get(values[row]) ?? 0;
    const looks = colouring.categories.map(({ colour, symbol, name: label }) => ({ colour, symbol, label }));
    return { look, looks, values, colouring, lacking: false };
  }
  const scale = table.scales[colouring.scale];
  const symbols = table.colouring("predicted").categories.map(({ symbol }) => symbol);
  const predicted = table.column("predicted", model);
  const width = colouring.high - colouring.low || 1;
  const looks = [];
  for (const symbol of symbols) {
    for (let level = 0; level < LEVELS; level += 1) looks.push({ colour: hex(onScale(scale, level / (LEVELS - 1))), symbol });
  }
  looks.push({ colour: table.neutral, symbol: "diamond-open" });
  for (let row = 0; row < table.n; row += 1) {
    const value = values[row];
    const share = Math.min(Math.max((value - colouring.low) / width, 0), 1);
    look[row] = value === value ? predicted[row] * LEVELS + Math.round(share * (LEVELS - 1)) : looks.length - 1;
  }
  return { look, looks, values, colouring, lacking: values.every((value) => value !== value) };
}

export function gradient(scale) {
  return `linear-gradient(to right, ${scale.map((rgb) => hex(rgb)).join(", ")})`;
}
