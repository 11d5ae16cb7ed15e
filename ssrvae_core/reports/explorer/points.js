// Paints many points on a canvas: few of them as their markers, many as blended dots, which show how dense they lie.

export const MOST_MARKERS = 6000;
const [OPACITY, FADED] = [0.75, 0.1];
const SIDE = 16; // of the box in which the outlines of markers are drawn

// Pixels of a number along an axis of Plotly's, as factor and offset; from the top for a vertical one.
export function along({ _id, _offset, _length, range: [from, to] }) {
  const factor = _length / (to - from);
  return _id.startsWith("y") ? [-factor, _offset + _length + factor * from] : [factor, _offset - factor * from];
}

// Markers, each drawn once and then only copied; `shapes` are their outlines as SVG paths.
export class Stamps {
  constructor(shapes, line) {
    this.outlines = Object.fromEntries(Object.entries(shapes).map(([name, path]) => [name, new Path2D(path)]));
    this.line = line;
    this.drawn = new Map();
  }

  of({ colour, symbol }, size, opacity, ratio) {
    const key = `${symbol},${colour},${size},${opacity},${ratio}`;
    let canvas = this.drawn.get(key);
    if (canvas) return canvas;
    const scale = (ratio * size) / 11;
    const side = 2 * Math.ceil((SIDE / 2) * scale + ratio);
    canvas = document.createElement("canvas");
    Object.assign(canvas, { width: side, height: side });
    const brush = canvas.getContext("2d");
    brush.globalAlpha = opacity;
    brush.translate(side / 2, side / 2);
    brush.scale(scale, scale);
    brush.translate(-SIDE / 2, -SIDE / 2);
    const hollow = symbol.endsWith("-open");
    const outline = this.outlines[symbol.replace("-open", "")];
    Object.assign(brush, { fillStyle: colour, strokeStyle: hollow ? colour : this.line.color });
    brush.lineWidth = ((hollow ? 1 : this.line.width) * ratio) / scale;
    if (!hollow) brush.fill(outline);
    brush.stroke(outline);
    this.drawn.set(key, canvas);
    return canvas;
  }
}

// The same order for all, in which no class lies on top of the others.
export function mixedOrder(n) {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  let seed = 1;
  for (let i = n - 1; i > 0; i -= 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function rgbOf(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

// `points`: xs, ys (strided), look, looks, seen (marks), chosen (marks, or null where all are alike), order.
export function paintPoints(brush, ratio, points, axes, stamps) {
  const { xaxis, yaxis } = axes;
  const box = [xaxis._offset, yaxis._offset, xaxis._length, yaxis._length].map((v) => Math.round(v * ratio));
  if (points.order.length > MOST_MARKERS) paintDots(brush, ratio, points, axes, box);
  else paintMarkers(brush, ratio, points, axes, box, stamps);
}

function paintMarkers(brush, ratio, { xs, ys, look, looks, seen, chosen, order }, { xaxis, yaxis }, box, stamps) {
  const [[fx, ox], [fy, oy]] = [along(xaxis), along(yaxis)];
  brush.save();
  brush.beginPath();
  brush.rect(...box);
  brush.clip();
  for (const lit of chosen ? [0, 1] : [1]) {
    const made = looks.map(() => null);
    for (const row of order) {
      if (!seen[row] || (chosen && chosen[row] !== lit)) continue;
      const [left, top] = [fx * xs.values[xs.start + row * xs.step] + ox, fy * ys.values[ys.start + row * ys.step] + oy];
      if (left !== left || top !== top) continue;
      const stamp = (made[look[row]] ??= stamps.of(looks[look[row]], chosen && lit ? 8 : 7, lit ? OPACITY : FADED, ratio));
      brush.drawImage(stamp, Math.round(left * ratio - stamp.width / 2), Math.round(top * ratio - stamp.height / 2));
    }
  }
  brush.restore();
}

// Dots blended by hand into the pixels of the axes' area: a canvas takes many times as long for as many pictures.
function paintDots(brush, ratio, { xs, ys, look, looks, seen, chosen, order }, { xaxis, yaxis }, [left, top, width, height]) {
  if (width < 1 || height < 1) return;
  const [[fx, ox], [fy, oy]] = [along(xaxis), along(yaxis)];
  const image = brush.createImageData(width, height);
  const pixels = image.data;
  const colours = looks.map(({ colour }) => rgbOf(colour));
  const side = Math.max(2, Math.round((order.length > 40000 ? 2 : 3) * ratio));
  for (const lit of chosen ? [0, 1] : [1]) {
    const alpha = lit ? (order.length > 40000 ? 0.6 : 0.7) : 0.12;
    for (let k = 0; k < order.length; k += 1) {
      const row = order[k];
      if (!seen[row] || (chosen && chosen[row] !== lit)) continue;
      const x = Math.round((fx * xs.values[xs.start + row * xs.step] + ox) * ratio - side / 2) - left;
      const y = Math.round((fy * ys.values[ys.start + row * ys.step] + oy) * ratio - side / 2) - top;
      if (!(x >= 0 && y >= 0 && x + side <= width && y + side <= height)) continue;
      const [r, g, b] = colours[look[row]];
      for (let j = y; j < y + side; j += 1) {
        for (let at = 4 * (j * width + x), end = at + 4 * side; at < end; at += 4) {
          const under = pixels[at + 3] / 255;
          const over = alpha + under * (1 - alpha);
          const share = alpha / over;
          pixels[at] += (r - pixels[at]) * share;
          pixels[at + 1] += (g - pixels[at + 1]) * share;
          pixels[at + 2] += (b - pixels[at + 2]) * share;
          pixels[at + 3] = over * 255;
        }
      }
    }
  }
  brush.putImageData(image, left, top);
}

// The row of the point that is nearest to a place, -1 where none is within `reach` pixels.
export function pointAt({ xs, ys, seen }, { xaxis, yaxis }, left, top, reach) {
  const [[fx, ox], [fy, oy]] = [along(xaxis), along(yaxis)];
  let [closest, at] = [reach * reach, -1];
  for (let row = 0; row < seen.length; row += 1) {
    if (!seen[row]) continue;
    const dx = fx * xs.values[xs.start + row * xs.step] + ox - left;
    const dy = fy * ys.values[ys.start + row * ys.step] + oy - top;
    const away = dx * dx + dy * dy;
    if (away <= closest) [closest, at] = [away, row];
  }
  return at;
}
