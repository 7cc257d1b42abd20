// Elements of the page. Names of units, stations and machines come from outside and are
// only ever set as text: there is no innerHTML in this package.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; properties in `data` become data- attributes. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  set(made, properties);
  made.append(...children);
  return made;
}

/** Make an element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function set(made, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(made.dataset, value);
    else if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
}

/** Set a text, touching the page only if it is another one. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a data- attribute, touching the page only if it is another one. */
export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Return a number with its thousands apart. */
export const count = (n) => n.toLocaleString("en");

/** Return a share as per cent, or a dash. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = 100 * share;
  return `${value.toFixed(value < 10 && value > 0 ? 1 : 0)}%`;
}

/** Return a span of time in words, from seconds. */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** Return a name as one reads it; units and devices keep theirs, which one types. */
export const words = (name) => name.replaceAll("_", " ");

/** Make what shows the life of a unit when it is pressed. */
export function unitLink(name, onUnit) {
  return el("button", {
    type: "button",
    class: "link",
    dir: "auto",
    data: { unit: name },
    text: name,
    onclick: () => onUnit(name),
  });
}
