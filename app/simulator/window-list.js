/** Small tools for what is on the page. Text is only ever text here, wherever it came from. */

/** An element with a class, and text or children. */
export function element(name, className, ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

/** A button that is no form's. */
export function button(className, ...content) {
  const made = element("button", className, ...content);
  made.type = "button";
  return made;
}

/** Says so, unless it is said already: an element that is told the same again is not touched. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Makes `list` show `items` by their keys. What is there already stays where it is, and keeps its focus. */
export function show(list, items, make, update) {
  const kept = new Set(items.map((item) => item.key));
  const there = new Map();
  for (const child of [...list.children]) {
    if (kept.has(child.dataset.key)) there.set(child.dataset.key, child);
    else child.remove();
  }
  items.forEach((item, index) => {
    const child = there.get(item.key) ?? make(item);
    child.dataset.key = item.key;
    update(child, item);
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
}

/** Up to two letters of a name; a number or an @name has none of its own. */
export function initials(name) {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || "#";
}

/** One of six tints, always the same for the same name. */
export function tint(name) {
  return String([...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % 6);
}
