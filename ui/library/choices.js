// How the pictures of a library are shown, and which are selected, as parts of an address and back.
import { LARGEST, SMALLEST } from "./address.js";
import { idsOfLink, linkOf } from "./ids.js";
import { BY } from "./marks.js";

export const LIBRARY_USUAL = { sort: "confidence", descending: false, size: 56, upright: false, shown: "all" };
export const SHOWN = [
  { name: "all", label: "All particles" }, { name: "label", label: "Classes by labels" },
  { name: "hand", label: "Moved by hand" }, { name: "model", label: "Classes by the model" },
  { name: "labelled", label: "Trained on with a label" }, { name: "unlabelled", label: "Trained on without a label" },
  { name: "validation", label: "Held-out particles" },
];
const PARTS = ["labelled", "unlabelled", "validation"]; // as in `records.py`

// The choices that an address asks for, where they are there, and which of the known ids it selects; the others are the
// usual ones, and the names of those that it asks for and that are not available are `refused`.
export function choicesOf(address, sorts, known) {
  const values = { ...LIBRARY_USUAL };
  const refused = [];
  const take = (name, read) => {
    if (!address[name]) return;
    const changes = read(address[name]);
    if (changes) Object.assign(values, changes);
    else refused.push(name);
  };
  take("sort", (text) => {
    const sort = text.replace(/^-/, "");
    return sorts.some(({ name }) => name === sort) && { sort, descending: text.startsWith("-") };
  });
  take("upright", (text) => /^[01]$/.test(text) && { upright: text === "1" });
  take("pictures", (text) => {
    const size = Number(text);
    return Number.isInteger(size) && size >= SMALLEST && size <= LARGEST && { size };
  });
  take("show", (text) => SHOWN.some(({ name }) => name === text) && { shown: text });
  const found = { ids: [] };
  take("select", (text) => {
    const link = text.replace(/^r/, "");
    const ids = idsOfLink(link, known);
    if (!ids || (!ids.length && link.length > 1)) return null;
    found.ids = ids;
    return {};
  });
  return { values, ids: found.ids, refused };
}

// Whether a particle is among those that are shown; null where all are. `origin` and `part` are of every row.
export function shownRows(shown, origin, part) {
  const by = { label: BY.LABEL, hand: BY.HAND, model: BY.MODEL }[shown];
  if (by !== undefined) return (row) => origin[row] === by;
  const at = PARTS.indexOf(shown);
  return at < 0 ? null : (row) => part[row] === at;
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
