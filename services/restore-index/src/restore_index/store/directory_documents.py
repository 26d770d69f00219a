"""The documents of directories: what is in them, and how they are named.

A directory is one document `<store>/<tree>`: totals, counts and, packed as they were received, its entries. One that
has several pages has a document `<store>/<tree>#<page>` for each, and none of the entries in its own document.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chassis.persistence.mongo import Document
from contracts.errors import Conflict
from contracts.messages.restore_index import DirectoryPage
from contracts.values import OrganizationId

from restore_index.domain.entries import Below

LOOKUPS_AT_ONCE = 16
_OVERHEAD_BYTES = 1000


@dataclass(frozen=True)
class Directory:
    """What is known of a directory without its entries; `first_names` are those of its pages, if there are several."""

    tree_id: str
    total: int
    pages: int
    first_names: tuple[bytes, ...]
    totals: Below


EMPTY = Directory("", 0, 0, (), Below(0, 0, 0))
"""What is shown of a directory that its engine could not read."""


def to_directory(tree_id: str, document: Document) -> Directory:
    """A directory out of its document."""
    names = tuple(bytes(name) for name in document["first_names"])
    return Directory(tree_id, document["total"], document["pages"], names, totals_of(document))


def head_of(org: OrganizationId, document_id: str, page: DirectoryPage) -> Document:
    """A document with all but the entries and the names of its pages."""
    return {
        "_id": document_id,
        "org": org,
        "pages": page.pages,
        "count": page.count,
        "total": page.total,
        "totals": page.totals.model_dump(),
        "first_names": [],
    }


def totals_of(document: Document) -> Below:
    """The totals of a directory."""
    # The driver has a type of its own for numbers of 64 bits, which no answer can be made of.
    return Below(**{name: int(number) for name, number in document["totals"].items()})


def size_of(document: Document) -> int:
    """About what a document takes in memory, in bytes."""
    return len(document.get("entries", b"")) + sum(map(len, document["first_names"])) + _OVERHEAD_BYTES


def in_chunks(first: int, end: int) -> Iterator[range]:
    """Numbers from `first` up to `end`, as many at a time as are looked up at once."""
    for start in range(first, end, LOOKUPS_AT_ONCE):
        yield range(start, min(start + LOOKUPS_AT_ONCE, end))


def incomplete(page: DirectoryPage, why: str) -> Conflict:
    """The error for a directory of which something never arrived."""
    return Conflict("directory_incomplete", f"Directory {page.tree_id} cannot be kept: {why}.")
