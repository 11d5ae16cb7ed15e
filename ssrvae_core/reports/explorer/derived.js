// What follows from a reader's choices; computed where one of them has changed.
import { looksOf } from "./colours.js";
import { LIKENESS, both, groupedRows, inSight, marked, rowsOf, sortedRows } from "./filters.js";
import { selected } from "./selection.js";

const ORDERING = ["sort", "descending", "by"];

// `looks` of each model; of every particle whether it is `seen`, `picked` (selected) and `chosen` (both), the rows of the
// last two, the number of those `inSight`, and their `order`.
export class Derived {
  constructor(table) {
    Object.assign(this, { table, tallies: new Map() });
  }

  compute(changed, values) {
    const { table } = this;
    const any = (...names) => names.some((name) => changed.has(name));
    if (any("colour")) this.looks = table.models.map((_, model) => looksOf(table, values.colour, model));
    const seenBefore = this.seen;
    if (any("hidden", "find", "by")) this.seen = inSight(table, values);
    if (any("steps")) {
      this.picked = selected(table, values.steps);
      this.pickedRows = rowsOf(this.picked);
    }
    if (any("hidden", "find", "by", "steps")) {
      this.chosen = both(this.picked, this.seen);
      this.chosenRows = rowsOf(this.chosen);
      if (this.seen !== seenBefore) this.inSight = rowsOf(this.seen).length;
    }
    if (any(...ORDERING) || (values.sort === LIKENESS.name && any("open"))) this.order = sortedRows(table, rowsOf(new Uint8Array(table.n).fill(1)), values);
  }

  // Rows of the pictures: the selected ones, or all where none is, in their order.
  pictured(values) {
    const marks = this.chosenRows.length && !values.all ? this.chosen : this.seen;
    return groupedRows(this.table, marked(this.order, marks), values);
  }

  // How many particles have each value of a colouring.
  tally(name, by) {
    const key = `${name} ${by}`;
    if (!this.tallies.has(key)) {
      const counts = new Map();
      for (const value of this.table.column(this.table.colouring(name).column, by)) counts.set(value, (counts.get(value) ?? 0) + 1);
      this.tallies.set(key, counts);
    }
    return this.tallies.get(key);
  }
}
