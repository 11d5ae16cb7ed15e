// The explorers of a file: data and pictures are in it, choices are in what follows # in its address.

const darkPage = matchMedia("(prefers-color-scheme: dark)");
const explorers = [];

const RUNS = "runs"; // in the address, which of several are shown

async function beginExplorer(place, number) {
  const read = (name) => place.querySelector(`script[data-part="${name}"]`).textContent;
  const { look, sheets, drawings, usual, name } = JSON.parse(read("settings"));
  const whole = readTable(bytesOfBase64(read("table")).buffer);
  // The policy of the file lets pictures be blobs, and a browser holds one of them better than a long address.
  const blob = (text) => URL.createObjectURL(new Blob([bytesOfBase64(text)], { type: "image/webp" }));
  const urls = JSON.parse(read("sheets")).map(blob);
  const posteriors = drawings?.map((one) => one.posteriors && bytesOfBase64(one.posteriors));
  const prefix = number ? `${number}.` : "";
  const mine = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    return Object.fromEntries([...parts].filter(([key]) => (prefix ? key.startsWith(prefix) : !key.includes("."))).map(([key, text]) => [key.slice(prefix.length), text]));
  };
  let models = modelsOf(mine()[RUNS], whole.models.length);
  const hashOf = (explorer) => {
    const parts = new URLSearchParams(location.hash.slice(1));
    for (const key of [...NAMES, RUNS]) parts.delete(prefix + key);
    for (const [key, text] of Object.entries(explorer.address)) parts.set(prefix + key, text);
    if (models.some((model, i) => model !== i)) parts.set(prefix + RUNS, models.map((model) => model + 1).join("."));
    return parts.toString();
  };
  const shelf = new Shelf(name, safeStorage(), whole.ids);
  const drawn = new Map();
  const answerOf = (explorer) => {
    const { open } = explorer.values;
    if (open === null || !drawings) return;
    const key = `${open} ${models}`;
    const own = models.map((model) => ({ sheets: drawings[model].sheets, posteriors: posteriors[model] }));
    if (!drawn.has(key)) drawn.set(key, drawnOf(explorer, explorer.table.row(open), own, sheets));
    drawn.get(key).then((answer) => explorer.answered(answer));
  };
  let waiting = 0;
  const begin = (root, address) => new Explorer(root, whole.of(models), {
    sheets: { ...sheets, urls: Object.fromEntries(urls.map((url, i) => [i, url])) }, look, usual, shelf, address, decodes: Boolean(drawings),
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
  let root = place.querySelector(".place");
  let explorer = begin(root, mine());
  explorers.push(explorer);
  answerOf(explorer);
  if (whole.models.length > 2) place.insertBefore(chooser(whole.models, models, (chosen) => {
    // What is selected stays: an outline is of one map, so that its particles take its place.
    const { ids, values, address } = explorer;
    models = chosen;
    root.querySelectorAll(".js-plotly-plot").forEach((plot) => window.Plotly.purge(plot));
    const fresh = make("div", { class: "place" });
    root.replaceWith(fresh);
    root = fresh;
    for (const one of ["select", "zoom", "x", "y", "by"]) delete address[one];
    const next = begin(root, address);
    explorers[explorers.indexOf(explorer)] = next;
    explorer = next;
    if (values.steps.length) next.set({ steps: [{ how: REPLACE, ids }], all: values.all });
    answerOf(next);
    next.options.changed(next, new Set());
    next.draw(window.Plotly);
  }), root);
  await explorer.draw(window.Plotly);
}

// Which models an address asks for: one, or two that differ; the first two where it asks for what is not there.
function modelsOf(text, n) {
  const models = (text ?? "").split(".").map((one) => Number(one) - 1);
  const sound = models.length === 2 && models[0] !== models[1] && models.every((one) => Number.isInteger(one) && one >= 0 && one < n);
  return sound ? models : n > 1 ? [0, 1] : [0];
}

// Two lists, of the left map and of the right one; who takes the other's model gives it their own.
function chooser(all, models, chosen) {
  const options = all.map(({ title, run }, model) => ({ name: String(model), label: `${title} (${run})` }));
  let now = models;
  const lists = ["Left map", "Right map"].map((label, side) => choice(label, options, String(now[side]), (text) => {
    const [wanted, other] = [Number(text), now[1 - side]];
    const pair = [0, 0];
    pair[side] = wanted;
    pair[1 - side] = other === wanted ? now[side] : other;
    now = pair;
    lists.forEach((list, i) => { list.value = String(now[i]); });
    chosen(now);
  }));
  return make("div", { class: "runs" }, ...lists.map((list, side) => make("label", {}, make("span", { textContent: ["Left map", "Right map"][side] }), list)));
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
  for (const { sheets: own, posteriors } of drawings) {
    const drawn = await cut(`data:image/webp;base64,${own[at.sheet]}`, at);
    const angles = posteriors && posteriors.length / explorer.table.n;
    const posterior = posteriors && Array.from(posteriors.subarray(row * angles, (row + 1) * angles));
    models.push({ drawing: drawn.toDataURL(), difference: differenceOf(seen, drawn, size), posterior });
  }
  return { id: String(explorer.table.ids[row]), picture: null, models };
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
