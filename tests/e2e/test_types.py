"""What the types promise is what the module does, and a compiler says so."""

import re
from pathlib import Path

from tests.e2e.packages import node, package
from tests.e2e.stage import Stage

WEB = Path(__file__).parent.parent.parent / "app" / "web"
STRICT = ("--noEmit", "--strict", "--target", "es2024", "--module", "esnext", "--moduleResolution", "bundler")
# `noUncheckedIndexedAccess` and the like are a page's own choice; these two are what `tsc --init` turns on besides.
CAREFUL = ("--exactOptionalPropertyTypes", "--noUncheckedSideEffectImports")

PAGE = """
import { createLink, ChatError, mountChat, relayEvents, WazzupChat } from "./wazzup-chat";
import type { ChatEventMap, LinkAnswer, LinkRequest, State } from "./wazzup-chat";

const request: LinkRequest = { contact: { name: "Anthony Stone", phone: "+371 11 234 567" }, max_age: 0 };
const chat = document.querySelector("wazzup-chat")!;
chat.request = request;
chat.getToken = async ({ reason }) => (await fetch(`/token?why=${reason}`)).text();
chat.addEventListener("wazzup:entity-create", async (event) => {
  const { data, id, answer } = event.detail;
  const deal = await answer;
  if (deal) location.assign(deal.url);
  console.log(id.length, data["chatId"], this);
});
chat.addEventListener("wazzup:error", ({ detail: { problem, retry, retryIn } }) => {
  const words: string = problem.detail ?? problem.title;
  const seconds: number = retry ? (retryIn ?? 0) : -1;
  console.log(words, seconds, problem.status + 1);
});
chat.addEventListener("click", () => chat.reload());
const state: State = chat.state;
const frame = document.querySelector("iframe")!;
const mounted = mountChat(frame, { request, getToken: () => "token", wait: 5, refresh: "never", debug: true });
mounted.stop();
try {
  const answer: LinkAnswer = await createLink({ request, getLink: () => fetch("/link").then((one) => one.json()) });
  const stop: () => void = relayEvents({
    frame, origin: answer.iframe.origin, relay: answer.relay, user: answer.user_id,
    renew: async () => answer.relay,
  });
  stop();
} catch (error) {
  if (error instanceof ChatError && error.retry) console.log(error.problem.code, error.retryAfter);
}
const made = new WazzupChat();
made.getLink = ({ request: asked, signal }) =>
  fetch("/link", { method: "POST", body: JSON.stringify(asked), signal: signal ?? null }).then((one) => one.json());
const names: (keyof ChatEventMap)[] = ["wazzup:relayed", "wazzup:relay-error", "wazzup:expired"];
document.body.append(made, state, ...names);
export {};
"""
# One mistake each; a compiler must find every one.
MISTAKES = (
    'chat.request = { phone: "+37111234567" };',
    'chat.request = { chats: [{ chat_type: "icq", chat_id: "1" }] };',
    "chat.getToken = () => 7;",
    'chat.state = "ready";',
    'chat.addEventListener("wazzup:entity-create", (event) => event.detail.answr);',
    "chat.reload(true);",
    'mountChat(document.createElement("div"), {});',
    'mountChat(document.createElement("iframe"), { refresh: "sometimes" });',
    'relayEvents({ frame: document.createElement("iframe"), origin: "https://x.example" });',
    "const link: string = await createLink({});",
)


async def compiled(home: Path, *words: str) -> str:
    """What the compiler complains of."""
    compiler = package("typescript") / "bin" / "tsc"
    status, said = await node(compiler, *words, cwd=home)
    assert (status == 0) == (said == ""), said
    return said


async def test_a_page_that_uses_everything_as_documented_compiles(tmp_path: Path) -> None:
    (tmp_path / "wazzup-chat.d.ts").write_text((WEB / "wazzup-chat.d.ts").read_text())
    (tmp_path / "page.ts").write_text(PAGE.replace(", this", ""))

    assert await compiled(tmp_path, *STRICT, *CAREFUL, "page.ts") == ""


async def test_each_mistake_is_found(tmp_path: Path) -> None:
    (tmp_path / "wazzup-chat.d.ts").write_text((WEB / "wazzup-chat.d.ts").read_text())
    head = 'import { createLink, mountChat, relayEvents } from "./wazzup-chat";\n'
    head += 'const chat = document.querySelector("wazzup-chat")!;\nvoid [chat, createLink, mountChat, relayEvents];\n'
    lines = head.count("\n")
    (tmp_path / "page.ts").write_text(head + "\n".join(MISTAKES))

    said = await compiled(tmp_path, *STRICT, "page.ts")

    found = {int(line) - lines - 1 for line in re.findall(r"^page\.ts\((\d+),", said, re.MULTILINE)}
    assert [mistake for number, mistake in enumerate(MISTAKES) if number not in found] == []


async def test_the_module_itself_agrees_with_its_types() -> None:
    said = await compiled(
        WEB, *STRICT[:1], *STRICT[2:], "--strict", "false", "--allowJs", "--checkJs", "wazzup-chat.js"
    )

    assert said == ""


async def test_the_types_name_exactly_what_the_module_exports(stage: Stage) -> None:
    declared = re.findall(
        r"^export (?:declare )?(?:abstract )?(?:class|function|const|let) (\w+)",
        (WEB / "wazzup-chat.d.ts").read_text(),
        re.MULTILINE,
    )
    visit = await stage.open(stage.put("/page", "<!doctype html><title>A page</title>"))

    exported = await visit.page.evaluate(f"import('{stage.urls['gateway']}/wazzup-chat.js').then(Object.keys)")

    assert sorted(exported) == sorted(declared)
