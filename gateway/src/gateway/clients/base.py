"""What the clients of all services share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, quote_from_bytes

from contracts.errors import NotFound
from pydantic import BaseModel

V = TypeVar("V", bound=BaseModel)
LONGEST_ID = 200
_WORDS = {"app": "connector", "snapshot": "restore point"}
"""What users call it."""


@dataclass(frozen=True)
class Page(Generic[V]):
    """A part of a listing and how many there are in all."""

    total: int
    items: Sequence[V]


def page_of(model: type[V], answer: Any) -> Page[V]:
    """An answer with `items`, and `total` where it is a part of a listing."""
    items = [model.model_validate(i) for i in answer["items"]]
    return Page(int(answer.get("total", len(items))), items)


def segment(identifier: str, *, missing: str) -> str:
    """An id as a part of a path. Raises `NotFound` for what cannot be an id of ours, e.g. `..` or `a/b`."""
    if not 0 < len(identifier) <= LONGEST_ID or "/" in identifier or identifier.strip(".") == "":
        raise NotFound(f"{missing}_not_found", f"There is no such {_WORDS.get(missing, missing)}.")
    return quote(identifier, safe="")


def path_query(path: bytes) -> str:
    """The parameter `path` of a question to another service, byte for byte."""
    return f"path={quote_from_bytes(path, safe='')}"
