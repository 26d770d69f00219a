"""What the clients of all services share."""

from urllib.parse import quote, quote_from_bytes

from contracts.errors import NotFound

LONGEST_ID = 200
_WORDS = {"app": "connector", "snapshot": "restore point"}
"""What users call it."""


def segment(identifier: str, *, missing: str) -> str:
    """An id as a part of a path. Raises `NotFound` for what cannot be an id of ours, e.g. `..` or `a/b`."""
    # Ids are parts of addresses that clients wrote: `..` or a slash would lead to another route of the service.
    if not 0 < len(identifier) <= LONGEST_ID or "/" in identifier or identifier.strip(".") == "":
        raise NotFound(f"{missing}_not_found", f"There is no such {_WORDS.get(missing, missing)}.")
    return quote(identifier, safe="")


def path_query(path: bytes) -> str:
    """The parameter `path` of a question to another service, byte for byte."""
    return f"path={quote_from_bytes(path, safe='')}"
