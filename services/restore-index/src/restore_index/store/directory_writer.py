"""Writes the directories of one message, so that what is there is complete whatever is cut off."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chassis.persistence.mongo import Document
from contracts.messages.restore_index import DirectoryPage
from contracts.values import OrganizationId

from restore_index.domain.entries import Below
from restore_index.store.directory_documents import head_of, in_chunks, incomplete
from restore_index.store.documents import Documents


@dataclass
class DirectoryWriter:
    """Takes pages, children before parents; writes their documents in that order, several in one call."""

    documents: Documents
    org: OrganizationId
    store_id: str
    again: bool = False
    """Replace documents that are there already, and call `on_replaced` with each."""
    on_replaced: Callable[[Document], None] = lambda _: None
    whole: dict[str, Below] = field(default_factory=dict)
    """The directories that are there to the last page with what was taken."""
    _pending: list[Document] = field(default_factory=list)

    async def add(self, page: DirectoryPage, first_name: bytes) -> None:
        """Take a page of a directory, unless the directory is whole already.

        Raises `Conflict` (`directory_incomplete`) when it is the last page and others are missing.
        """
        if page.tree_id in self.whole:
            return
        if page.pages == 1:
            self._pending.append({**head_of(self.org, self._name(page), page), "entries": page.entries})
        else:
            await self._add_page_of_several(page, first_name)
        if page.page == page.pages - 1:
            self.whole[page.tree_id] = Below(**page.totals.model_dump())

    async def flush(self) -> None:
        """Write what was taken and is not written yet."""
        pending, self._pending = self._pending, []
        if not self.again:
            await self.documents.insert(pending)
            return
        await self.documents.put(pending)
        for document in pending:
            self.on_replaced(document)

    async def _add_page_of_several(self, page: DirectoryPage, first_name: bytes) -> None:
        head = head_of(self.org, f"{self._name(page)}#{page.page}", page)
        self._pending.append({**head, "first_names": [first_name], "entries": page.entries})
        if page.page == page.pages - 1:
            # The directory's own document says that it is whole: it is built of what is stored, not of what was sent.
            await self.flush()
            self._pending.append(await self._own_document(page))

    async def _own_document(self, last: DirectoryPage) -> Document:
        """The document that says that all pages of a directory are there."""
        first_names: list[bytes] = []
        count = 0
        for numbers in in_chunks(0, last.pages):
            found = await self._stored_pages(last, numbers)
            if len(found) < len(numbers):
                raise incomplete(last, "some of its pages have not arrived")
            first_names += [document["first_names"][0] for document in found]
            count += sum(document["count"] for document in found)
        if count != last.total:
            raise incomplete(last, f"its pages hold {count} of {last.total} entries")
        return {**head_of(self.org, self._name(last), last), "first_names": first_names}

    async def _stored_pages(self, page: DirectoryPage, numbers: Sequence[int]) -> list[Document]:
        name = self._name(page)
        asked = (self.documents.get(f"{name}#{number}", without="entries") for number in numbers)
        return [document for document in await asyncio.gather(*asked) if document]

    def _name(self, page: DirectoryPage) -> str:
        return f"{self.store_id}/{page.tree_id}"
