"""What an object store has to offer so that it can be a source."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ARCHIVED, FORBIDDEN, MISSING = "object_archived", "object_forbidden", "object_missing"
UNREADABLE, UNNAMEABLE, NOT_SHOWN = "object_unreadable", "object_unnameable", "object_not_shown"


@dataclass(frozen=True, kw_only=True)
class ListedObject:
    """An object as the store lists it."""

    key: str
    """Below the source's prefix, so that it may be empty; bytes that are no UTF-8 as surrogate escapes."""
    size: int
    modified_ns: int
    """Since 1970; as exact as the store tells it."""
    etag: str = ""
    """Another one tells another content; empty where the store tells none."""
    storage_class: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether it only says that there is a folder."""
        return self.size == 0 and (not self.key or self.key.endswith("/"))


class ObjectUnread(Exception):
    """One object cannot be had; the others can."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ObjectGone(Exception):
    """An object is not listed any more: it was removed while the source was read."""


class ObjectStore(Protocol):
    """A part of an object store. Calls may run at the same time.

    Each raises `SourceUnreachable`, `SourceRefused` or `SourceMissing` when that has to do with the whole store.
    """

    def pages(self) -> AsyncIterator[Sequence[ListedObject]]:
        """Everything that is listed, each object once; pages hold some thousand objects at most."""
        ...

    async def fetch(self, listed: ListedObject, into: Path) -> ListedObject:
        """Write an object to a file, whole and of one version; what it was when it was read.

        Raises `ObjectUnread`, `ObjectGone`, or the `OSError` of the file.
        """
        ...

    async def look_up(self, key: str) -> ListedObject:
        """An object as it is listed by now. Raises `ObjectGone` when it is not."""
        ...

    async def why_unread(self, listed: ListedObject) -> ObjectUnread | None:
        """What keeps an object from being read, found by trying; None when nothing does. Raises `ObjectGone`."""
        ...
