// How the pictures of a library are shown, and which are selected, as parts of an address and back.
import { LARGEST, SMALLEST } from "./address.js";
import { idsOfLink, linkOf } from "./ids.js";

export const LIBRARY_USUAL = { sort: "confidence", descending: false, size: 56, upright: false, shown: "all" };
export const SHOWN = [
  { name: "all", label: "All particles" }, { name: "label", label: "Classes by labels" },
  { name: "hand", label: "Moved by hand" }, { name: "model", label: "Classes by the model" },
];

// The choices that an address asks for, where they are there, and which of the known ids it selects; the others are the
// usual ones.
export function choicesOf(address, sorts, known) {
  const values = { ...LIBRARY_USUAL };
  const sort = (address.sort ?? "").replace(/^-/, "");
  if (sorts.some(({ name }) => name === sort)) Object.assign(values, { sort, descending: address.sort.startsWith("-") });
  if (address.upright !== undefined) values.upright = address.upright === "1";
  const size = Number(address.pictures);
  if (Number.isInteger(size) && size >= SMALLEST && size <= LARGEST) values.size = size;
  if (SHOWN.some(({ name }) => name === address.show)) values.shown = address.show;
  return { values, ids: idsOfLink((address.select ?? "").replace(/^r/, ""), known) ?? [] };
}

// All choices that are not the usual ones, by name.
export function partsOf(values, ids) {
  const parts = {};
  if (values.sort !== LIBRARY_USUAL.sort || values.descending) parts.sort = `${values.descending ? "-" : ""}${values.sort}`;
  if (values.upright) parts.upright = "1";
  if (values.size !== LIBRARY_USUAL.size) parts.pictures = String(values.size);
  if (values.shown !== LIBRARY_USUAL.shown) parts.show = values.shown;
  const link = ids.length ? linkOf(ids) : null;
  if (link) parts.select = `r${link}`;
  return parts;
}

// What histograms can be of: size first, then factors, then what every model says.
export function measuresOf(table) {
  const own = table.colourings.filter((one) => !one.categories && table.columns[one.column]);
  const others = table.colourings.filter((one) => !one.categories && !table.columns[one.column] && one.name !== "angle");
  const size = own.filter(({ name }) => name === "size");
  return [...size, ...own.filter(({ name }) => name !== "size"), ...others].map(({ name, label, column, unit }) => ({ name, label, column, unit }));
}
