"""`GET /wazzup-chat.js` and its types, for every page there is: no secret is in them, and they are the same for all."""

from typing import Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import RouteUnknown
from app.routes import header, services_for
from app.web.files import File, Files

# A year, the longest that is honoured: what a versioned URL leads to never changes (RFC 8246).
_FOR_EVER = "public, max-age=31536000, immutable"
# Kept, and asked about each time: a new gateway is a new file, and the question costs 300 bytes.
_ASK_AGAIN = "no-cache"
_FOR_ALL = {
    # Browsers load modules of another origin by CORS, without credentials.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}

router = APIRouter(include_in_schema=False)


class Services(Protocol):
    """What this door needs of the wiring."""

    files: Files


@router.api_route("/wazzup-chat.js", methods=["GET", "HEAD"])
async def get_element(request: Request) -> Response:
    """The element, as this gateway has it now."""
    return _served(_files(request).element, request, caching=_ASK_AGAIN)


@router.api_route("/wazzup-chat.d.ts", methods=["GET", "HEAD"])
async def get_types(request: Request) -> Response:
    """Its types."""
    return _served(_files(request).types, request, caching=_ASK_AGAIN)


@router.api_route("/wazzup-chat.{version}.js", methods=["GET", "HEAD"])
async def get_version(version: str, request: Request) -> Response:
    """The element in exactly this version, for pages that name its hash too."""
    element = _files(request).element
    if version != element.version:
        request.scope["public"] = False
        raise RouteUnknown(f"This gateway serves another version of the element: {element.versioned}")
    return _served(element, request, caching=_FOR_EVER)


def _files(request: Request) -> Files:
    request.scope["public"] = True  # for the edge: every page may read it
    files: Files = services_for(request.scope).files
    return files


def _served(file: File, request: Request, *, caching: str) -> Response:
    compresses = _takes_gzip(header(request.scope, b"accept-encoding"))
    etag = f'"{file.version}-gzip"' if compresses else f'"{file.version}"'
    headers = _FOR_ALL | {"Cache-Control": caching, "ETag": etag}
    if _is_known(etag, header(request.scope, b"if-none-match")):
        return Response(status_code=304, headers=headers)
    if not compresses:
        return Response(file.content, media_type=file.media_type, headers=headers)
    return Response(file.compressed, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"})


def _takes_gzip(accepts: str) -> bool:
    """RFC 9110, section 12.5.3: `*` is for what is not named, and a weight of zero is a no."""
    named = ("".join(one.split()).lower().partition(";q=") for one in accepts.split(","))
    weights = {coding: weight for coding, _, weight in named}
    weight = weights.get("gzip", weights.get("*", "0"))
    return not weight or bool(weight.strip("0."))


def _is_known(etag: str, known: str) -> bool:
    """RFC 9110, section 13.1.2: any of a list, compared weakly, since proxies weaken what they compress."""
    return known.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in known.split(","))
