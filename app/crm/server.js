/** The page's own server: what it is asked for, and what it tells of by itself. */

async function ask(method, path, body) {
  const headers = body && { "Content-Type": "application/json" };
  const answer = await fetch(`/demo/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail ?? answer.statusText);
  return said;
}

export const getState = () => ask("GET", "state");
export const getToken = async () => (await ask("GET", "token")).token;
export const turnServer = (on) => ask("PUT", "server", { on });
export const changeDeal = (id, fields) => ask("PATCH", `deals/${encodeURIComponent(id)}`, fields);

/**
 * Follows what happens, for as long as the page is open. A page in the background lets go of its connection, of which a
 * browser has six for all its tabs, and catches up when it is looked at again.
 */
export function follow({ told, begun, connected }) {
  let source = null;
  let last = "";
  const hear = ({ data, lastEventId }) => {
    // Another process, whose story begins anew.
    if (last.split("-")[0] !== lastEventId.split("-")[0]) begun(last !== "");
    last = lastEventId;
    told(JSON.parse(data));
  };
  const open = () => {
    source = new EventSource(`/demo/live?after=${encodeURIComponent(last)}`);
    source.onmessage = hear;
    source.onopen = () => connected(true);
    source.onerror = () => {
      connected(false);
      // What the server refused is not tried again by the browser.
      if (source?.readyState === EventSource.CLOSED) setTimeout(look, 2000);
    };
  };
  const look = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source || source.readyState === EventSource.CLOSED) open();
  };
  document.addEventListener("visibilitychange", look);
  look();
}
