// What the reader has chosen: one plain object, and those who want to hear of changes.

export const STARTING = {
  colour: "class",
  hidden: {}, // name of a colouring -> values that are filtered out
  find: "",
  steps: [], // of the selection, see selection.js
  sort: "confidence",
  descending: false,
  grouped: false,
  all: false, // whether pictures that are not selected are shown beside selected ones
  upright: false,
  size: 64,
  x: 0,
  y: 1,
  zooms: {}, // map -> [[low, high], [low, high]]
  by: 0, // the model that sorts, groups and turns
  open: null, // id of the particle that is looked at
};

export class State {
  constructor(start = {}) {
    this.values = { ...STARTING, ...start };
    this.listeners = [];
  }

  // Change some values; listeners are called with the names of those that are others now.
  set(changes) {
    const changed = Object.keys(changes).filter((name) => changes[name] !== this.values[name]);
    if (!changed.length) return;
    this.values = { ...this.values, ...changes };
    const names = new Set(changed);
    for (const listener of this.listeners.slice()) listener(names, this.values);
  }

  on(listener) {
    this.listeners.push(listener);
  }
}
