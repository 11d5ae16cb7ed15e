// The reader's choices as parts of an address, and back. What an address asks for and is not there falls back.
import { LONGEST_LINK, idOf, idsOfLink, linkOf } from "./ids.js";
import { STARTING } from "./state.js";

export const NAMES = [
  "colour", "hide", "find", "select", "sort", "grouped", "show", "upright", "pictures", "x", "y", "zoom", "by", "sample",
];
export const [SMALLEST, LARGEST] = [32, 192]; // pixels of a picture

function stepText(step) {
  if (step.ids) {
    const link = linkOf(step.ids);
    return link && `${step.how}${link}`;
  }
  return `${step.how}m${[step.map, step.x, step.y, ...step.outline.flat()].join(".")}`;
}

function stepOf(text, table) {
  const found = /^([rat])(?:([ip].*)|m([\d.-]*))$/.exec(text);
  if (!found) return null;
  const [, how, link, rest] = found;
  if (link) {
    const ids = idsOfLink(link, table.ids);
    return ids && (ids.length || link.length === 1) ? { how, ids } : null; // of other particles, as of another data set
  }
  const [map, x, y, ...numbers] = rest.split(".").map(Number);
  const whole = [map, x, y, ...numbers].every(Number.isInteger);
  if (!whole || numbers.length < 6 || numbers.length % 2 || !table.models[map]) return null;
  if (Math.min(x, y) < 0 || Math.max(x, y) >= Math.max(table.models[map].dims, 2)) return null;
  const outline = [];
  for (let i = 0; i < numbers.length; i += 2) outline.push([numbers[i], numbers[i + 1]]);
  return { how, map, x, y, outline };
}

// The steps of a selection for an address, null where they are too long for one.
export function selectionText(steps) {
  const texts = steps.map(stepText);
  const text = texts.includes(null) ? null : texts.join("~");
  return text === null || text.length > LONGEST_LINK ? null : text;
}

// All choices that are not the usual ones, by name.
export function addressOf(values, usual = STARTING) {
  const parts = {};
  if (values.colour !== usual.colour) parts.colour = values.colour;
  const hidden = Object.entries(values.hidden).filter(([, some]) => some.length);
  if (hidden.length) parts.hide = hidden.map(([name, some]) => `${name}:${some.join(".")}`).join("~");
  if (values.find) parts.find = values.find;
  if (values.steps.length) {
    const text = selectionText(values.steps);
    if (text) parts.select = text;
  }
  if (values.sort !== usual.sort || values.descending !== usual.descending) {
    parts.sort = `${values.descending ? "-" : ""}${values.sort}`;
  }
  if (values.grouped) parts.grouped = "1";
  if (values.all) parts.show = "all";
  if (values.upright !== usual.upright) parts.upright = values.upright ? "1" : "0";
  if (values.size !== usual.size) parts.pictures = String(values.size);
  if (values.x !== usual.x) parts.x = `z${values.x + 1}`;
  if (values.y !== usual.y) parts.y = `z${values.y + 1}`;
  if (values.by !== usual.by) parts.by = String(values.by + 1);
  const zooms = Object.entries(values.zooms).filter(([, zoom]) => zoom);
  if (zooms.length) {
    parts.zoom = zooms.map(([map, zoom]) => `${map}:${zoom.flat().map((v) => Number(v.toPrecision(5))).join("_")}`).join("~");
  }
  if (values.open !== null) parts.sample = String(values.open);
  return parts;
}

function hiddenOf(text, table) {
  const hidden = {};
  for (const part of text.split("~")) {
    const found = /^([^:]+):(-?\d+(?:\.-?\d+)*)$/.exec(part);
    const colouring = found && table.colouring(found[1]);
    if (!colouring?.categories) return null;
    hidden[found[1]] = found[2].split(".").map(Number);
  }
  return hidden;
}

function zoomsOf(text, table) {
  const zooms = {};
  for (const part of text.split("~")) {
    const [map, rest = ""] = part.split(":");
    const ends = rest.split("_").map(Number);
    const fine = table.models[map] && ends.length === 4 && ends.every(Number.isFinite) && ends[0] < ends[1] && ends[2] < ends[3];
    if (!fine) return null;
    zooms[map] = [ends.slice(0, 2), ends.slice(2)];
  }
  return zooms;
}

// The choices of an address, and the names of those that it asks for and that are not available.
export function valuesOf(parts, table, sorts, usual = STARTING) {
  const values = { ...usual };
  const refused = [];
  const take = (name, read) => {
    if (parts[name] === undefined || parts[name] === "") return;
    const changes = read(parts[name]);
    if (changes) Object.assign(values, changes);
    else refused.push(name);
  };
  const dims = Math.max(...table.models.map((model) => model.dims));
  const latentOf = (text) => {
    const found = /^z([1-9]\d?)$/.exec(text);
    return found && Number(found[1]) <= Math.max(dims, 2) ? Number(found[1]) - 1 : null;
  };
  take("colour", (text) => table.colouring(text) && { colour: text });
  take("hide", (text) => {
    const hidden = hiddenOf(text, table);
    return hidden && { hidden };
  });
  take("find", (text) => ({ find: text.slice(0, 200) }));
  take("select", (text) => {
    const steps = text.split("~").map((part) => stepOf(part, table));
    return steps.every(Boolean) && { steps };
  });
  take("sort", (text) => {
    const sort = text.replace(/^-/, "");
    return sorts.some((one) => one.name === sort) && { sort, descending: text.startsWith("-") };
  });
  take("grouped", (text) => ({ grouped: text === "1" }));
  take("show", (text) => ({ all: text === "all" }));
  take("upright", (text) => ({ upright: text === "1" }));
  take("pictures", (text) => {
    const size = Number(text);
    return Number.isInteger(size) && size >= SMALLEST && size <= LARGEST && { size };
  });
  take("x", (text) => (latentOf(text) === null ? null : { x: latentOf(text) }));
  take("y", (text) => (latentOf(text) === null ? null : { y: latentOf(text) }));
  take("by", (text) => table.models[Number(text) - 1] && { by: Number(text) - 1 });
  take("zoom", (text) => {
    const zooms = zoomsOf(text, table);
    return zooms && { zooms };
  });
  take("sample", (text) => {
    const row = /^-?\d{1,19}$/.test(text) ? table.row(idOf(text)) : -1;
    return row >= 0 && { open: table.ids[row] };
  });
  return { values, refused };
}

// What is said of the names that an address asks for and that are not available.
export function refusalText(refused) {
  const words = refused.map((name) => `'${name}'`).join(", ");
  return `The address asks for ${words} in a way that is not available here; showing the usual instead.`;
}

// An address with these parts in place of those that it had.
export function withParts(search, parts) {
  const query = new URLSearchParams(search);
  for (const name of NAMES) query.delete(name);
  for (const [name, text] of Object.entries(parts)) query.set(name, text);
  return query.toString();
}
