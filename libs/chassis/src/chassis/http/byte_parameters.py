"""Query parameters that are bytes: names of files need not be UTF-8."""

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes


def bytes_parameter(query: bytes, name: str) -> bytes | None:
    """The first parameter of this name in a raw query string, decoded; `+` stands for a space. None when missing."""
    return next(_named(query, name), None)


def bytes_parameters(query: bytes, name: str) -> list[bytes]:
    """All parameters of this name in a raw query string, in their order, decoded as `bytes_parameter` does."""
    return list(_named(query, name))


def _named(query: bytes, name: str) -> Iterator[bytes]:
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if unquote_to_bytes(key) == name.encode():
            yield unquote_to_bytes(value.replace(b"+", b" "))
