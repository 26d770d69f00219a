"""Directories: immutable, named by the hash of their content, shared by all restore points of a store.

The document of a directory (see `store.directory_documents`) is written when all of its pages are there, and never
before those of the directories below it. So the one document tells that a directory is known to the last leaf, whatever
was killed, dead-lettered or sent twice.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from chassis.persistence.mongo import Document
from contracts.messages.restore_index import DirectoryPage
from contracts.values import OrganizationId

from restore_index.domain.entries import Below, PageContents, check_page
from restore_index.domain.name_segments import NamedPage, pack_segment
from restore_index.store.byte_cache import ByteCache
from restore_index.store.directory_documents import (
    LOOKUPS_AT_ONCE,
    Directory,
    in_chunks,
    incomplete,
    size_of,
    to_directory,
    totals_of,
)
from restore_index.store.directory_writer import DirectoryWriter
from restore_index.store.documents import Documents
from restore_index.store.known_trees import KnownTrees
from restore_index.store.name_segments import NameSegments

PAGES_LOOKED_AT = 1024


_Fresh = tuple[DirectoryPage, PageContents]
"""A page that is to be kept, and what is in it."""


class Directories:
    """The directories of all stores."""

    def __init__(self, documents: Documents, known: KnownTrees, names: NameSegments, *, cache_bytes: int) -> None:
        self._documents = documents
        self.known_trees = known
        self._names = names
        self._cache: ByteCache[Document] = ByteCache(cache_bytes, getsizeof=size_of)
        # Garbage collection rewrites both, so the last segment of names is no longer where it was.
        known.on_rewrite = names.forget

    async def add(
        self, org: OrganizationId, store_id: str, pages: Sequence[DirectoryPage], *, again: bool = False
    ) -> None:
        """Keep directories in the order given, which is: children first, pages one after the other. Twice is harmless.

        With `again` known directories are written again, as their documents may be damaged. Raises `Invalid`
        (`page_damaged`) or `Conflict` (`directory_incomplete`: something below it or one of its pages never arrived).
        """
        contents = await asyncio.to_thread(lambda: [check_page(page) for page in pages])
        asked = {page.tree_id for page in pages}.union(*(inside.subtrees for inside in contents))
        known = (await self.known(org, store_id, asked)).keys()
        checked = zip(pages, contents, strict=True)
        fresh = [(page, inside) for page, inside in checked if again or page.tree_id not in known]
        await self._require(org, store_id, fresh, known)
        await self._add_names(org, store_id, fresh)
        whole = await self._write(org, store_id, fresh, again=again)
        await self.known_trees.unmark(org, store_id, whole)
        await self.known_trees.add(org, store_id, {tree: below for tree, below in whole.items() if tree not in known})

    async def known(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> dict[str, Below]:
        """Which directories are known whole, with everything below them, and their totals; none that is marked.

        One that became known a moment ago may be missing.
        """
        asked = list(tree_ids)
        found = await self.known_trees.lookup(org, store_id, asked)
        return await self._look_up(org, store_id, asked) if found is None else found

    async def delete(self, org: OrganizationId, store_id: str, tree_ids: Iterable[str]) -> None:
        """Remove directories with all their pages, the pages first. Again is harmless."""
        names = [f"{store_id}/{tree_id}" for tree_id in tree_ids]
        for start in range(0, len(names), LOOKUPS_AT_ONCE):
            some = names[start : start + LOOKUPS_AT_ONCE]
            found = await asyncio.gather(*(self._documents.get(name, without="entries") for name in some))
            heads = [head for head in found if head and head["org"] == org]
            for head in heads:
                await self._delete_pages(head)
            await self._documents.delete([head["_id"] for head in heads])

    async def _delete_pages(self, head: Document) -> None:
        if head["pages"] > 1:
            await self._documents.delete([f"{head['_id']}#{page}" for page in range(head["pages"])])

    async def arrived(self, org: OrganizationId, store_id: str, tree_id: str, *, pages: int, first: int) -> int:
        """How many of a directory's `pages` need not be sent again, if the pages before `first` need not.

        All, if it is known whole. Else counted up to the first one that is not there or was cut otherwise, at most
        1,024 further; the last one always has to be sent, as it makes the directory whole.
        """
        if await self.known(org, store_id, [tree_id]):
            return pages
        last = min(pages - 1, first + PAGES_LOOKED_AT)
        for numbers in in_chunks(first, last):
            name = f"{store_id}/{tree_id}"
            asked = (self._documents.get(f"{name}#{number}", without="entries") for number in numbers)
            for number, found in zip(numbers, await asyncio.gather(*asked), strict=True):
                if not found or found["org"] != org or found["pages"] != pages:
                    return number
        return last

    async def get(self, org: OrganizationId, store_id: str, tree_id: str) -> Directory | None:
        """A directory that is known whole."""
        found = await self._cached(org, f"{store_id}/{tree_id}")
        return None if found is None else to_directory(tree_id, found)

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
            # That something is missing is not remembered: it may arrive at any moment.
            if found is not None:
                self._remember(found)
        return found if found and found["org"] == org else None

    async def _look_up(self, org: OrganizationId, store_id: str, sought: Iterable[str]) -> dict[str, Below]:
        """What is there and not marked; what is remembered may have been deleted since, so that does not count."""
        # One by one: a query for many ids takes seconds on the local server (decision 0001).
        tree_ids, gate = set(sought), asyncio.Semaphore(LOOKUPS_AT_ONCE)
        marked = self.known_trees.marked_among(org, store_id, tree_ids)

        async def look(tree_id: str) -> tuple[str, Document | None]:
            async with gate:
                return tree_id, await self._documents.get(f"{store_id}/{tree_id}", without="entries")

        found = await asyncio.gather(*map(look, tree_ids - marked))
        return {tree_id: totals_of(head) for tree_id, head in found if head and head["org"] == org}

    async def _require(
        self, org: OrganizationId, store_id: str, fresh: Sequence[_Fresh], known: Collection[str]
    ) -> None:
        """Raise `Conflict` unless children neither known by memory nor whole with these pages are there after all."""
        whole: set[str] = set()
        for page, inside in fresh:
            # The memory may lag behind another process: before a listing is refused the documents are asked.
            missing = inside.subtrees.difference(known, whole)
            if missing:
                missing -= (await self._look_up(org, store_id, missing)).keys()
            if missing:
                raise incomplete(page, f"{len(missing)} directories below it have not arrived")
            if page.page == page.pages - 1:
                whole.add(page.tree_id)

    async def _add_names(self, org: OrganizationId, store_id: str, fresh: Sequence[_Fresh]) -> None:
        """Keep what searches read of these pages. That comes first: what is known can be found."""
        if fresh:
            pages = [
                NamedPage(bytes.fromhex(p.tree_id), p.page, p.pages, p.totals.files, inside.entries)
                for p, inside in fresh
            ]
            await self._names.append(org, store_id, await asyncio.to_thread(pack_segment, pages))

    async def _write(
        self, org: OrganizationId, store_id: str, fresh: Sequence[_Fresh], *, again: bool
    ) -> dict[str, Below]:
        """Write the documents of some pages; the directories that are whole with them, and their totals."""
        writer = DirectoryWriter(self._documents, org, store_id, again=again, on_replaced=self._remember)
        for page, inside in fresh:
            await writer.add(page, inside.first_name)
        await writer.flush()
        return writer.whole

    def _remember(self, document: Document) -> None:
        self._cache[document["_id"]] = document
