"""The files of this room, read and compressed once. Nothing builds them; but comments and indentation stay at home."""

import gzip
import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256, sha384
from pathlib import Path

_FOLDER = Path(__file__).parent
# Characters of the content's hash in a versioned URL: enough that no two versions ever meet.
_VERSION = 16
# What a browser need not load: comments that have lines of their own, blank lines, indentation, and the ends of lines
# where it is plain that nothing ends. No string and no expression of ours goes over several lines.
_FOR_READERS = re.compile(rb"^\s*/\*\*.*?\*/\n|^\s*//.*?\n|^\s+|(?<=[{(,;])\n|\n(?=[})])", re.MULTILINE | re.DOTALL)
# And the air around operators. No string of ours has them with spaces on both sides, and a test looks.
_AIR = re.compile(rb" (=>|[!=]==|[=?:*]|[<>]=?|&&|\|\||\?\?=?) ")


@dataclass(frozen=True)
class File:
    """One file as browsers get it. Its versioned URL names its content, so what is there never changes."""

    path: str
    media_type: str
    content: bytes = field(repr=False)
    compressed: bytes = field(repr=False)
    version: str
    integrity: str
    """For `<script integrity>` (W3C Subresource Integrity)."""

    @property
    def versioned(self) -> str:
        """`/wazzup-chat.js` as `/wazzup-chat.<version>.js`."""
        name, _, ending = self.path.partition(".")
        return f"{name}.{self.version}.{ending}"


@dataclass(frozen=True)
class Files:
    """Everything that is served. `element` is what a page needs; `types` is for its author."""

    element: File
    types: File


@cache
def load() -> Files:
    """The files as they were when this process first asked for them."""
    return Files(
        element=_file("wazzup-chat.js", "text/javascript", _stripped(_read("wazzup-chat.js"))),
        types=_file("wazzup-chat.d.ts", "application/typescript", _read("wazzup-chat.d.ts")),
    )


def _stripped(source: bytes) -> bytes:
    return _AIR.sub(rb"\1", _FOR_READERS.sub(b"", source))


def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def _file(name: str, media_type: str, content: bytes) -> File:
    return File(
        path=f"/{name}",
        media_type=f"{media_type}; charset=utf-8",
        content=content,
        # Without a time, so that every replica serves the same bytes under the same ETag.
        compressed=gzip.compress(content, compresslevel=9, mtime=0),
        version=sha256(content).hexdigest()[:_VERSION],
        integrity=f"sha384-{b64encode(sha384(content).digest()).decode()}",
    )
