// Elements of the page. Text that came from files is only ever text: nothing here reads HTML.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const VECTOR = "http://www.w3.org/2000/svg";

export function vector(tag, properties = {}, ...children) {
  const element = document.createElementNS(VECTOR, tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A marker as a small drawing.
export function marker(shapes, { colour, symbol }, size = 12) {
  const hollow = symbol.endsWith("-open");
  const paint = hollow ? { fill: "none", stroke: colour, "stroke-width": 2 } : { fill: colour };
  const path = vector("path", { d: shapes[symbol.replace("-open", "")], ...paint });
  return vector("svg", { viewBox: "0 0 16 16", width: size, height: size, "aria-hidden": "true" }, path);
}

// How much larger than usual the type of an explorer is: a presentation asks for that.
export function typeScale(element) {
  return Number(getComputedStyle(element).getPropertyValue("--type")) || 1;
}

// A field for a name, which takes a longer one and says that it is too long instead of cutting it.
export function nameField(most, properties) {
  const field = make("input", { type: "text", ...properties });
  const check = () => field.setCustomValidity(tooLong(field.value, most));
  for (const type of ["input", "focus"]) field.addEventListener(type, check);
  return field;
}

export function tooLong(text, most) {
  const n = [...text.trim()].length;
  return n > most ? `A name has at most ${most} characters, and this one has ${n}.` : "";
}

export function choice(label, options, value, onchange, properties = {}) {
  const list = make("select", { "aria-label": label, ...properties, onchange: () => onchange(list.value) });
  for (const one of options) list.append(make("option", { value: one.name, textContent: one.label }));
  list.value = value;
  return list;
}

export function button(text, onclick, properties = {}) {
  return make("button", { type: "button", textContent: text, onclick, ...properties });
}

const ASKING = 4000; // milliseconds for which a button waits for its second click

// A button whose first click only asks; the second one does it, if it comes soon and nothing else is done between.
export function askingButton(text, label, question, onclick) {
  let again;
  const one = button(text, () => {
    if (again === undefined) {
      one.textContent = question;
      one.setAttribute("aria-label", `${label}: click again to confirm`);
      again = setTimeout(rest, ASKING);
    } else {
      rest();
      onclick();
    }
  }, { "aria-label": label, onblur: () => rest() });
  const rest = () => {
    clearTimeout(again);
    again = undefined;
    one.textContent = text;
    one.setAttribute("aria-label", label);
  };
  return one;
}

// A count as the program's pages, reports and commands write it.
export function thousands(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

// Shows a count whose text is its digits alone, for programs that read it.
export function showCount(element, n) {
  const [first, ...others] = thousands(n).split(",");
  element.replaceChildren(first, ...others.flatMap((digits) => [make("span", { class: "comma" }), digits]));
}

// A number as it reads: three digits that count, or "not known".
export function figure(value, digits = 3) {
  if (value === null || value === undefined || value !== value) return "not known";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return String(Number(value.toPrecision(digits)));
}

// Numbers of one unit, of which one at least is known.
export function measured(values, unit) {
  return `${values.map((value) => figure(value)).join(" and ")}${unit ? ` ${unit}` : ""}`;
}
