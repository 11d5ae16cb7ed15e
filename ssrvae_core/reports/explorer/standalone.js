// The explorers of a file: data and pictures are in it, choices are in what follows # in its address.

const darkPage = matchMedia("(prefers-color-scheme: dark)");
const explorers = [];

async function beginExplorer(place, number) {
  const read = (name) => place.querySelector(`script[data-part="${name}"]`).textContent;
  const { look, sheets, drawings, usual, name } = JSON.parse(read("settings"));
  const table = readTable(bytesOfBase64(read("table")).buffer);
  // The policy of the file lets pictures be blobs, and a browser holds one of them better than a long address.
  const blob = (text) => URL.createObjectURL(new Blob([bytesOfBase64(text)], { type: "image/webp" }));
  const urls = JSON.parse(read("sheets")).map(blob);
  const root = place.querySelector(".place");
  const prefix = number ? `${number}.` : "";
  const mine = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    return Object.fromEntries([...parts].filter(([key]) => (prefix ? key.startsWith(prefix) : !key.includes("."))).map(([key, text]) => [key.slice(prefix.length), text]));
  };
  const hashOf = (explorer) => {
    const parts = new URLSearchParams(location.hash.slice(1));
    for (const key of NAMES) parts.delete(prefix + key);
    for (const [key, text] of Object.entries(explorer.address)) parts.set(prefix + key, text);
    return parts.toString();
  };
  const shelf = new Shelf(name, safeStorage());
  const drawn = new Map();
  const answerOf = (explorer) => {
    const { open } = explorer.values;
    if (open === null || !drawings) return;
    if (!drawn.has(open)) drawn.set(open, drawnOf(explorer, table.row(open), drawings, sheets));
    drawn.get(open).then((answer) => explorer.answered(answer));
  };
  let waiting = 0;
  const explorer = new Explorer(root, table, {
    sheets: { ...sheets, urls: Object.fromEntries(urls.map((url, i) => [i, url])) }, look, usual, shelf, address: mine(), decodes: Boolean(drawings),
    changed: (self, changed) => {
      if (changed.has("open")) answerOf(self);
      clearTimeout(waiting);
      waiting = setTimeout(() => history.replaceState(null, "", `#${hashOf(self)}`), 250);
    },
    keep: (words, ids, self) => self.bar.say(shelf.keep(words, ids) ? "" : "This browser keeps nothing for a file; use Copy link instead."),
    forget: (words, self) => {
      shelf.forget(words);
      self.drawBar();
    },
    link: (self) => copied(`${location.href.split("#")[0]}#${hashOf(self)}`),
  });
  explorers.push(explorer);
  answerOf(explorer);
  await explorer.draw(window.Plotly);
}

// What the models draw, decoded beforehand: a sheet each, laid out as the pictures are.
async function drawnOf(explorer, row, drawings, sheets) {
  const size = [sheets.width, sheets.height];
  const cut = (url, at) => new Promise((done) => {
    const picture = new Image();
    picture.onload = () => {
      const canvas = make("canvas", { width: size[0], height: size[1] });
      const { column, line } = at;
      canvas.getContext("2d", { willReadFrequently: true }).drawImage(picture, column * size[0], line * size[1], ...size, 0, 0, ...size);
      done(canvas);
    };
    picture.src = url;
  });
  const at = explorer.sprites.place(row);
  const seen = await cut(explorer.sprites.urls[at.sheet], at);
  const models = [];
  for (const sheetsOfModel of drawings) {
    const drawn = await cut(`data:image/webp;base64,${sheetsOfModel[at.sheet]}`, at);
    models.push({ drawing: drawn.toDataURL(), difference: differenceOf(seen, drawn, size), posterior: null });
  }
  return { id: explorer.table.ids[row], picture: null, models };
}

function differenceOf(seen, drawn, [width, height]) {
  const [a, b] = [seen, drawn].map((canvas) => canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height));
  for (let i = 0; i < a.data.length; i += 1) if (i % 4 < 3) a.data[i] = Math.round(127.5 + (a.data[i] - b.data[i]) / 2);
  const canvas = make("canvas", { width, height });
  canvas.getContext("2d").putImageData(a, 0, 0);
  return canvas.toDataURL();
}

function safeStorage() {
  try {
    return window.localStorage;
  } catch {
    return null; // a browser that keeps nothing for files
  }
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

document.querySelectorAll(".explorer-file").forEach((place, number) => beginExplorer(place, number));
darkPage.addEventListener("change", () => explorers.forEach((explorer) => explorer.themed()));
// On paper the maps are vectors on white, without what only a pointer can use.
addEventListener("beforeprint", () => explorers.forEach((explorer) => explorer.maps.forEach((map) => map.toPaper())));
addEventListener("afterprint", () => explorers.forEach((explorer) => explorer.maps.forEach((map) => map.fromPaper())));
