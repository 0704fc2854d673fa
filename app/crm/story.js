/**
 * What just happened, in words: entries of the feed and what the page itself saw, put together by what they are about.
 * Knows nothing of the document.
 */

const MOST_GROUPS = 14;
const CREATE = "WZ_CREATE_ENTITY";
const OPEN = "WZ_OPEN_ENTITY";
// Milliseconds within which the gateway's word on an event must follow the page's.
const SOON = 60_000;
const START = "demo-start";

const TITLES = { [CREATE]: "+ was clicked in the chat", [OPEN]: "A deal was clicked in the chat" };
const CACHE = {
  hit: ["The gateway still had its link", "cache hit"],
  stored: ["The gateway asked Wazzup for a link", "cache miss, now stored"],
  requested: ["A new link was wanted: Wazzup was asked", "cache passed over"],
  collapsed: ["Somebody had just asked the same: one answer for both", "cache miss, collapsed"],
  stale: ["Wazzup is away: the gateway gave the one it had", "stale"],
};

const ms = (span) => (span === undefined ? "" : `${span < 10 ? +span.toFixed(1) : Math.round(span)}\u00a0ms`);
const small = (...parts) => parts.filter(Boolean).join(" · ");
const line = (text, fine = "", tone = "good") => ({ text, fine, tone });
const many = (count, what) => `${count}\u00a0${count === 1 ? what : `${what}s`.replace(/ys$/, "ies")}`;

function attempted({ attempt, follows, status, hint, duration_ms: span }) {
  if (follows === "done") return line("The answer is back: delivered", small(`attempt ${attempt}`, status, ms(span)));
  const fine = small(`attempt ${attempt}`, status ?? hint, ms(span));
  const why = status ? "The CRM’s server did not take it" : "Nobody answered at the CRM’s server";
  return line(follows === "again" ? why : "Given up: it waits in the gateway for a replay", fine, "bad");
}

/** A line for each kind of entry; null: it says nothing by itself. */
const LINES = {
  "page.heard": ({ type }) => line("The window told the page", small(type, "origin and sender checked")),
  "page.opened": ({ ms: span }) => line("The page opened the deal", `${Math.round(span)} ms after the click`),
  "page.offered": () => line("The page offered the deal: you were at something else"),
  "page.shown": () => line("The page showed the deal"),
  "page.refused": ({ code }) => line("The gateway could not take it yet: the page keeps it", code, "bad"),
  "event.accepted": ({ outcome, deliveries, event_id: id }) =>
    outcome === "duplicate"
      ? line("The gateway had it already", id)
      : line("The gateway has it, and keeps it", small(id, many(deliveries, "delivery"))),
  "signature.checked": () => line("The CRM’s server checked who sent it", "signature valid · HMAC-SHA256"),
  "signature.refused": ({ hint }) => line("The CRM’s server did not believe a message", `401 · ${hint}`, "bad"),
  "deal.made": ({ deal_id: id }) => line("It made the deal", id),
  "deal.repeated": ({ deal_id: id }) => line("It knew this event already: no second deal", id),
  "deal.changed": ({ deal_id: id, fields }) => line(`The CRM saved the deal’s ${fields.join(", ")}`, id),
  "delivery.attempted": attempted,
  "link.issued": ({ outcome, request_id: id }) =>
    id === START
      ? line("Wazzup learned who works with the CRM", "before the first link")
      : line(...(CACHE[outcome] ?? ["The gateway gave a link", outcome])),
  "webhook.registered": ({ url }) => line("The CRM told the gateway where to send events", `POST /webhooks · ${url}`),
  "wazzup.told": ({ deals, duration_ms: span }) =>
    line(
      `Wazzup knows ${deals === 1 ? "the deal: its list shows it" : many(deals, "deal")}`,
      small("POST /deals", ms(span)),
    ),
  "wazzup.untold": ({ code, wait }) =>
    line("Wazzup could not be told yet", small(code, wait ? `again in ${wait} s` : "at the next start"), "bad"),
  "wazzup.unasked": () =>
    line("Whose chat is it? Wazzup is told later", "Telegram’s ids say nothing to a CRM", "dim"),
  "server.switched": ({ on }) =>
    on
      ? line("Its port is open again: what waited is on its way", "listening")
      : line("Its port is closed: whoever connects is refused", "connection refused", "bad"),
};

// In what order the lines of an event are read, whoever told of them first.
const RANKS = { "page.heard": 0, "event.accepted": 1 };

export class Story {
  /** @param {number[]} waits seconds before each attempt */
  constructor(waits = []) {
    this.waits = waits;
    this.clear();
  }

  clear() {
    this.groups = new Map();
    this.aliases = new Map();
  }

  /** All groups, newest first. */
  get latest() {
    return [...this.groups.values()].reverse();
  }

  /** An entry of the feed. Gives the group that it changed, if any. */
  hear(entry) {
    const { what, event_id: eventId, request_id: requestId } = entry;
    if (what === "event.accepted") this.#join(entry);
    if (what === "http.request" || what === "wazzup.called") return this.#besides(entry);
    const key = eventId ?? this.aliases.get(requestId) ?? requestId ?? `${what} ${entry.at}`;
    const group = this.#group(key, entry);
    this.#add(group, entry);
    this.#judge(group, entry);
    return group;
  }

  /** What the page itself saw of an event that it knows by an id of its own. */
  see(what, id, facts = {}) {
    const key = this.aliases.get(id) ?? id;
    const entry = { what, at: new Date().toISOString(), ...facts };
    const group = this.#group(key, entry);
    this.#add(group, entry);
    return group;
  }

  /** The page's id and the gateway's name the same event. */
  same(id, eventId) {
    if (this.aliases.get(id) === eventId) return;
    this.aliases.set(id, eventId);
    const ours = this.groups.get(id);
    if (!ours) return;
    const theirs = this.groups.get(eventId);
    this.groups.delete(id);
    if (!theirs) this.groups.set(eventId, Object.assign(ours, { key: eventId }));
    else for (const one of ours.lines) this.#insert(theirs, one);
  }

  /** Before the gateway's answer names it: the oldest of the page's events of this type that waits for a name. */
  #join({ type, event_id: eventId, request_id: requestId, at }) {
    this.aliases.set(requestId, eventId);
    if (this.groups.has(eventId)) return;
    const ours = [...this.groups.values()].find((one) => !one.named && one.type === type && soon(one.at, at));
    if (ours) this.same(ours.key, eventId);
  }

  #group(key, { what, at, type, on }) {
    let group = this.groups.get(key);
    if (!group) {
      group = { key, at, lines: [], state: "working", title: "", due: null, calls: [], named: false };
      this.groups.set(key, group);
      if (this.groups.size > MOST_GROUPS) this.groups.delete(this.groups.keys().next().value);
    }
    group.type ??= type;
    group.named ||= !what.startsWith("page.");
    group.title = titled(group, what, on);
    return group;
  }

  #add(group, entry) {
    const said = LINES[entry.what]?.(entry);
    if (said) this.#insert(group, { ...said, what: entry.what, at: entry.at });
    if (entry.what === "wazzup.told" && group.calls.length) {
      group.lines.at(-1).fine = small(group.lines.at(-1).fine, ...group.calls);
      group.calls = [];
    }
  }

  #insert(group, said) {
    const rank = RANKS[said.what] ?? 2;
    if (rank < 2 && group.lines.some(({ what }) => what === said.what)) return;
    const place = group.lines.findIndex(({ what }) => (RANKS[what] ?? 2) > rank);
    group.lines.splice(place < 0 ? group.lines.length : place, 0, said);
  }

  /** What is to be said of how long it took belongs to the line that is there. */
  #besides({ what, request_id: requestId, route, status, code, operation, outcome, duration_ms: span, at }) {
    const key = this.aliases.get(requestId) ?? requestId;
    if (what === "wazzup.called") {
      if (operation === "link" || operation === "users") return null;
      this.groups.get(key)?.calls.push(`${operation}\u00a0${outcome === "answered" ? "" : `${outcome} `}${ms(span)}`);
      return null;
    }
    const group = this.groups.get(key);
    if (route === "/links" && group?.lines[0]?.what === "link.issued") {
      const [first] = group.lines;
      first.fine = small(first.fine, ms(span));
      return group;
    }
    if (status < 400 || route !== "/links") return null;
    const failed = this.#group(key, { what: "link.refused", at });
    const said = line("The gateway could not get a link", small(status, code), "bad");
    this.#insert(failed, { what: "link.refused", ...said });
    failed.state = "failed";
    return failed;
  }

  #judge(group, { what, follows, attempt, at, on }) {
    group.due = null;
    if (what === "delivery.attempted" && follows === "again") {
      group.state = "waiting";
      group.due = Date.parse(at) + (this.waits[attempt] ?? this.waits.at(-1) ?? 0) * 1000;
    } else if (what === "delivery.attempted") group.state = follows === "done" ? "done" : "failed";
    else if (what === "server.switched") group.state = on ? "done" : "off";
    else if (what === "wazzup.untold" || what === "signature.refused") group.state = "failed";
    else if (["link.issued", "wazzup.told", "wazzup.unasked"].includes(what)) group.state = "done";
  }
}

const soon = (one, other) => Math.abs(Date.parse(one) - Date.parse(other)) < SOON;

function titled(group, what, on) {
  if (group.key === START) return "The demo began";
  if (what.startsWith("link.")) return "A chat window was opened";
  if (what === "deal.changed") return "A deal was changed in the CRM";
  if (what === "server.switched") return on ? "The CRM’s server is back" : "The CRM’s server is off";
  if (what === "signature.refused") return "Somebody else knocked at the CRM’s server";
  return TITLES[group.type] ?? (group.title || (group.type ? `The window said ${group.type}` : "An event"));
}
