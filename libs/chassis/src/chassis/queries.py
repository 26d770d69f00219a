"""Query parameters that are bytes: names of files need not be UTF-8."""

from urllib.parse import unquote_to_bytes


def bytes_parameter(query: bytes, name: str) -> bytes | None:
    """The first parameter of this name in a raw query string, decoded; `+` stands for a space. None when missing."""
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if unquote_to_bytes(key) == name.encode():
            return unquote_to_bytes(value.replace(b"+", b" "))
    return None
