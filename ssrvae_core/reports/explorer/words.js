// What is said of models and particles.
import { figure, measured, thousands } from "./elements.js";
import { LIKENESS } from "./filters.js";
import { percent, share } from "./shares.js";

export function titleOf(table, model) {
  const { title, accuracy, judged } = table.models[model];
  if (accuracy === null || accuracy === undefined) return title;
  const words = `${title}: right for ${percent(accuracy)} of ${thousands(judged)} ${judged < heldOut(table) ? "labelled " : ""}validation image${judged === 1 ? "" : "s"}`;
  return words.replaceAll(" %", "\u00a0%"); // no line ends before the sign
}

// How many particles are held out for validation, of which some may have no label.
function heldOut(table) {
  const validation = table.parts.indexOf("Validation");
  return table.columns.part.reduce((n, part) => n + (part === validation), 0);
}

// What a model, `by`, says of one particle.
export function labelOf(table, row, by) {
  const [label, predicted] = [table.columns.label[row], table.column("predicted", by)[row]];
  const truth = label < 0 ? "" : label === predicted ? ", right" : `, truly ${table.classes[label]}`;
  return `${table.ids[row]}: ${table.classes[predicted]} ${share(table.column("confidence", by)[row])}${truth}`;
}

// What stands below a picture: what the pictures are sorted by.
export function captionOf(table, row, { sort, by }) {
  const colouring = table.colouring(sort);
  if (sort === "id" || sort === LIKENESS.name) return String(table.ids[row]);
  if (sort === "class" || !colouring) return table.classes[table.column("predicted", by)[row]];
  const value = table.column(colouring.column, by)[row];
  if (sort === "confidence") return share(value);
  if (value !== value) return "-";
  return colouring.unit === "degrees" ? `${Math.round(value)}\u00b0` : figure(value);
}

// The lines beside a point of a model's map, whose colours are of such looks.
export function pointLines(table, row, model, { colouring, values }) {
  const { columns } = table;
  const label = columns.label[row];
  const lines = [
    `Particle ${table.ids[row]}`,
    `${table.classes[table.column("predicted", model)[row]]}, ${share(table.column("confidence", model)[row])}`,
    label < 0 ? table.parts[columns.part[row]] : `true class ${table.classes[label]}, ${table.parts[columns.part[row]]}`,
  ];
  const value = values[row];
  if (!colouring.categories && colouring.name !== "confidence") lines.push(`${colouring.label} ${value === value ? measured([value], colouring.unit) : "not known"}`);
  return lines;
}
