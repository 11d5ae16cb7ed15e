// Sample ids: whole numbers of 64 bits. One that a Number does not hold exactly is a BigInt, as are all ids of a table that
// has such a one; both kinds compare with < and >, but only ids of one kind with ===.

const MOST_IDS = 2000000;
export const LONGEST_LINK = 7900; // characters of a selection; servers and browsers cut longer addresses
const READABLE = 1000; // characters of ranges that are not worth packing
const SPAN = /^(-?\d{1,19})(?:-(-?\d{1,19}))?$/;

export function idOf(text) {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function following(id) {
  return typeof id === "bigint" ? id + 1n : id + 1;
}

// The first place in ascending ids whose id is not below this one.
export function placeOf(known, id) {
  let [low, high] = [0, known.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (known[middle] < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Ids of one kind, ascending, as runs of a first and a last one.
function runsOf(ids) {
  const runs = [];
  for (let i = 0; i < ids.length; ) {
    let j = i;
    while (j + 1 < ids.length && ids[j + 1] === following(ids[j])) j += 1;
    runs.push([ids[i], ids[j]]);
    i = j + 1;
  }
  return runs;
}

// Ids of one kind, ascending, as ranges: -5--3.12, and back.
export function rangesOf(ids) {
  return runsOf(ids).map(([first, last]) => (last > first ? `${first}-${last}` : `${first}`)).join(".");
}

// Those of the known ids, which ascend, that are in the ranges; null where the text is none of ranges.
export function idsOfRanges(text, known) {
  const runs = [];
  for (const part of text ? text.split(".") : []) {
    const found = SPAN.exec(part);
    if (!found) return null;
    runs.push([idOf(found[1]), idOf(found[2] ?? found[1])]);
  }
  return idsOfRuns(runs, known);
}

function idsOfRuns(runs, known) {
  const ids = [];
  for (const [first, last] of runs) {
    if (last < first) return null;
    for (let at = placeOf(known, first); at < known.length && known[at] <= last; at += 1) {
      if (ids.length === MOST_IDS) return null;
      ids.push(known[at]);
    }
  }
  return ids;
}

// Ids for an address, "i" and ranges, or, where these are long, "p" and the packed runs: the first id (twice it, less one
// where it is negative), then in turns how many more ids a run has and how many are left out before the next run, less
// one. Each number is in bytes of seven bits, the lowest first, of which all but the last have their highest bit set, and
// all bytes together are in base64 for addresses. Null where both are too long for one.
export function linkOf(ids) {
  const runs = runsOf(ids);
  if (2 * runs.length > (3 * LONGEST_LINK) / 4) return null;
  const ranges = rangesOf(ids);
  const text = ranges.length <= READABLE ? `i${ranges}` : `p${packed(runs)}`;
  return text.length <= LONGEST_LINK ? text : null;
}

// The known ids of what linkOf gives, null where it is something else.
export function idsOfLink(text, known) {
  if (text.startsWith("i")) return idsOfRanges(text.slice(1), known);
  const runs = text.startsWith("p") ? unpacked(text.slice(1)) : null;
  return runs && idsOfRuns(runs, known);
}

function packed(runs) {
  let bytes = "";
  const add = (number) => {
    let left = number;
    for (; left > 127n; left >>= 7n) bytes += String.fromCharCode(Number(left & 127n) | 128);
    bytes += String.fromCharCode(Number(left));
  };
  let next = null;
  for (const run of runs) {
    const [first, last] = run.map(BigInt);
    add(next === null ? (first < 0n ? -2n * first - 1n : 2n * first) : first - next - 1n);
    add(last - first);
    next = last + 1n;
  }
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function unpacked(text) {
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) return null;
  const numbers = [];
  let [number, shift] = [0n, 0n];
  for (const letter of atob(text.replaceAll("-", "+").replaceAll("_", "/"))) {
    const byte = BigInt(letter.charCodeAt(0));
    number |= (byte & 127n) << shift;
    shift += 7n;
    if (shift > 70n) return null;
    if (byte < 128n) {
      numbers.push(number);
      [number, shift] = [0n, 0n];
    }
  }
  if (shift || numbers.length % 2) return null;
  const runs = [];
  let next = null;
  for (let at = 0; at < numbers.length; at += 2) {
    const [begin, more] = [numbers[at], numbers[at + 1]];
    const first = next === null ? (begin & 1n ? -(begin + 1n) / 2n : begin / 2n) : next + begin + 1n;
    runs.push([first, first + more].map((id) => idOf(String(id))));
    next = first + more + 1n;
  }
  return runs;
}
