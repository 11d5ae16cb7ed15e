// The table of particles: a JSON header, then its columns end to end as typed arrays. `table.py` writes it.
import { placeOf } from "./ids.js";

const TYPES = {
  f4: Float32Array, f8: Float64Array, i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array,
  i8: BigInt64Array,
};
const PROBABILITY_STEPS = 65535;

export function bytesOfBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Reads an ArrayBuffer; row i of every column belongs to the particle `ids[i]`, in every model alike.
export function readTable(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const columns = {};
  for (const { name, type, offset, count } of header.columns) {
    const start = 4 + length + offset;
    if (type === "text") columns[name] = new TextDecoder().decode(new Uint8Array(buffer, start, count)).split("\n");
    else columns[name] = new TYPES[type](buffer, start, count);
  }
  return new Table(header, columns);
}

export class Table {
  constructor(header, columns) {
    Object.assign(this, header, { columns });
    this.ids = columns.ids;
  }

  // The same particles under some of the models, in this order.
  of(models) {
    const columns = {};
    for (const [name, values] of Object.entries(this.columns)) {
      const [, model, rest] = /^(\d+)(\/.*)$/.exec(name) ?? [];
      if (model === undefined) columns[name] = values;
      else if (models.includes(Number(model))) columns[models.indexOf(Number(model)) + rest] = values;
    }
    return new Table({ ...this, models: models.map((model) => this.models[model]) }, columns);
  }

  // The row of a particle, -1 where there is none; ids ascend.
  row(id) {
    const row = placeOf(this.ids, id);
    return row < this.n && this.ids[row] <= id ? row : -1;
  }

  idsOf(rows) {
    return Array.from(rows, (row) => this.ids[row]);
  }

  // A column, which belongs to one model or to the particles themselves.
  column(name, model = 0) {
    return this.columns[`${model}/${name}`] ?? this.columns[name] ?? null;
  }

  // Latent `d` of every particle, strided; `step` numbers apart.
  latent(model, d) {
    const { dims } = this.models[model];
    return { values: this.columns[`${model}/z`], step: dims, start: Math.min(d, dims - 1) };
  }

  // A model of one latent is shown against its posterior standard deviation.
  coordinate(model, d, axis) {
    const { dims } = this.models[model];
    if (dims === 1 && axis === 1) return { values: this.columns[`${model}/sd`], step: 1, start: 0 };
    return this.latent(model, d);
  }

  probabilities(model, row) {
    const k = this.classes.length;
    const of = this.columns[`${model}/probabilities`].subarray(row * k, (row + 1) * k);
    return Array.from(of, (value) => value / PROBABILITY_STEPS);
  }

  colouring(name) {
    return this.colourings.find((one) => one.name === name) ?? null;
  }
}
