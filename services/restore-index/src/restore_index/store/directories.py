"""Directories: immutable, named by the hash of their content, shared by all restore points of a store.

A directory is one document `<store>/<tree>`: totals, counts and, packed as they were received, its entries. One that
has several pages has a document `<store>/<tree>#<page>` for each, and `<store>/<tree>` is written when all of them are
there. So the one document tells whether a directory is known. It is never written before those of the directories
below it: what is known is known to the last leaf, whatever was killed, parked or sent twice.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chassis.caches import ByteBoundedCache
from chassis.persistence.mongo import Document
from contracts.errors import Conflict
from contracts.messages.restore_index import DirectoryPage
from contracts.values import OrganizationId

from restore_index.domain.entries import Below, PageContents, check_page
from restore_index.domain.name_segments import NamedPage, pack_segment
from restore_index.store.documents import Documents
from restore_index.store.known_trees import KnownTrees
from restore_index.store.name_segments import NameSegments

LOOKUPS_AT_ONCE = 16
PAGES_LOOKED_AT = 1024
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


@dataclass
class _Batch:
    """Documents to be written, in this order (`again`: in place of others), and the directories whole with them."""

    again: bool
    documents: list[Document] = field(default_factory=list)
    whole: dict[str, Below] = field(default_factory=dict)


_Fresh = tuple[DirectoryPage, PageContents]


class Directories:
    """The directories of all stores."""

    def __init__(self, documents: Documents, known: KnownTrees, names: NameSegments, *, cache_bytes: int) -> None:
        self._documents = documents
        self.known_trees = self._known = known
        self._names = names
        self._cache: ByteBoundedCache[Document] = ByteBoundedCache(cache_bytes)
        known.on_rewrite = names.forget

    async def add(
        self, org: OrganizationId, store_id: str, pages: Sequence[DirectoryPage], *, again: bool = False
    ) -> None:
        """Keep directories in the order given, which is: children first, pages one after the other. Twice is harmless.

        With `again` those that are known are written anew, as what is kept of them may be damaged. Raises `Invalid`
        (`page_damaged`) or `Conflict` (`directory_incomplete`: something below it or one of its pages never arrived).
        """
        contents = await asyncio.to_thread(lambda: [check_page(page) for page in pages])
        asked = {p.tree_id for p in pages}.union(*(inside.subtrees for inside in contents))
        known = (await self.known(org, store_id, asked)).keys()
        fresh = [
            (page, inside) for page, inside in zip(pages, contents, strict=True) if again or page.tree_id not in known
        ]
        await self._require(org, store_id, fresh, known)
        await self._name(org, store_id, fresh)
        batch = _Batch(again=again)
        for page, inside in fresh:
            if page.tree_id not in batch.whole:
                await self._take(org, store_id, page, batch, first_name=inside.first_name)
        await self._write(batch)
        await self._known.unmark(org, store_id, batch.whole)
        await self._known.add(org, store_id, {t: below for t, below in batch.whole.items() if t not in known})

    async def known(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> dict[str, Below]:
        """Which directories are known whole, with everything below them, and their totals; none that is condemned.

        One that became known a moment ago may be missing.
        """
        asked = list(tree_ids)
        found = await self._known.lookup(org, store_id, asked)
        return await self._look_up(org, store_id, asked) if found is None else found

    async def delete(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> None:
        """Remove directories with all their pages, the pages first. Again is harmless."""
        names = [f"{store_id}/{tree_id}" for tree_id in tree_ids]
        for start in range(0, len(names), LOOKUPS_AT_ONCE):
            some = names[start : start + LOOKUPS_AT_ONCE]
            heads = await asyncio.gather(*(self._documents.get(name, without="entries") for name in some))
            for head in heads:
                if head and head["org"] == org and head["pages"] > 1:
                    await self._documents.delete([f"{head['_id']}#{page}" for page in range(head["pages"])])
            await self._documents.delete([head["_id"] for head in heads if head and head["org"] == org])

    async def arrived(self, org: OrganizationId, store_id: str, tree_id: str, *, pages: int, first: int) -> int:
        """How many of a directory's `pages` need not be sent again, given that those before `first` need not.

        All, if it is known whole. Else counted up to the first one that is not there or was cut otherwise, at most
        1,024 further; the last one always has to be sent, as it makes the directory whole.
        """
        if await self.known(org, store_id, [tree_id]):
            return pages
        last = min(pages - 1, first + PAGES_LOOKED_AT)
        for numbers in _chunks(first, last):
            name = f"{store_id}/{tree_id}"
            asked = (self._documents.get(f"{name}#{number}", without="entries") for number in numbers)
            for number, found in zip(numbers, await asyncio.gather(*asked), strict=True):
                if not found or found["org"] != org or found["pages"] != pages:
                    return number
        return last

    async def get(self, org: OrganizationId, store_id: str, tree_id: str) -> Directory | None:
        """A directory that is known whole."""
        found = await self._cached(org, f"{store_id}/{tree_id}")
        if found is None:
            return None
        names = tuple(bytes(name) for name in found["first_names"])
        return Directory(tree_id, found["total"], found["pages"], names, _totals(found))

    async def packed(self, org: OrganizationId, store_id: str, directory: Directory, *, page: int) -> bytes:
        """The entries of one page as they were received; nothing beyond the last page."""
        if page >= directory.pages:
            return b""
        name = f"{store_id}/{directory.tree_id}"
        found = await self._cached(org, name if directory.pages == 1 else f"{name}#{page}")
        return bytes(found["entries"]) if found else b""

    async def _cached(self, org: OrganizationId, document_id: str) -> Document | None:
        found = self._cache.get(document_id)
        if found is None:
            found = await self._documents.get(document_id)
            if found is not None:
                self._cache.put(document_id, found, size_bytes=_size(found))
        return found if found and found["org"] == org else None

    async def _look_up(self, org: OrganizationId, store_id: str, sought: Iterable[str]) -> dict[str, Below]:
        """What is there and not condemned; what is remembered may have been swept since, so that does not count."""
        tree_ids, gate = set(sought), asyncio.Semaphore(LOOKUPS_AT_ONCE)
        marked = self._known.marked_among(org, store_id, tree_ids)

        async def look(tree_id: str) -> tuple[str, Document | None]:
            async with gate:
                return tree_id, await self._documents.get(f"{store_id}/{tree_id}", without="entries")

        found = await asyncio.gather(*map(look, tree_ids - marked))
        return {tree_id: _totals(head) for tree_id, head in found if head and head["org"] == org}

    async def _require(
        self, org: OrganizationId, store_id: str, fresh: Sequence[_Fresh], known: Collection[str]
    ) -> None:
        """Raise `Conflict` unless children neither known by memory nor whole with these pages are there after all."""
        whole: set[str] = set()
        for page, inside in fresh:
            missing = inside.subtrees.difference(known, whole)
            if missing:
                missing -= (await self._look_up(org, store_id, missing)).keys()
            if missing:
                raise _incomplete(page, f"{len(missing)} directories below it have not arrived")
            if page.page == page.pages - 1:
                whole.add(page.tree_id)

    async def _name(self, org: OrganizationId, store_id: str, fresh: Sequence[_Fresh]) -> None:
        """Keep what searches read of these pages. That comes first: what is known can be found."""
        if fresh:
            pages = [
                NamedPage(bytes.fromhex(p.tree_id), p.page, p.pages, p.totals.files, inside.entries)
                for p, inside in fresh
            ]
            await self._names.append(org, store_id, await asyncio.to_thread(pack_segment, pages))

    async def _take(
        self, org: OrganizationId, store_id: str, page: DirectoryPage, batch: _Batch, *, first_name: bytes
    ) -> None:
        head = _document(org, f"{store_id}/{page.tree_id}", page)
        if page.pages == 1:
            batch.documents.append({**head, "entries": page.entries})
            batch.whole[page.tree_id] = Below(**page.totals.model_dump())
            return
        of_page = {"_id": f"{head['_id']}#{page.page}", "first_names": [first_name], "entries": page.entries}
        batch.documents.append({**head, **of_page})
        if page.page == page.pages - 1:
            await self._write(batch)
            batch.documents = [await self._whole(org, store_id, page)]
            batch.whole[page.tree_id] = Below(**page.totals.model_dump())

    async def _write(self, batch: _Batch) -> None:
        if not batch.again:
            await self._documents.insert(batch.documents)
            return
        await self._documents.put(batch.documents)
        for document in batch.documents:
            self._cache.put(document["_id"], document, size_bytes=_size(document))

    async def _whole(self, org: OrganizationId, store_id: str, last: DirectoryPage) -> Document:
        """The document that says that all pages of a directory are there."""
        name = f"{store_id}/{last.tree_id}"
        first_names: list[bytes] = []
        count = 0
        for numbers in _chunks(0, last.pages):
            asked = (self._documents.get(f"{name}#{number}", without="entries") for number in numbers)
            found = [document for document in await asyncio.gather(*asked) if document]
            if len(found) < len(numbers):
                raise _incomplete(last, "some of its pages have not arrived")
            first_names += [document["first_names"][0] for document in found]
            count += sum(document["count"] for document in found)
        if count != last.total:
            raise _incomplete(last, f"its pages hold {count} of {last.total} entries")
        return {**_document(org, name, last), "first_names": first_names}


def _document(org: OrganizationId, document_id: str, page: DirectoryPage) -> Document:
    return {
        "_id": document_id,
        "org": org,
        "pages": page.pages,
        "count": page.count,
        "total": page.total,
        "totals": page.totals.model_dump(),
        "first_names": [],
    }


def _totals(document: Document) -> Below:
    """Plain numbers: the driver has a type of its own for those of 64 bits, which no answer can be made of."""
    return Below(**{name: int(number) for name, number in document["totals"].items()})


def _chunks(first: int, pages: int) -> Iterator[range]:
    for start in range(first, pages, LOOKUPS_AT_ONCE):
        yield range(start, min(start + LOOKUPS_AT_ONCE, pages))


def _size(document: Document) -> int:
    return len(document.get("entries", b"")) + sum(map(len, document["first_names"])) + _OVERHEAD_BYTES


def _incomplete(page: DirectoryPage, why: str) -> Conflict:
    return Conflict("directory_incomplete", f"Directory {page.tree_id} cannot be kept: {why}.")
