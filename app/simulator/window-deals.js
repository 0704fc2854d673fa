/** The Deals list: open deals, closed ones folded below, and +. */

import { button, element, say, show } from "./window-list.js";

const PATIENCE = 8000;

const at = (id) => document.getElementById(id);

export class Deals {
  #create;
  #open;
  #announce;
  #known;
  #waiting;

  /** `create()` and `open(deal)` tell the CRM, and say whether anybody hears; `announce(text)` tells the user. */
  constructor({ create, open, announce }) {
    this.#create = create;
    this.#open = open;
    this.#announce = announce;
    at("create").addEventListener("click", () => this.#ask());
    at("fold").addEventListener("click", () => fold());
  }

  /** Shows the deals of the open chat's contact. */
  show(view) {
    const open = view.deals.filter((deal) => !deal.closed);
    const closed = view.deals.filter((deal) => deal.closed);
    this.#list(at("open"), open);
    this.#list(at("closed"), closed);
    say(at("count"), String(open.length));
    say(at("closed-title"), `Closed (${closed.length})`);
    at("closed-deals").hidden = closed.length === 0;
    at("none").hidden = open.length > 0 || (view.provisional && view.chat);
    say(at("none"), view.chat ? "No open deals with this contact." : "Choose a chat to see its deals.");
    showWhetherUsable(view);
    if (!view.provisional) this.#notice(view.chat, open);
  }

  #list(list, deals) {
    const entries = deals.map((deal) => ({ key: deal.id, deal }));
    show(list, entries, () => this.#entry(), update);
  }

  #entry() {
    const made = button("deal", element("span", "title"), element("span", "facts"));
    const item = element("li", "", made);
    made.addEventListener("click", () => this.#open(item.deal));
    return item;
  }

  /** Tells of deals that were not there a moment ago, unless it is another chat whose deals there were. */
  #notice(chat, open) {
    const known = this.#known;
    this.#known = { chat, ids: new Set(open.map((deal) => deal.id)) };
    if (known?.chat !== chat) return;
    for (const deal of open.filter((each) => !known.ids.has(each.id))) {
      at("open").querySelector(`[data-key="${CSS.escape(deal.id)}"]`).classList.add("new");
      this.#announce(`New deal: ${deal.name}`);
      this.#asked("");
    }
  }

  #ask() {
    if (at("create").getAttribute("aria-disabled") === "true") return;
    this.#asked(this.#create() ? "Asking the CRM…" : "There is no CRM around");
  }

  #asked(text) {
    clearTimeout(this.#waiting);
    say(at("asked"), text);
    if (text) this.#waiting = setTimeout(() => at("asked") && say(at("asked"), ""), PATIENCE);
  }
}

function update(item, { deal }) {
  item.deal = deal;
  say(item.querySelector(".title"), deal.name);
  say(item.querySelector(".facts"), `${deal.id} · ${deal.responsibleUserName}`);
}

function showWhetherUsable(view) {
  const usable = view.dealsEvents && Boolean(view.chat);
  at("off").hidden = view.dealsEvents;
  at("create").setAttribute("aria-disabled", String(!usable));
  if (view.dealsEvents) at("create").removeAttribute("aria-describedby");
  else at("create").setAttribute("aria-describedby", "off");
}

function fold() {
  const unfold = at("fold").getAttribute("aria-expanded") !== "true";
  at("fold").setAttribute("aria-expanded", String(unfold));
  at("deals").hidden = !unfold;
}
