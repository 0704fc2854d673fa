/** The Wazzup chat window for CRM pages. Types of `wazzup-chat.js`. */

/** One chat in the vendor's own form: `chat_id`, or `username` for Telegram. */
export interface Chat {
  chat_type: "whatsapp" | "whatsgroup" | "viber" | "instagram" | "telegram" | "telegroup" | "vk" | "avito" | "max" | "maxgroup";
  chat_id?: string;
  username?: string;
  contact_name?: string;
}

/** What a CRM knows of a contact; each usable field becomes a chat. */
export interface Contact {
  name?: string;
  phone?: string | number;
  phones?: (string | number)[];
  whatsapp?: string | number;
  viber?: string | number;
  telegram?: string;
  telegram_id?: string | number;
  instagram?: string;
  vk?: string | number;
  avito?: string | number;
  max?: string | number;
  whatsgroup?: string | number;
  telegroup?: string | number;
  maxgroup?: string | number;
}

/** The body of `POST /links`. With a user token no user is named. */
export interface LinkRequest {
  user_id?: string | number;
  user?: { id: string | number; name?: string };
  author_name?: string;
  scope?: "card" | "global";
  chats?: Chat[];
  contact?: Contact;
  active_chat?: Omit<Chat, "contact_name"> & { channel_id?: string };
  use_events?: { deals?: boolean; messages?: boolean };
  client_type?: string;
  max_age?: number;
}

/** The answer of `POST /links`. `link` and `relay.token` are credentials: keep them out of logs and storage. */
export interface LinkAnswer {
  link: string;
  user_id: string;
  scope: "card" | "global";
  cached: boolean;
  issued_at: string;
  expires_at: string;
  /** Seconds. */
  expires_in: number;
  iframe: { allow: string; origin: string };
  chats: Chat[];
  warnings: string[];
  relay: Relay;
}

/** Where, and with what, events are posted. */
export interface Relay {
  /** Read from the gateway's URL. */
  url: string;
  token: string;
  expires_at?: string;
}

/**
 * RFC 9457. `status` is 0 where the gateway is not to blame; `code` then is `OFFLINE`, `GATEWAY_UNREACHABLE`, `NO_LINK` and
 * `NO_GATEWAY` (what answered was not the gateway), `FRAME_BLOCKED` (the page's own policy forbids the window) or `PAGE_FAILED` (`getToken` or
 * `getLink` failed).
 */
export interface Problem {
  title: string;
  status: number;
  code: string;
  detail?: string;
  request_id?: string;
  [member: string]: unknown;
}

/** Why a link is asked for; `retry`: somebody has asked to try again. */
export type Reason = "open" | "retry" | "renew" | "reload" | "relay";

/** `idle` until a link is asked for, and after the end; `expired`: the link has ended while the window is in use, and the user may reload. */
export type State = "idle" | "loading" | "ready" | "expired" | "offline" | "error";

export interface LinkSource {
  /** The gateway's URL; by default where this module was loaded from. */
  gateway?: string;
  /** What to ask for. */
  request?: LinkRequest;
  /** The CRM's user token. Asked before each request, and once more, with `reason: "unauthorized"`, after a 401. */
  getToken?: (why: { reason: Reason | "unauthorized" }) => string | Promise<string>;
  /** Instead of `getToken`, where the CRM's own server asks for the link: what `POST /links` answered. */
  getLink?: (why: { reason: Reason; request: LinkRequest; signal?: AbortSignal }) => LinkAnswer | Promise<LinkAnswer>;
}

export interface ChatOptions extends LinkSource {
  /** Seconds to wait for the CRM's answer to an event, 1 to 30. By default nobody waits. */
  wait?: number;
  /** `never`: a link that has ended is told by `wazzup:expired`, and not renewed. */
  refresh?: "auto" | "never";
  /** Print to the console what happens: names and codes, never data. */
  debug?: boolean;
}

/** Why there is no link, or why an event was not taken. */
export class ChatError extends Error {
  /** For a `getLink` whose server was told why there is no link. Without `retry`, the problem's `status` says it. */
  constructor(problem: Partial<Problem>, retry?: boolean, retryAfter?: number);
  readonly problem: Problem;
  /** Whether trying again makes sense. */
  readonly retry: boolean;
  /** Seconds that the gateway asked to wait. */
  readonly retryAfter?: number;
}

/**
 * The link of a chat window. With `getToken`, equal requests of one user are asked once. Rejects with `ChatError`; once
 * `signal` is aborted with its reason, as soon as what it waits for has come.
 */
export function createLink(options: LinkSource & { reason?: Reason; signal?: AbortSignal }): Promise<LinkAnswer>;

/** Opens a chat in an iframe of the page and keeps it open: link, renewal, events. Tells of itself by events of `frame`. */
export function mountChat(frame: HTMLIFrameElement, options: ChatOptions): MountedChat;

export interface MountedChat {
  readonly state: State;
  /** Asks for a new link, also while the last one is on its way, and loads it; a half-written message is lost. */
  reload(): void;
  /** For good, told as `idle`; leaves no timer and no listener behind. Events that were not taken yet are still sent. */
  stop(): void;
}

/**
 * Relays what the window in `frame` says, for pages that have loaded it by themselves. What was not taken by the gateway
 * is kept in `localStorage` and sent by the next page of the same user that calls this.
 */
export function relayEvents(options: {
  frame: HTMLIFrameElement;
  /** `iframe.origin` of the link's answer. */
  origin: string;
  /** `relay` of the link's answer. */
  relay: Relay;
  /** `user_id` of the link's answer: events are kept for this user only. */
  user: string;
  gateway?: string;
  /** A new `relay`, after a 401. */
  renew?: () => Promise<Relay>;
  wait?: number;
  debug?: boolean;
}): () => void;

/** What the window said. `preventDefault()` keeps it from being relayed. */
export interface EntityDetail {
  type: string;
  data: Record<string, unknown>;
  /** Made by this page; the gateway takes one event of this id. */
  id: string;
  /** With `wait`: the CRM's JSON answer, as soon as it is there; `null` where there is none in time. Never rejects. */
  answer: Promise<any>;
}

export interface ChatEventMap {
  "wazzup:state": CustomEvent<{ state: State; previous: State }>;
  "wazzup:ready": CustomEvent<{ warnings: string[] }>;
  /** `retryIn`: seconds until it is tried again by itself; null: not before somebody asks. */
  "wazzup:error": CustomEvent<{ problem: Problem; retry: boolean; retryIn: number | null }>;
  "wazzup:expired": CustomEvent<null>;
  "wazzup:entity-create": CustomEvent<EntityDetail>;
  "wazzup:entity-open": CustomEvent<EntityDetail>;
  /** Any other `WZ_…`. */
  "wazzup:message": CustomEvent<EntityDetail>;
  /** The gateway has the event, by the name `eventId`; and what it answered: with `results`, where the CRM was waited for. */
  "wazzup:relayed": CustomEvent<{
    id: string; type: string; eventId: string; duplicate?: boolean; deliveries?: number; results?: unknown[];
  }>;
  /** `retry: false`: it was given up. */
  "wazzup:relay-error": CustomEvent<{ id: string; type: string; problem: Problem; retry: boolean }>;
}

/**
 * `<wazzup-chat>`. Attributes: `gateway`, `scope`, `chat-type`, `chat-id`, `username`, `contact-name`, `phone`, `telegram`,
 * `wait`, `refresh`, `lazy`, `frame-title`, `debug`. Slots: `loading`, `error`, `offline`, `expired`, `retry`. Parts:
 * `frame`, `status`, `retry`. Texts follow `lang` (en, ru).
 */
export class WazzupChat extends HTMLElement {
  /** The body of `POST /links`; instead of the attributes that describe a chat. */
  request: LinkRequest | null;
  getToken: ChatOptions["getToken"] | null;
  getLink: ChatOptions["getLink"] | null;
  readonly state: State;
  reload(): void;
  /** Ends the chat. `reload()` begins anew. */
  destroy(): void;
  addEventListener<K extends keyof ChatEventMap>(
    type: K, listener: (this: WazzupChat, event: ChatEventMap[K]) => any, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "wazzup-chat": WazzupChat;
  }
}
