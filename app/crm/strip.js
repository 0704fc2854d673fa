/** The live strip: shows a `Story`, and counts down to the next attempt. */

import { byId, make } from "/demo/dom.js";

const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const STATES = { working: "under way", waiting: "waiting", done: "done", failed: "trouble", off: "off" };

export class Strip {
  #shown = new Map();
  #timer = 0;
  #drawing = 0;

  constructor(story) {
    this.story = story;
    this.list = byId("story");
  }

  /** Soon: many entries that come at once are one picture. */
  draw() {
    this.#drawing ||= setTimeout(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  #draw() {
    const groups = this.story.latest;
    byId("story-empty").hidden = groups.some(({ key }) => key !== "demo-start");
    const kept = new Map();
    for (const group of groups) kept.set(group.key, this.#shown.get(group.key) ?? make("li", { class: "group" }));
    for (const [key, node] of this.#shown) if (!kept.has(key)) node.remove();
    groups.forEach((group, place) => {
      const node = kept.get(group.key);
      fill(node, group);
      if (this.list.children[place] !== node) this.list.insertBefore(node, this.list.children[place] ?? null);
    });
    this.#shown = kept;
    this.#count();
  }

  #count() {
    clearTimeout(this.#timer);
    const waiting = this.story.latest.filter(({ due }) => due !== null);
    for (const group of waiting) {
      const node = this.#shown.get(group.key)?.querySelector(".due");
      const left = Math.ceil((group.due - Date.now()) / 1000);
      if (node) node.textContent = left > 0 ? `Next attempt in ${left} s` : "Next attempt any moment now";
    }
    if (waiting.length) this.#timer = setTimeout(() => this.#count(), 250);
  }
}

function fill(node, group) {
  const picture = JSON.stringify([group.title, group.state, group.due, group.lines]);
  if (node.picture === picture) return;
  node.picture = picture;
  node.dataset.state = group.state;
  const known = node.querySelectorAll(".step").length;
  node.replaceChildren(
    make("h3", {}, make("span", {}, group.title), make("b", { class: "state" }, STATES[group.state])),
    make("time", { datetime: group.at }, CLOCK.format(new Date(group.at))),
    make("ol", {}, ...group.lines.map((one, place) => step(one, place >= known)), ...(group.due ? [due()] : [])),
  );
}

const step = ({ text, fine, tone }, isNew) =>
  make("li", { class: `step ${isNew ? "new" : ""}`, "data-tone": tone }, text, fine ? make("small", {}, fine) : null);

const due = () => make("li", { class: "step", "data-tone": "wait" }, make("span", { class: "due" }));
