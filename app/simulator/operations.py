"""What each of the vendor's routes is called, so that a fault or a test can name it in either generation."""

OPERATIONS = {
    "/v2/iframe-links/chats": "links",
    "/v3/iframe": "links",
    "/v2/users": "users",
    "/v3/users": "users",
    "/v2/contacts": "contacts",
    "/v3/contacts": "contacts",
    "/v2/deals": "deals",
    "/v3/deals": "deals",
    "/v2/oauth/token": "tokens",
}


def operation_of(path: str) -> str | None:
    """Name the operation behind a path, or None where the vendor has no such route."""
    return OPERATIONS.get(path)
