// Thumbnails on sheets of many, each sheet fetched when one of its pictures is to be seen.

// Turn a picture, degrees clockwise. Its pixels stay squares only while they are upright: turned, their edges are saws.
export function turnTile(tile, degrees) {
  tile.style.transform = degrees ? `rotate(${degrees.toFixed(1)}deg)` : "";
  tile.classList.toggle("turned", Boolean(degrees));
}

export class Sprites {
  // `sheets`: {height, width, across, perSheet, urls: {index: url}}; `ask` is told which sheets are missing.
  constructor(sheets, ask = () => {}) {
    Object.assign(this, { ...sheets, ask });
    this.waiting = new Map(); // sheet -> elements that wait for it, with their rows
    this.loaded = new Map(); // sheet -> address that is ready to be painted
    this.asked = new Set();
  }

  get none() {
    return !this.height;
  }

  // Addresses of more sheets.
  add(urls) {
    Object.assign(this.urls, urls);
    for (const index of this.waiting.keys()) if (this.urls[index]) this.load(index);
  }

  place(row) {
    const [sheet, at] = [Math.floor(row / this.perSheet), row % this.perSheet];
    return { sheet, column: at % this.across, line: Math.floor(at / this.across) };
  }

  // Have an element show the picture of a row, now or once its sheet is here.
  show(element, row) {
    element.dataset.row = row;
    if (this.none) return;
    const { sheet } = this.place(row);
    if (this.loaded.has(sheet)) {
      this.paint(element, row);
      return;
    }
    element.style.backgroundImage = "";
    element.classList.add("waiting");
    if (!this.waiting.has(sheet)) this.waiting.set(sheet, new Map());
    this.waiting.get(sheet).set(element, row);
    this.load(sheet);
  }

  paint(element, row) {
    const { sheet, column, line } = this.place(row);
    const lines = Math.ceil(Math.min(this.perSheet, this.n - sheet * this.perSheet) / this.across);
    const across = sheet * this.perSheet + this.across > this.n ? this.n - sheet * this.perSheet : this.across;
    const { style } = element;
    style.backgroundImage = `url("${this.loaded.get(sheet)}")`;
    style.backgroundSize = `${across * 100}% ${lines * 100}%`;
    const share = (at, all) => (all > 1 ? (100 * at) / (all - 1) : 0);
    style.backgroundPosition = `${share(column, across)}% ${share(line, lines)}%`;
    element.classList.remove("waiting");
  }

  load(sheet) {
    if (this.asked.has(sheet)) return;
    const url = this.urls[sheet];
    if (!url) {
      this.ask(sheet);
      return;
    }
    this.asked.add(sheet);
    const picture = new Image();
    const ready = () => {
      this.loaded.set(sheet, url);
      const waiting = this.waiting.get(sheet) ?? new Map();
      this.waiting.delete(sheet);
      for (const [element, row] of waiting) if (Number(element.dataset.row) === row) this.paint(element, row);
    };
    picture.onload = () => (picture.decode ? picture.decode().then(ready, ready) : ready());
    picture.onerror = () => this.asked.delete(sheet);
    picture.src = url;
  }
}
