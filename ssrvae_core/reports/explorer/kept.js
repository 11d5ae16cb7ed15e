// Selections that are kept under a name: by the server for everybody, or by this browser for its reader.
import { idsOfRanges, rangesOf } from "./ids.js";

export class Shelf {
  // `store`: localStorage or what acts like it; `place` tells the particles of one page from those of others; `known`
  // are the ids of those that are shown, ascending.
  constructor(place, store, known) {
    this.key = `ssrvae selections ${place}`;
    Object.assign(this, { store, known });
    this.shared = [];
  }

  get own() {
    try {
      const kept = JSON.parse(this.store?.getItem(this.key) ?? "[]");
      return Array.isArray(kept) ? kept.filter(({ name, ids }) => typeof name === "string" && typeof ids === "string") : [];
    } catch {
      return []; // what another page left there, or a browser that keeps nothing
    }
  }

  all() {
    const names = new Set(this.shared.map(({ name }) => name));
    return [...this.shared, ...this.own.filter(({ name }) => !names.has(name))].map(({ name, ids }) => ({ name, ids, n: idsOfRanges(ids, this.known)?.length ?? 0 }));
  }

  ids(name) {
    const found = this.all().find((one) => one.name === name);
    return found ? idsOfRanges(found.ids, this.known) : null;
  }

  // Whether this browser could keep it.
  keep(name, ids) {
    return this.write([...this.own.filter((one) => one.name !== name), { name, ids: rangesOf(ids) }]);
  }

  forget(name) {
    return this.write(this.own.filter((one) => one.name !== name));
  }

  write(kept) {
    try {
      this.store.setItem(this.key, JSON.stringify(kept));
      return true;
    } catch {
      return false;
    }
  }
}
