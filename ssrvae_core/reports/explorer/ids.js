// Sample ids: whole numbers of 64 bits. One that a Number does not hold exactly is a BigInt, as are all ids of a table that
// has such a one; both kinds compare with < and >, but only ids of one kind with ===.

const MOST_IDS = 2000000;
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

// Ids of one kind, ascending, as ranges: -5--3.12, and back.
export function rangesOf(ids) {
  const parts = [];
  for (let i = 0; i < ids.length; ) {
    let j = i;
    while (j + 1 < ids.length && ids[j + 1] === following(ids[j])) j += 1;
    parts.push(j > i ? `${ids[i]}-${ids[j]}` : `${ids[i]}`);
    i = j + 1;
  }
  return parts.join(".");
}

// Those of the known ids, which ascend, that are in the ranges; null where the text is none of ranges.
export function idsOfRanges(text, known) {
  const ids = [];
  for (const part of text ? text.split(".") : []) {
    const found = SPAN.exec(part);
    if (!found) return null;
    const [first, last] = [idOf(found[1]), idOf(found[2] ?? found[1])];
    if (last < first) return null;
    for (let at = placeOf(known, first); at < known.length && known[at] <= last; at += 1) {
      if (ids.length === MOST_IDS) return null;
      ids.push(known[at]);
    }
  }
  return ids;
}
