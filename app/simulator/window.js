/** The simulated chat window: what is open, what is being written, and who is told of what. */

import { createEntity, openEntity } from "./window-parent.js";
import { Deals } from "./window-deals.js";
import { News } from "./window-news.js";
import { button, element, initials, say, show, tint } from "./window-list.js";
import { clock, day, showMessages } from "./window-messages.js";

const MESSENGERS = {
  whatsapp: "WhatsApp", whatsgroup: "WhatsApp group", viber: "Viber", instagram: "Instagram", telegram: "Telegram",
  telegroup: "Telegram group", vk: "VK", avito: "Avito", max: "MAX", maxgroup: "MAX group",
};

const handed = JSON.parse(document.getElementById("view").textContent);
const token = new URLSearchParams(location.search).get("token");
const at = (id) => document.getElementById(id);
const room = at("window");

let view = handed;
let chosen = handed.chat;
let over = false;
/** By chat: what was sent and is not yet told back, and what is half written. */
const unsent = new Map();
const drafts = new Map();
/** By chat: the last message that was announced. */
const heard = new Map();

const news = new News({ account: handed.account, token, question: () => chosen, told, lost, ended });
const deals = new Deals({ create: () => createEntity(view), open: openDeal, announce });

function told(latest) {
  say(at("trouble"), "");
  const gone = chosen && !latest.chats.some((chat) => chat.key === chosen);
  // An answer about a chat that is no longer open says nothing of the one that is.
  if (latest.chat !== chosen && !gone) return;
  view = latest;
  chosen = latest.chat;
  render();
}

function lost() {
  say(at("trouble"), "No connection. Trying again…");
}

function ended() {
  over = true;
  document.title = "This link has expired · Simulated Wazzup";
  room.replaceWith(at("expired").content.cloneNode(true));
}

function render() {
  room.dataset.scope = view.scope;
  room.dataset.chats = ["none", "one"][view.chats.length] ?? "many";
  room.dataset.open = String(Boolean(chosen));
  renderHead();
  show(at("chats"), view.chats, choice, updateChoice);
  renderTalk();
  deals.show(view);
}

function renderHead() {
  const chat = current();
  const name = chat?.name ?? "All chats";
  say(at("name"), name);
  say(at("address"), chat ? `${MESSENGERS[chat.chatType]} · ${chat.address}` : `${view.chats.length} chats`);
  say(at("user"), view.userName);
  say(at("avatar"), chat ? initials(name) : "✉");
  at("avatar").dataset.tint = tint(name);
  at("back").hidden = view.scope !== "global" || !chat;
  document.title = `${name} · Simulated Wazzup`;
}

function renderTalk() {
  const chat = current();
  for (const id of ["log", "composer"]) at(id).hidden = !chat;
  at("choose").hidden = Boolean(chat);
  say(at("choose"), view.chats.length ? "Choose a chat to begin." : "No chats yet: this Wazzup knows of no contact.");
  if (!chat) return;
  const arrived = new Set(view.messages.map((message) => message.key));
  const waiting = (unsent.get(chosen) ?? []).filter((message) => !arrived.has(message.key));
  unsent.set(chosen, waiting);
  const { answering, now } = view;
  showMessages(at("messages"), { messages: [...view.messages, ...waiting], answering, name: chat.name, now }, send);
  announceNew();
}

function announceNew() {
  const incoming = view.messages.findLast((message) => !message.outgoing);
  if (!incoming) return;
  if (heard.has(chosen) && heard.get(chosen) !== incoming.key) announce(`${incoming.author}: ${incoming.text}`);
  heard.set(chosen, incoming.key);
}

function announce(text) {
  say(at("told"), text);
}

function current() {
  return view.chats.find((chat) => chat.key === chosen);
}

function choice(chat) {
  const face = element("span", "avatar");
  face.setAttribute("aria-hidden", "true");
  const made = button("choice", face, element("span", "title"), element("span", "facts"), element("span", "last"));
  made.addEventListener("click", () => open(chat.key));
  return element("li", "", made);
}

function updateChoice(item, chat) {
  const [face, title, facts, last] = item.firstElementChild.children;
  say(face, initials(chat.name));
  face.dataset.tint = tint(chat.name);
  const messenger = MESSENGERS[chat.chatType];
  say(title, view.scope === "global" ? chat.name : messenger);
  say(facts, view.scope === "global" ? when(chat.last) : chat.address);
  say(last, chat.last ? `${messenger} · ${chat.last.text}` : "");
  item.firstElementChild.dataset.messenger = chat.chatType;
  item.firstElementChild.setAttribute("aria-current", String(chat.key === chosen));
}

function when(message) {
  const date = day(message.at, view.now);
  return date === "Today" ? clock(message.at) : date;
}

function open(key) {
  if (key === chosen) return;
  const left = chosen;
  drafts.set(left, at("text").value);
  at("text").value = drafts.get(key) ?? "";
  at("log").scrollTop = 0;
  chosen = key;
  // What is known of the chat already; the rest is asked for.
  const deals = view.scope === "card" ? view.deals : [];
  view = { ...view, chat: key, messages: [], deals, answering: false, provisional: true };
  render();
  if (view.scope === "global") focusOn(left);
  news.ask();
}

/** Between the list of all chats and one chat, what had the focus may be out of sight. */
function focusOn(left) {
  const entry = left && at("chats").querySelector(`[data-key="${CSS.escape(left)}"] button`);
  (chosen ? at("text") : entry)?.focus();
}

function openDeal(deal) {
  if (view.dealsEvents) openEntity(view, deal);
  else if (/^https?:\/\//i.test(deal.link ?? "")) window.open(deal.link, "_blank", "noopener,noreferrer");
}

async function send(message) {
  const { chat } = message;
  const others = (unsent.get(chat) ?? []).filter((other) => other.key !== message.key);
  unsent.set(chat, [...others, { ...message, status: "sending" }]);
  if (chat === chosen) renderTalk();
  at("log").scrollTop = 0;
  if ((await news.say({ chat, id: message.key, text: message.text })) || over) return;
  const marked = (other) => (other.key === message.key ? { ...other, status: "failed" } : other);
  unsent.set(chat, unsent.get(chat).map(marked));
  if (chat === chosen) renderTalk();
}

function compose() {
  const text = at("text").value.trim();
  if (!text || !chosen) return;
  at("text").value = "";
  const key = `said-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  send({ key, chat: chosen, text, author: view.userName, outgoing: true, at: view.now });
}

at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  compose();
});

at("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  compose();
});

at("back").addEventListener("click", () => open(null));

news.begin(handed);
