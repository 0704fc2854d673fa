"""Ports for servers that must be told theirs."""

import random
import socket


def free_port() -> int:
    """A port where nobody listens, and where no connection of another test can come to sit before its server does:
    these lie below those that Linux gives out by itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
