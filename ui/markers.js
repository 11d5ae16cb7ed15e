// For painting on a canvas among Plotly's layers: where Plotly draws a number, and the markers it draws there.

// Pixels of a number along an axis that is not logarithmic, as factor and offset; from the top for a vertical one.
function along({ _id, _offset, _length, range: [from, to] }) {
  const factor = _length / (to - from);
  return _id.startsWith("y") ? [-factor, _offset + _length + factor * from] : [factor, _offset - factor * from];
}

// Make a canvas as large as a figure, in the screen's own pixels, and empty; return how many of these a pixel has.
function fit(canvas, { width, height }) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    Object.assign(canvas, { width: wide, height: high });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  canvas.getContext("2d").clearRect(0, 0, wide, high);
  return ratio;
}

// Paint no further than the axes go, until the brush is restored.
function clipTo(brush, { xaxis, yaxis }, ratio) {
  brush.save();
  brush.beginPath();
  brush.rect(...[xaxis._offset, yaxis._offset, xaxis._length, yaxis._length].map((n) => n * ratio));
  brush.clip();
}

// Markers, each drawn once and then only copied; `shapes` are their outlines in a box of 16 x 16, as SVG paths.
class Stamps {
  constructor(shapes) {
    this.outlines = Object.fromEntries(Object.entries(shapes).map(([name, path]) => [name, new Path2D(path)]));
    this.drawn = new Map();
  }

  of({ symbol, color, size, opacity, line }, ratio) {
    const key = [symbol, color, size, opacity, line.color, line.width, ratio].join();
    if (!this.drawn.has(key)) {
      const scale = (ratio * size) / 11;
      const [canvas, side] = [document.createElement("canvas"), 2 * Math.ceil(8 * scale + ratio)];
      Object.assign(canvas, { width: side, height: side });
      const brush = canvas.getContext("2d");
      brush.globalAlpha = opacity;
      brush.translate(side / 2, side / 2);
      brush.scale(scale, scale);
      brush.translate(-8, -8);
      const [outline, hollow] = [this.outlines[symbol.replace("-open", "")], symbol.endsWith("-open")];
      Object.assign(brush, { fillStyle: color, strokeStyle: hollow ? color : line.color });
      brush.lineWidth = ((hollow ? 1 : line.width) * ratio) / scale;
      if (!hollow) brush.fill(outline);
      brush.stroke(outline);
      this.drawn.set(key, canvas);
    }
    return this.drawn.get(key);
  }
}

// Put a stamp on every point of a trace for which `stampOf` has one.
function stampPoints(brush, ratio, { x, y }, { xaxis, yaxis }, stampOf) {
  const [[fx, ox], [fy, oy]] = [along(xaxis), along(yaxis)];
  for (let i = 0; i < x.length; i += 1) {
    const stamp = x[i] === null ? null : stampOf(i);
    if (!stamp) continue;
    const [left, top] = [(fx * x[i] + ox) * ratio - stamp.width / 2, (fy * y[i] + oy) * ratio - stamp.height / 2];
    brush.drawImage(stamp, Math.round(left), Math.round(top));
  }
}
