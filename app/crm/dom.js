/** Building nodes. Text is always text: what came from outside cannot become markup. */

const SVG = "http://www.w3.org/2000/svg";

/** An element; `on…` are listeners, what is a property is set as one, all else is an attribute. */
export function make(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** One of the icons that stand in the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** The first letters of a name's first and last word. */
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return [words.at(0), words.length > 1 ? words.at(-1) : ""].map((word) => [...word][0] ?? "").join("");
}

export const avatar = (name, hue, kind = "") =>
  make("span", { class: `avatar ${kind}`, "data-hue": String(hue), "aria-hidden": "true" }, initials(name));

const EUROS = new Intl.NumberFormat("en", { style: "currency", currency: "EUR", maximumFractionDigits: 0 });
export const money = (amount) => (amount ? EUROS.format(amount) : "no amount yet");
