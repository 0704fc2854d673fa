/** Asks what there is to show, about once a second while somebody may be looking, until the link ends. */

const PAUSE = 700;
const LONGEST_PAUSE = 5000;
const PATIENCE = 5000;
const LONGEST_TIMER = 2 ** 31 - 1;

export class News {
  #account;
  #token;
  #page;
  #timer;
  #ending;
  #asking = false;
  #again = false;
  #failures = 0;
  #turn = 0;
  #ended = false;

  /** `question()` names the open chat; `told(view)`, `lost()` and `ended()` say what came of it. */
  constructor({ account, token, ...page }) {
    this.#account = account;
    this.#token = token;
    this.#page = page;
    document.addEventListener("visibilitychange", () => this.ask());
  }

  /** Begins with what the page was handed. */
  begin(view) {
    this.#take(view);
    this.#plan();
  }

  /** Asks now, unless nobody looks. */
  async ask() {
    clearTimeout(this.#timer);
    if (this.#ended || document.hidden) return;
    this.#again = this.#asking;
    if (this.#asking) return;
    this.#asking = true;
    const chat = this.#page.question();
    await this.#settled(() => this.#fetch(`view${chat ? `?chat=${encodeURIComponent(chat)}` : ""}`));
    this.#asking = false;
    if (this.#again) this.ask();
    else this.#plan();
  }

  /** Sends a message; false when it did not arrive. */
  async say(message) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify(message);
    // Whatever was asked before this, or while it is under way, may be answered without it: such a view is an old one.
    this.#turn += 1;
    const arrived = await this.#settled(() => this.#fetch("messages", { method: "POST", headers, body }));
    this.#turn += 1;
    return arrived;
  }

  async #settled(call) {
    const turn = this.#turn;
    const answer = await call().catch(() => null);
    if (answer?.status === 403 || answer?.status === 410) return this.#end();
    const view = answer?.ok && (await answer.json().catch(() => null));
    if (!view) return this.#miss();
    this.#failures = 0;
    if (turn === this.#turn) this.#take(view);
    return true;
  }

  #miss() {
    this.#failures += 1;
    if (!this.#ended) this.#page.lost();
    return false;
  }

  #fetch(path, options = {}) {
    const headers = { ...options.headers, Authorization: `Bearer ${this.#token}` };
    const signal = AbortSignal.timeout(PATIENCE);
    return fetch(`/_window/${this.#account}/${path}`, { ...options, headers, signal, cache: "no-store" });
  }

  #take(view) {
    if (this.#ended) return;
    clearTimeout(this.#ending);
    // Counted from the answer, by a clock that nobody sets: the clock of this machine may be wrong.
    const left = view.endsIn * 1000;
    if (left < LONGEST_TIMER) this.#ending = setTimeout(() => this.#end(), left);
    this.#page.told(view);
  }

  #plan() {
    clearTimeout(this.#timer);
    if (this.#ended || document.hidden) return;
    const pause = Math.min(PAUSE * 2 ** this.#failures, LONGEST_PAUSE);
    this.#timer = setTimeout(() => this.ask(), pause);
  }

  #end() {
    if (this.#ended) return false;
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#ending);
    this.#page.ended();
    return false;
  }
}
