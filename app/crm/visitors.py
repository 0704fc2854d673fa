"""Who may ask: a browser on this machine, and within it only the demo's own page. What leaves may do only what it must.

Other pages that are open in the same browser can reach 127.0.0.1 too, by its name or by one that was rebound to it;
and the simulated Wazzup in the page's frame is another port of the same site.
"""

from collections.abc import Set as AbstractSet
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Visitors:
    """Lets in who may ask, and gives every answer its limits."""

    def __init__(self, app: ASGIApp, *, hosts: AbstractSet[str], frames: str, files: AbstractSet[str]) -> None:
        """`hosts` are our names, `frames` whose windows the page shows; `files` any page may link to, but not read."""
        self.app = app
        self.hosts = hosts
        self.files = files
        self.limits = {
            "Content-Security-Policy": _policy(frames),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        headers = Headers(scope=scope)

        async def limited(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.limits)
            await send(message)

        reason = self._refusal(scope["method"], scope["path"], headers)
        answer = problem(HTTPStatus.FORBIDDEN, reason) if reason else self.app
        await answer(scope, receive, limited)

    def _refusal(self, method: str, path: str, headers: Headers) -> str:
        if headers.get("host", "") not in self.hosts:
            return "The demo answers only under the address that it printed."
        if path in self.files and method not in _CHANGING:
            return ""
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return "Only the demo's own page may ask this."
        if headers.get("origin") not in {None, f"http://{headers['host']}"}:
            return "Only the demo's own page may ask this."
        if method in _CHANGING and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return "Send the body as Content-Type: application/json."
        return ""


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """RFC 9457, as the gateway answers."""
    phrase = HTTPStatus(status).phrase
    code = phrase.upper().replace(" ", "_").replace("-", "_")
    body = {"type": "about:blank", "title": phrase, "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, headers, "application/problem+json")


async def render(_: Request, error: Exception) -> Response:
    """What a route refused, as a problem."""
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls by type
    return problem(error.status_code, error.detail, dict(error.headers or {}))


def _policy(frames: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            f"frame-src {frames}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
