// A selection is a list of steps: an outline on a map, or ids, which replace, add or take away.

export const REPLACE = "r";
export const ADD = "a";
export const TAKE = "t";
export const STEPS_OF_RANGE = 10000; // an outline's coordinates are whole numbers of so many steps over a map's range

export function howOf({ shiftKey, altKey }) {
  return altKey ? TAKE : shiftKey ? ADD : REPLACE;
}

// Lowest and highest finite number of strided values; of nothing, 0 and 1.
export function rangeOf({ values, step, start }) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = start; i < values.length; i += step) {
    const value = values[i];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low < high)) return Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
  return [low, high];
}

export function toSteps(value, [low, high]) {
  return Math.round(((value - low) / (high - low)) * STEPS_OF_RANGE);
}

export function fromSteps(steps, [low, high]) {
  return low + (steps / STEPS_OF_RANGE) * (high - low);
}

// Fewer corners of an outline, none of those left out further than `reach` from a side (Douglas and Peucker 1973).
export function simplified(points, reach) {
  if (points.length < 3) return points;
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const spans = [[0, points.length - 1]];
  while (spans.length) {
    const [first, last] = spans.pop();
    const [[ax, ay], [bx, by]] = [points[first], points[last]];
    const length = Math.hypot(bx - ax, by - ay);
    let [furthest, at] = [reach, -1];
    for (let i = first + 1; i < last; i += 1) {
      const [x, y] = points[i];
      const away = length ? Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length : Math.hypot(x - ax, y - ay);
      if (away > furthest) [furthest, at] = [away, i];
    }
    if (at < 0) continue;
    keep[at] = 1;
    spans.push([first, at], [at, last]);
  }
  return points.filter((_, i) => keep[i]);
}

const BANDS = 128;

// Sides of an outline by bands of equal height, as a point needs only those that reach into its own.
function sidesByBand(outline, bottom, height) {
  const bandOf = (y) => Math.min(Math.max(Math.floor((y - bottom) / height), 0), BANDS - 1);
  const bands = Array.from({ length: BANDS }, () => []);
  for (let a = 0, b = outline.length - 1; a < outline.length; b = a, a += 1) {
    const [[ax, ay], [bx, by]] = [outline[a], outline[b]];
    if (ay === by) continue; // never between a point's left and right
    for (let band = bandOf(Math.min(ay, by)); band <= bandOf(Math.max(ay, by)); band += 1) bands[band].push(ax, ay, bx, by);
  }
  return bands.map((sides) => Float64Array.from(sides));
}

// Mark the points within an outline of [x, y] corners (even-odd rule); `marks` has a place for every point.
export function markInside(outline, xs, ys, marks, value) {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of outline) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [bottom, top] = [Math.min(bottom, y), Math.max(top, y)];
  }
  const height = (top - bottom) / BANDS;
  if (!(height > 0)) return;
  const bands = sidesByBand(outline, bottom, height);
  for (let row = 0, i = xs.start, j = ys.start; row < marks.length; row += 1, i += xs.step, j += ys.step) {
    const x = xs.values[i];
    const y = ys.values[j];
    if (!(x >= left && x <= right && y >= bottom && y <= top)) continue;
    const sides = bands[Math.min(Math.floor((y - bottom) / height), BANDS - 1)];
    let inside = false;
    for (let at = 0; at < sides.length; at += 4) {
      const ay = sides[at + 1];
      const by = sides[at + 3];
      if (ay > y !== by > y && x < ((sides[at + 2] - sides[at]) * (y - ay)) / (by - ay) + sides[at]) inside = !inside;
    }
    if (inside) marks[row] = value;
  }
}

// Which particles all steps together select, 1 where selected.
export function selected(table, steps) {
  const marks = new Uint8Array(table.n);
  for (const step of steps) {
    if (step.how === REPLACE) marks.fill(0);
    const value = step.how === TAKE ? 0 : 1;
    if (step.ids) {
      for (const id of step.ids) {
        const row = table.row(id);
        if (row >= 0) marks[row] = value;
      }
    } else {
      const [xs, ys] = [table.coordinate(step.map, step.x, 0), table.coordinate(step.map, step.y, 1)];
      const [across, up] = [rangeOf(xs), rangeOf(ys)];
      const outline = step.outline.map(([x, y]) => [fromSteps(x, across), fromSteps(y, up)]);
      markInside(outline, xs, ys, marks, value);
    }
  }
  return marks;
}

// Steps that come to the same, without those that a later one replaces.
export function withStep(steps, step) {
  return step.how === REPLACE ? [step] : [...steps, step];
}
