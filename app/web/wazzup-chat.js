/**
 * The Wazzup chat window for CRM pages: `<wazzup-chat>`, and the same as plain functions. Types: wazzup-chat.d.ts.
 *
 * Nothing here trusts a message that is not the window's own, and no event is forgotten before the gateway has it.
 * It is served without comments, which have lines of their own for that, and without what else is for readers.
 */

// Where this module came from; written so that bundlers take it for no file of theirs.
const HOME = import.meta.url.replace(/[^/]*$/, "");
const EVENTS = { WZ_CREATE_ENTITY: "entity-create", WZ_OPEN_ENTITY: "entity-open" };

/** Equal questions of one user are one: what was asked on this page, and until when the answers are good. */
const asked = new Map();

/** Ids of events that this page is sending, and how many bytes of it outlive the page (`keepalive`). */
const sending = new Set();
let underWay = 0;

// Browsers let 64 KiB of keepalive bodies be under way at a time, and refuse the rest.
const KEEPALIVE = 60_000;

const KEPT = "wazzup-chat:event:";
const MOST_KEPT = 50;
// The gateway knows an id for a day: what is older could come to the CRM twice.
const LONGEST_KEPT = 864e5;

// Milliseconds. Who looks something up in another tab comes back to a half-written message.
const HIDDEN = 60_000;

/** Whether what is refused now may be given later. */
const mayPass = ({ status }) => !status || status > 499 || [408, 425, 429].includes(status);

export class ChatError extends Error {
  /** @param {any} problem */
  constructor(problem, retry = mayPass(problem), retryAfter = 0) {
    super(problem.detail ?? problem.title);
    this.name = "ChatError";
    this.problem = problem;
    this.retry = retry;
    this.retryAfter = retryAfter;
  }
}

const failed = (code, title) => new ChatError({ title, status: 0, code });

const at = (gateway, path) => (gateway || HOME).replace(/\/+$/, "") + path;

/**
 * Waits so many seconds, or until `wake` happens on the page, or nobody waits any more.
 * @type {(seconds: number, signal?: AbortSignal, wake?: string) => Promise<void>}
 */
const pause = (seconds, signal, wake = "online") =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(end, Math.min(seconds * 1000, 2 ** 31 - 1));
    addEventListener(wake, end, over);
    signal?.addEventListener("abort", end, over);
  });

/** Seconds until the next attempt: longer each time, and at random, so that pages do not come all at once. */
const patience = (attempt, { retryAfter }) => retryAfter + Math.min(2 ** attempt, 60) * (0.5 + Math.random() / 2);

async function post(url, body, token, headers, keepalive) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      body,
      keepalive,
      headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }), ...headers },
      signal: AbortSignal.timeout(60_000),
    });
  } catch (error) {
    // The browser's own words tell of a token that cannot stand in a header, and of nothing else.
    throw navigator.onLine
      ? failed("GATEWAY_UNREACHABLE", `${error}. Is it up, this page in ALLOWED_ORIGINS, it in connect-src?`)
      : failed("OFFLINE", "Offline");
  }
  const { ok, status } = response;
  // Not JSON, or cut off: whoever answered, it was not the gateway.
  const answer = (await response.json().catch(() => null)) || {};
  if (ok) return answer;
  throw new ChatError(
    { title: response.statusText, code: `HTTP_${status}`, ...answer, status },
    undefined,
    +response.headers.get("Retry-After") || 0,
  );
}

/** A question that is under way, or (unless a new answer is wanted) one whose answer is still good. */
function once(key, isNew, ask) {
  const now = performance.now();
  // Links are credentials: what has ended is not kept.
  for (const [old, { until }] of asked) if (until < now) asked.delete(old);
  const known = asked.get(key);
  if (known && !(isNew && known.until)) return known;
  const question = { answer: ask() };
  asked.set(key, question);
  question.answer.then(
    ({ expires_in = 0 }) => (question.until = now + expires_in * 1000),
    () => asked.delete(key),
  );
  return question;
}

/** Whose token it is: all that it says, but when. Nobody trusts this: it only tells the questions of two users apart. */
const userOf = (token) => {
  try {
    const { iat, exp, nbf, jti, ...who } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return JSON.stringify(who);
  } catch {
    return token;
  }
};

/** @type {typeof import("./wazzup-chat.d.ts").createLink} */
export async function createLink({ gateway, request = {}, getToken, getLink, reason = "open", signal }) {
  try {
    let answer, until;
    if (getLink) {
      answer = await getLink({ reason, request, signal });
    } else {
      const body = JSON.stringify(reason === "reload" ? { ...request, max_age: 0 } : request);
      const token = await getToken?.({ reason });
      const ask = (one) => post(at(gateway, "/links"), body, one);
      const question = once([gateway, userOf(token), body].join("\n"), reason !== "open", () =>
        ask(token).catch(async (error) => {
          if (error.problem.status !== 401 || !getToken) throw error;
          return ask(await getToken({ reason: "unauthorized" }));
        }),
      );
      answer = await question.answer;
      ({ until } = question);
    }
    signal?.throwIfAborted();
    // A CRM's server may have handed on why there is none.
    if (answer?.code) throw new ChatError(answer);
    if (!(answer?.relay?.url && answer.iframe?.origin && answer.user_id && /^https?:/.test(answer.link)))
      throw failed("NO_LINK", "Not what POST /links answers");
    return until ? { ...answer, expires_in: (until - performance.now()) / 1000 } : answer;
  } catch (error) {
    throw signal?.aborted || error instanceof ChatError ? error : failed("PAGE_FAILED", String(error));
  }
}

// ---- events: kept in localStorage until the gateway has them, one key for each, since tabs write side by side ----

const drop = (id) => {
  try {
    localStorage.removeItem(KEPT + id);
  } catch {
    // A page without storage: there its events live as long as it does.
  }
};

/** What is kept, oldest first. What is too old (or comes from the future, by this clock), or is not ours, goes. */
function leftovers() {
  const found = [];
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(KEPT)) continue;
      try {
        const entry = JSON.parse(localStorage[key]);
        if (!(Math.abs(Date.now() - entry.at) < LONGEST_KEPT)) throw entry;
        found.push(entry);
      } catch {
        localStorage.removeItem(key);
      }
    }
  } catch {
    // As in drop().
  }
  return found.sort((a, b) => a.at - b.at);
}

function keep(entry) {
  for (const { id } of leftovers().slice(0, 1 - MOST_KEPT)) drop(id);
  try {
    localStorage.setItem(KEPT + entry.id, JSON.stringify(entry));
  } catch {
    // As in drop(); or the storage is full, of what is not ours.
  }
}

/** Sends one event until the gateway has it, or refuses it for good. */
async function deliver({ id, url, type, body }, wait, token, renew, tell) {
  if (sending.has(id)) return;
  sending.add(id);
  const size = new TextEncoder().encode(body).length;
  for (let attempt = 0, isOver; !isOver; attempt++) {
    // At the first attempt only, lest what else the page has under way spends the 64 KiB.
    const outlives = !attempt && underWay + size <= KEEPALIVE ? size : 0;
    underWay += outlives;
    try {
      const answer = await post(url, body, token(), wait && !attempt && { Prefer: `wait=${wait}` }, outlives > 0);
      if (!answer?.id) throw failed("NO_GATEWAY", "Not what POST /events answers");
      isOver = true;
      drop(id);
      tell("relayed", { ...answer, id, type, eventId: answer.id });
      return answer.results;
    } catch (error) {
      const { problem, retry } = error;
      const isUnknown = problem.status === 401;
      // For good: in the gateway's own words, and not by something in between.
      isOver = !retry && !isUnknown && problem.instance;
      tell("relay-error", { id, type, problem, retry: !isOver });
      if (isOver) drop(id);
      else await pause(patience(attempt, error));
      if (isUnknown) await renew();
    } finally {
      underWay -= outlives;
      if (isOver) sending.delete(id);
    }
  }
}

/** What the first webhook said that said something. */
function answerOf(results) {
  for (const { status, response } of results ?? []) {
    try {
      const said = status === "delivered" && JSON.parse(response.body);
      if (Object.keys(said).length) return said;
    } catch {
      // Not JSON, or longer than the first KiB: not for a page.
    }
  }
  return null;
}

/** Tells by events of the frame. `debug` prints names and codes, and never what was said. */
const teller = (frame, options) => (name, detail, cancelable) => {
  if (options.debug) console.debug("wazzup-chat", name, detail?.state || detail?.problem?.code || detail?.type);
  return frame.dispatchEvent(new CustomEvent("wazzup:" + name, { detail, cancelable, bubbles: true, composed: true }));
};

/** @type {typeof import("./wazzup-chat.d.ts").relayEvents} */
export function relayEvents(options) {
  let { frame, origin, relay, user, gateway, renew } = options;
  const over = new AbortController();
  const tell = teller(frame, options);
  const url = at(gateway, relay.url);
  const renewed = async () => {
    try {
      relay = await renew();
    } catch {
      // The next attempt is refused as this one was, and asks again.
    }
  };
  const send = (entry, seconds) => deliver(entry, seconds, () => relay.token, renewed, tell);
  const hear = ({ source, origin: from, data: message }) => {
    // The window's own word, and in its shape: a page hears from many others.
    if (!source || source !== frame.contentWindow || from !== origin) return;
    const { type, data } = message ?? {};
    if (!type?.match?.(/^WZ_[A-Z_]{1,61}$/) || Object(data) !== data || Array.isArray(data)) return;
    // Not randomUUID(), which pages without https lack.
    const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
    let body;
    try {
      body = JSON.stringify({ ...message, id, occurred_at: new Date() });
    } catch {
      // Cyclic, or a number beyond JSON: nothing that Wazzup documents.
      return;
    }
    let answered;
    const answer = new Promise((resolve) => (answered = resolve));
    const entry = { id, type, url, user, body, at: Date.now() };
    // Kept first: a listener may leave the page, or ask the user something.
    keep(entry);
    if (!tell(EVENTS[type] ?? "message", { type, data, id, answer }, true)) {
      drop(id);
      return answered(null);
    }
    const { wait } = options;
    setTimeout(answered, wait ? wait * 1000 + 1000 : 0, null);
    send(entry, wait).then((results) => answered(answerOf(results)));
  };
  addEventListener("message", hear, over);
  for (const entry of leftovers()) if (entry.user === user && entry.url === url) send(entry);
  return () => over.abort();
}

/** Loads another document. Taken out of the page for a moment, so that it is no entry in the page's history. */
function load(frame, url) {
  const { parentNode, nextSibling } = frame;
  if (frame.src) frame.remove();
  if (url) frame.src = url;
  else frame.removeAttribute("src");
  if (!frame.parentNode) parentNode?.insertBefore(frame, nextSibling);
}

/** @type {typeof import("./wazzup-chat.d.ts").mountChat} */
export function mountChat(frame, options) {
  const whole = new AbortController();
  const tell = teller(frame, options);
  /** @type {import("./wazzup-chat.d.ts").State} */
  let state = "idle";
  let run = new AbortController();
  let link, origin, silence, arrived, isTouched, isSeen, hiddenSince;

  const to = (next) => {
    const previous = state;
    state = next;
    if (next !== previous) tell("state", { state, previous });
    return next !== previous;
  };
  const expire = () => to("expired") && tell("expired", null);
  const look = () => {
    // Not `:focus`, which a frame does not match while somebody writes in it.
    /** @type {any} */
    const { activeElement } = frame.getRootNode();
    isTouched ||= activeElement === frame;
  };

  async function obtain(reason, signal) {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await createLink({ ...options, reason, signal });
      } catch (error) {
        if (signal.aborted) return;
        const { problem, retry } = error;
        const isOffline = problem.code === "OFFLINE";
        const retryIn = retry ? (isOffline ? 60 : patience(attempt, error)) : null;
        // What is open stays open, also when it cannot be renewed.
        if (reason !== "renew") to(isOffline ? "offline" : "error");
        else if (!retry) expire();
        tell("error", { problem, retry, retryIn });
        if (!retry) return;
        await pause(retryIn, signal);
      }
    }
  }

  function show(answer) {
    silence?.();
    ({ origin } = answer.iframe);
    silence = relayEvents({
      // As they will be then: `wait` and `debug` may change.
      // @ts-expect-error It is no member, but what the others are read through.
      __proto__: options,
      frame,
      origin,
      relay: answer.relay,
      user: answer.user_id,
      renew: async () => {
        const { relay, user_id } = await createLink({ ...options, reason: "relay" });
        if (user_id === answer.user_id) return relay;
        // Somebody else has logged in meanwhile, whose token says nothing of this user's events.
        throw user_id;
      },
    });
    // Still good: why reload it?
    if (answer.link === link && state === "ready") return;
    ({ link } = answer);
    isSeen = !document.hidden;
    hiddenSince = undefined;
    arrived = () => to("ready") && tell("ready", { warnings: answer.warnings });
    frame.allow = answer.iframe.allow;
    load(frame, link);
  }

  /** Whether a reload loses nothing: nobody has touched the frame, or it has been hidden for a minute. */
  const isFree = () => {
    look();
    const now = performance.now();
    if (document.hidden || frame.checkVisibility?.() === false) hiddenSince ??= now;
    else [hiddenSince, isSeen] = [undefined, true];
    // What nobody has looked at since it was loaded can wait: a forgotten tab asks for one link, not for hundreds.
    return isSeen && (!isTouched || now - hiddenSince >= HIDDEN);
  };

  async function begin(reason) {
    run.abort();
    if (whole.signal.aborted) return;
    const { signal } = (run = new AbortController());
    to("loading");
    let answer = await obtain(reason, signal);
    while (answer && !signal.aborted) {
      show(answer);
      // Until then the gateway gives the same link. Counted by a clock that nobody sets, and ended early by nothing.
      await pause(Math.max(+answer.expires_in || 0, 10) + Math.random(), signal, "");
      if (options.refresh === "never" && !signal.aborted) return expire();
      do {
        while (!signal.aborted && !isFree()) {
          if (isTouched) expire();
          await pause(5, signal, "visibilitychange");
        }
        answer = await obtain("renew", signal);
        // Not if somebody has begun to write meanwhile.
      } while (answer && !isFree());
    }
  }

  const block = ({ disposition, effectiveDirective, blockedURI }) => {
    // Browsers tell of it before the frame's `load`, or after.
    if (disposition !== "enforce" || effectiveDirective !== "frame-src" || !blockedURI.startsWith(origin)) return;
    arrived = null;
    to("error");
    const { problem } = failed("FRAME_BLOCKED", `Add ${origin} to frame-src`);
    tell("error", { problem, retry: false, retryIn: null });
  };
  const loaded = () => {
    isTouched = false;
    // Loaded by itself, it still has the focus; what we load was out of the page for a moment, and has not.
    look();
    if (frame.src) arrived = arrived?.() && null;
  };
  frame.addEventListener("load", loaded, whole);
  frame.addEventListener("pointerleave", look, whole);
  addEventListener("blur", look, whole);
  addEventListener("securitypolicyviolation", block, whole);
  // Not before the page has what it may stop it by.
  queueMicrotask(() => begin("open"));

  return {
    get state() {
      return state;
    },
    reload: () => void begin(link ? "reload" : "retry"),
    stop() {
      whole.abort();
      run.abort();
      silence?.();
      to("idle");
    },
  };
}

// ---- the element ----

const TEXTS = {
  en: {
    title: "Wazzup chat",
    loading: "Opening the chat…",
    error: "The chat cannot be opened.",
    offline: "You are offline.",
    expired: "The chat is out of date.",
    retry: "Reload",
  },
  ru: {
    title: "Чат Wazzup",
    loading: "Открываем чат…",
    error: "Чат не открывается.",
    offline: "Нет сети.",
    expired: "Чат устарел.",
    retry: "Обновить",
  },
};

// It takes the page's colours, dark or light; only what lies over the window brings its own. What still loads after 15
// seconds may have got stuck at the CRM's own server, which we do not time: then there is a button too.
const STYLE = `
:host{display:block;position:relative;height:600px}
:host([hidden]){display:none}
iframe,div{position:absolute;width:100%;height:100%}
iframe{border:0;visibility:hidden}
div{z-index:1;display:grid;gap:12px;place-content:center;justify-items:center}
button{font:inherit;color:inherit;background:none;border:1px solid;border-radius:6px;padding:8px 16px}
.ready+iframe,.expired+iframe{visibility:visible}
.ready,.idle{display:none}
.loading button{animation:late 0s 15s backwards}
@keyframes late{from{visibility:hidden}}
.expired{height:auto;color:CanvasText;background:Canvas}
`;

const make = (tag, given) => Object.assign(document.createElement(tag), given);

/** @type {any} Also where there are no elements, on a server that renders pages, the module can be loaded. */
const Home = globalThis.HTMLElement ?? Object;

const CHAT = "scope chat-type chat-id username contact-name phone telegram".split(" ");

export class WazzupChat extends Home {
  static observedAttributes = [...CHAT, ..."gateway wait refresh lazy frame-title debug lang".split(" ")];

  #root = this.attachShadow({ mode: "open", delegatesFocus: true });
  #frame = make("iframe", { part: "frame" });
  #text = make("slot");
  #code = make("small");
  #label = make("slot", { name: "retry" });
  #button = make("button", { part: "retry", type: "button", onclick: () => this.reload() });
  #panel = make("div", { part: "status", tabIndex: -1 });
  /** @type {Partial<Pick<import("./wazzup-chat.d.ts").WazzupChat, "request" | "getToken" | "getLink">>} */
  #given = {};
  /** @type {any} */
  #options = {};
  #chat;
  #asks;
  #timer;
  #watch;
  #isNear;
  #isOver;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [sheet];
    this.#button.append(this.#label);
    this.#panel.append(this.#text, this.#code, this.#button);
    this.#root.append(this.#panel, this.#frame);
    this.#frame.addEventListener("wazzup:state", () => this.#draw());
    this.#frame.addEventListener("wazzup:error", ({ detail: { problem } }) => {
      // What stays the same is not written again, lest a screen reader repeats it.
      if (this.#code.textContent !== problem.code) this.#code.textContent = problem.code;
    });
    for (const name of ["request", "getToken", "getLink"]) {
      // Set before the element was defined, it would hide the accessor.
      const early = this[name];
      Object.defineProperty(this, name, {
        get: () => this.#given[name] ?? null,
        set: (value) => {
          this.#given[name] = value ?? undefined;
          this.#change();
        },
      });
      this.#given[name] = early;
    }
  }

  get state() {
    return this.#chat?.state ?? "idle";
  }

  reload() {
    this.#isOver = false;
    this.#isNear = true;
    if (this.#chat) return this.#chat.reload();
    this.#asks = undefined;
    this.#change();
  }

  destroy() {
    this.#isOver = true;
    this.#settle();
  }

  connectedCallback() {
    this.#change();
  }

  disconnectedCallback() {
    this.#change();
  }

  attributeChangedCallback() {
    this.#change();
  }

  /** All changes of one turn are one: an element that is moved was never away. */
  #change() {
    queueMicrotask(() => this.#settle());
  }

  #settle() {
    const says = (name) => this.getAttribute(name) || undefined;
    const isOpen = this.isConnected && !this.#isOver;
    const { getToken, getLink, request = this.#request(says) } = this.#given;
    const gateway = says("gateway");
    // What else is said does not say which chat it is: the window stays when it changes.
    const asks = isOpen && JSON.stringify([gateway, request, !getToken, !getLink]);
    const options = asks === this.#asks ? this.#options : {};
    const debug = this.hasAttribute("debug");
    Object.assign(options, { gateway, request, debug, wait: +says("wait"), refresh: says("refresh") });
    if (options !== this.#options) {
      this.#asks = asks;
      this.#options = options;
      this.#watch?.disconnect();
      clearTimeout(this.#timer);
      this.#chat?.stop();
      if (this.#chat) load(this.#frame);
      this.#chat = undefined;
      const mount = () => {
        // Whoever gives them anew, as frameworks do at each turn, has the newest asked.
        options.getToken = (why) => this.getToken(why);
        options.getLink = getLink && ((why) => this.getLink(why));
        this.#chat = mountChat(this.#frame, options);
      };
      if (isOpen && this.hasAttribute("lazy") && !this.#isNear) this.#whenNear();
      else if (isOpen && (getToken || getLink)) mount();
      // A framework may give it in a moment. If nobody does, the page is told.
      else if (isOpen) this.#timer = setTimeout(mount, 1000);
    }
    this.#draw();
  }

  #request(says) {
    const [scope, chat_type, chat_id, username, name, phone, telegram] = CHAT.map(says);
    // Half a chat is a mistake, and told by the gateway; it is not all chats of the user.
    if (chat_type ?? chat_id ?? username) return { scope, chats: [{ chat_type, chat_id, username, contact_name: name }] };
    return { scope, contact: (name ?? phone ?? telegram) && { name, phone, telegram } };
  }

  #whenNear() {
    this.#watch = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && this.reload(), {
      rootMargin: "200px",
    });
    this.#watch.observe(this);
  }

  #draw() {
    const { state } = this;
    const spoken = this.closest("[lang]")?.lang || document.documentElement.lang || navigator.language;
    const lang = /^ru/i.test(spoken) ? "ru" : "en";
    const texts = TEXTS[lang];
    const { activeElement } = this.#root;
    this.#frame.title = this.getAttribute("frame-title") || texts.title;
    const isNew = this.#panel.className !== state;
    if (isNew) this.#code.textContent = "";
    this.#panel.className = state;
    this.#panel.lang = lang;
    this.#panel.role = state === "error" ? "alert" : "status";
    this.#text.name = state;
    this.#text.textContent = texts[state];
    this.#label.textContent = texts.retry;
    // The focus stays where the chat is when the button goes.
    if (isNew && activeElement && activeElement !== this.#frame) (state === "ready" ? this.#frame : this.#panel).focus();
  }
}

// Two versions on one page: the first one stays.
// @ts-expect-error Where there is a registry, it is an element.
globalThis.customElements?.get("wazzup-chat") ?? globalThis.customElements?.define("wazzup-chat", WazzupChat);
