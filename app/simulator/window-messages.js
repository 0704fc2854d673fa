/** The messages of the open chat: bubbles, the days between them, ticks. */

import { button, element, show } from "./window-list.js";

const TICKS = {
  sending: ["◷", "Sending"], sent: ["✓", "Sent"], delivered: ["✓✓", "Delivered"], read: ["✓✓", "Read"],
  failed: ["!", "Not sent"],
};
const DAY = 24 * 3600 * 1000;

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

/** The time of day. */
export function clock(at) {
  return CLOCK.format(new Date(at));
}

/** Today, yesterday, or the date; counted from the time at the other end. */
export function day(at, now) {
  const days = Math.round((midnight(now) - midnight(at)) / DAY);
  return ["Today", "Yesterday"][days] ?? DATE.format(new Date(at));
}

function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** Shows the messages in `list`. `again` is called with one that did not arrive and shall be sent once more. */
export function showMessages(list, conversation, again) {
  show(list, entries(conversation), (entry) => entry.make(), (item, entry) => entry.update?.(item, again));
}

function entries({ messages, answering, name, now }) {
  const found = [];
  let last;
  for (const message of messages) {
    const today = day(message.at, now);
    const anew = !last || day(last.at, now) !== today;
    if (anew) found.push({ key: `day ${today}`, make: () => element("li", "day", today) });
    found.push(entry(message, anew || last.author !== message.author || last.outgoing !== message.outgoing));
    last = message;
  }
  if (answering) found.push({ key: "answering", make: () => typing(name) });
  return found;
}

function entry(message, introduced) {
  return {
    key: message.key,
    make: () => bubble(message, introduced),
    update: (item, again) => message.outgoing && tick(item, message, again),
  };
}

function bubble(message, introduced) {
  const time = element("time", "", clock(message.at));
  time.dateTime = message.at;
  const foot = element("p", "foot", time);
  const author = element("p", introduced ? "author" : "author unseen", message.author);
  const side = message.outgoing ? "out" : "in";
  const item = element("li", `message ${side}`, author, element("p", "text", message.text), foot);
  if (introduced) item.classList.add("first");
  if (message.outgoing) foot.append(element("span", "ticks"));
  return item;
}

function tick(item, message, again) {
  const ticks = item.querySelector(".ticks");
  if (ticks.dataset.status === message.status) return;
  ticks.dataset.status = message.status;
  item.querySelector(".again")?.remove();
  const [sign, meaning] = TICKS[message.status];
  const shown = element("span", "", sign);
  shown.setAttribute("aria-hidden", "true");
  ticks.replaceChildren(shown, element("span", "unseen", meaning));
  if (message.status === "failed") item.append(retry(message, again));
}

function retry(message, again) {
  const made = button("again", "Not sent. Try again");
  made.addEventListener("click", () => again(message));
  return made;
}

function typing(name) {
  const dots = element("span", "dots", element("i", ""), element("i", ""), element("i", ""));
  return element("li", "message in typing", element("span", "unseen", `${name} is writing`), dots);
}
