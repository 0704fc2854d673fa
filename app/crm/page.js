/** The demo CRM's page: contacts, deals, and for each contact the chat, by the gateway's own `<wazzup-chat>`. */

import { byId, initials, make } from "/demo/dom.js";
import { changeDeal, follow, getState, getToken, turnServer } from "/demo/server.js";
import { Story } from "/demo/story.js";
import { Strip } from "/demo/strip.js";
import { contactCard, dealView, people } from "/demo/views.js";

// Waits five seconds for what our own server answers to a click.
const chat = make("wazzup-chat", { wait: "5" });
const story = new Story();
const strip = new Strip(story);

let state = { contacts: [], deals: [], stages: [], server: { on: true } };
let contactId = "";
let drawn = "";

/** Clicks on + whose deal is not there yet, by the page's id of the event: when, where, and on whose card. */
const awaited = new Map();
/** What the gateway calls those events. */
const named = new Map();
/** Deals that came while the user was at something else, and were not looked at since. */
const offered = new Set();

// Milliseconds after a click within which nobody has begun to write elsewhere: the cursor may follow the deal.
const AT_ONCE = 1000;
const SAFE = "The event is safe with the gateway. The deal will open when your server is back.";

// ---- what is shown ----

const dealOf = (id) => state.deals.find((deal) => deal.id === id);
const contactOf = (id) => state.contacts.find((contact) => contact.id === id);
const place = () => /^#\/(contacts|deals)\/([\w-]+)$/.exec(location.hash)?.slice(1) ?? [];

async function refresh() {
  state = await getState();
  story.waits = state.retry_seconds;
  draw();
}

function draw() {
  const [kind, id] = place();
  const deal = kind === "deals" ? dealOf(id) : undefined;
  if (offered.delete(deal?.id)) offer();
  choose(contactOf(kind === "contacts" ? id : deal?.contact_id) ?? contactOf(contactId) ?? state.contacts[0]);
  drawPeople();
  drawCard(deal);
  drawPower();
}

function drawPeople() {
  const list = byId("people");
  const focused = [...list.querySelectorAll("a")].indexOf(document.activeElement);
  list.replaceChildren(...people(state.contacts, state.deals, contactId));
  list.querySelectorAll("a")[focused]?.focus();
  list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** The card, where it is another one. */
function drawCard(deal) {
  const contact = contactOf(contactId);
  const shown = JSON.stringify([deal ?? contact, deal ? null : state.deals]);
  if (!contact || shown === drawn) return;
  drawn = shown;
  const { contacts, stages } = state;
  const save = (fields) => saveDeal(deal.id, fields);
  replaceCard(deal?.id ?? "", deal ? dealView(deal, { contacts, stages, save }) : contactCard(contact, state.deals));
  document.title = `${deal ? deal.title : contact.name} · Demo CRM`;
}

function replaceCard(dealId, parts) {
  const card = byId("card");
  const hadFocus = card.contains(document.activeElement);
  const isSameDeal = dealId && card.dataset.deal === dealId;
  card.dataset.deal = dealId;
  card.dataset.view = dealId ? "deal" : "contact";
  if (isSameDeal) parts.forEach((part, number) => update(card.children[number], part));
  else card.replaceChildren(...parts);
  if (hadFocus && !card.contains(document.activeElement)) card.focus();
}

/** Another part in the old one's place; but who is writing in a form goes on writing. */
function update(old, part) {
  if (old.tagName !== "FORM") return old.replaceWith(part);
  for (const control of old.elements) {
    const fresh = part.querySelector(`#${control.id}`);
    if (!fresh) control.closest("label").remove();
    else if (control !== document.activeElement) control.value = fresh.value;
  }
}

function drawPower() {
  const { on, url } = state.server;
  byId("power").disabled = false;
  byId("power").setAttribute("aria-checked", String(on));
  byId("power-state").textContent = on ? `on, at ${new URL(url).host}` : "off: its port is closed";
}

function choose(contact) {
  if (!contact || contact.id === contactId) return;
  contactId = contact.id;
  const { name, phone, telegram } = contact;
  // The whole integration: who it is about. Where, and with what token, stands below.
  chat.request = { contact: { name, ...(phone && { phone }), ...(telegram && { telegram }) } };
  chat.setAttribute("frame-title", `Chat with ${name}`);
}

let fading = 0;
function note(text, tone = "good", seconds = 6) {
  const notice = byId("notice");
  clearTimeout(fading);
  notice.textContent = text;
  notice.dataset.tone = tone;
  fading = seconds && setTimeout(() => (notice.textContent = ""), seconds * 1000);
}

/** The deals that came, for the user to open when it suits: nobody is taken away from what they are at. */
function offer() {
  const notice = byId("notice");
  const hadFocus = notice.contains(document.activeElement);
  note("", "good", 0);
  const links = [...offered].map((id) => make("a", { href: `#/deals/${id}` }, id));
  if (links.length) notice.append("Made from your click on +, to open when you like: ", ...links);
  if (hadFocus) byId("card").focus();
}

async function saveDeal(id, fields) {
  try {
    const changed = await changeDeal(id, fields);
    state.deals = state.deals.map((deal) => (deal.id === id ? changed : deal));
    draw();
  } catch (error) {
    note(`Not saved: ${error.message}`, "bad");
  }
}

// ---- the chat ----

chat.getToken = getToken;

chat.addEventListener("wazzup:entity-create", async ({ detail: { type, id, answer } }) => {
  awaited.set(id, { at: performance.now(), place: location.hash, contactId });
  see("page.heard", id, { type });
  const deal = await answer;
  if (deal?.id) return open(id, deal.id);
  awaited.get(id).isLate = true;
  if (named.has(id)) note(SAFE, "wait", 0);
  else note("The gateway cannot be reached. This page keeps the event, and sends it as soon as it can.", "wait", 0);
  await catchUp();
});

chat.addEventListener("wazzup:entity-open", async ({ detail: { type, id, data } }) => {
  see("page.heard", id, { type });
  const dealId = String(data.entity?.id ?? "");
  if (!dealOf(dealId)) await refresh();
  if (!dealOf(dealId)) return note("This deal is not one of this CRM’s.", "bad");
  location.hash = `#/deals/${dealId}`;
  see("page.shown", id);
});

chat.addEventListener("wazzup:relayed", ({ detail: { id, eventId } }) => {
  story.same(id, eventId);
  strip.draw();
  if (!awaited.has(id)) return;
  named.set(id, eventId);
  if (!awaited.get(id).isLate) return;
  note(SAFE, "wait", 0);
  // Its deal may have been made before we were told its name.
  catchUp();
});

chat.addEventListener("wazzup:relay-error", ({ detail: { id, problem } }) => {
  see("page.refused", id, { code: problem.code });
});

function see(what, id, facts) {
  story.see(what, id, facts);
  strip.draw();
}

/** Opens the deal that an event became, by the answer or once the feed tells of it; or offers it. */
async function open(id, dealId) {
  const { at, place: clickedAt, contactId: onCard, isLate } = awaited.get(id);
  awaited.delete(id);
  named.delete(id);
  await refresh();
  const ms = performance.now() - at;
  const isElsewhere = location.hash !== clickedAt || byId("card").contains(document.activeElement);
  if (isElsewhere) {
    offered.add(dealId);
    offer();
    see("page.offered", id);
  } else {
    location.hash = `#/deals/${dealId}`;
    draw();
    see("page.opened", id, { ms });
    if (isLate) note("Your server is back, and here is the deal.");
    else offer();
    // Later the user may be writing in the chat, which no page can see.
    if (ms < AT_ONCE) byId("deal-title")?.select();
  }
  // Telegram's ids say nothing to a CRM; but the page knows on whose card it was clicked.
  if (dealOf(dealId) && !dealOf(dealId).contact_id) await saveDeal(dealId, { contact_id: onCard });
}

/** Looks whether the deals that could not be waited for are there by now. */
async function catchUp() {
  for (const [id, eventId] of named) {
    const deal = state.deals.find((one) => one.event_id === eventId);
    if (deal && awaited.get(id)?.isLate) await open(id, deal.id);
  }
}

// ---- what happens ----

const REFRESHING = new Set(["deal.made", "deal.changed", "server.switched"]);
let refreshing = 0;

function refreshSoon() {
  refreshing ||= setTimeout(async () => {
    refreshing = 0;
    try {
      await refresh();
      await catchUp();
    } catch {
      // The demo has ended. If it begins again, the feed will tell.
    }
  }, 30);
}

follow({
  told: (entry) => {
    story.hear(entry);
    strip.draw();
    if (REFRESHING.has(entry.what)) refreshSoon();
  },
  begun: (isAgain) => {
    story.clear();
    // The simulated Wazzup began anew too, and knows no link that it gave before.
    if (isAgain) chat.reload();
  },
  connected: (isLive) => {
    if (isLive) refreshSoon();
    byId("story-state").textContent = isLive ? "live" : "connecting";
    byId("story-state").dataset.live = isLive ? "yes" : "no";
  },
});

byId("power").addEventListener("click", async ({ currentTarget: power }) => {
  power.disabled = true;
  try {
    state.server = await turnServer(!state.server.on);
  } catch (error) {
    note(error.message, "bad");
  }
  drawPower();
});

addEventListener("hashchange", () => {
  draw();
  byId("card").scrollTop = 0;
});

await refresh();
byId("chat").append(chat);
byId("user").textContent = state.user.name;
byId("user-avatar").textContent = initials(state.user.name);
