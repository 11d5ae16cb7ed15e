// Shares and probabilities as people read them: no rounding makes a few errors none, or a few hits nothing.
// ``ssrvae_core/shares.py`` has the same rules for what Python writes.

// For a sentence, in percent, with a decimal above 99 %; columns and intervals have one throughout.
export function percent(value, digits = 0) {
  if (value <= 0 || value >= 1) return `${(100 * value).toFixed(0)} %`;
  if (value < 0.01 / 10 ** digits) return `<${digits ? "0.1" : "1"} %`;
  if (value >= 0.9995) return ">99.9 %";
  return `${(100 * value).toFixed(value >= 0.99 ? 1 : digits)} %`;
}

// An interval of shares.
export function percentRange(low, high) {
  return `${percent(low, 1).replace(/ %$/, "")} to ${percent(high, 1)}`;
}

// For a table, with three decimals.
export function share(value) {
  if (value >= 0.9995 && value < 1) return ">0.999";
  if (value > 0 && value < 0.0005) return "<0.001";
  return value.toFixed(3);
}
