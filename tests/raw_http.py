"""Answers as bytes, for servers that a test speaks itself: chunked ones, and such as are no HTTP."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def chunked(*chunks: bytes) -> bytes:
    """An answer whose body comes in chunks, which are taken as they are."""
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


NOT_HTTP: dict[str, bytes] = {
    "nothing at all": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "only noise": bytes(range(256)) * 8,
    "an endless status line": b"HTTP/1.1 200 " + b"A" * 100_000,
    "an endless header": HEAD + b"X-A: " + b"A" * 100_000 + b"\r\n\r\n{}",
    "headers without end": HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"A" * 1000) for n in range(500)),
    "half a status line": b"HTTP/1.",
    "half a header": HEAD + b"Content-Le",
    "a header without its end": HEAD,
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "another version": b"HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a body that is too short": HEAD + b"Content-Length: 5000\r\n\r\n{}",
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\n{}",
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a chunk of no size": chunked(b"zzzz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of too large a size": chunked(b"f" * 40 + b"\r\n{}"),
    "a chunk that is cut off": chunked(b"ff\r\n{}"),
    "no last chunk": chunked(b"2\r\n{}\r\n"),
    "an early hint and nothing else": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}
