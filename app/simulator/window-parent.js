/**
 * What the window tells the page that frames it, in the words of the vendor's documentation.
 *
 * The target is `*`, as it has to be: any CRM may frame the window, and the link does not say which one does. Whoever
 * frames it has opened it by a link, and so could read everything that is told.
 *
 * What the vendor's window says when `use_events.messages` is on, is documented nowhere: this one says nothing then.
 */

/** The user clicked +. False where no page frames the window. */
export function createEntity(view) {
  return tell("WZ_CREATE_ENTITY", place(view));
}

/** The user clicked an entry of the Deals list. */
export function openEntity(view, deal) {
  return tell("WZ_OPEN_ENTITY", { ...place(view), entity: deal });
}

function place(view) {
  const { chatType, chatId, channelId } = view.chats.find((chat) => chat.key === view.chat);
  return { chatType, chatId, channelId, userId: view.userId, integrationId: view.integrationId };
}

function tell(type, data) {
  if (window.parent === window) return false;
  window.parent.postMessage({ type, data }, "*");
  return true;
}
