"""What restore points reach, and what lies in order, found from the frames of the segments of names."""

import hashlib
from collections.abc import Iterable

from restore_index.domain.hash_table import HashTable
from restore_index.domain.segment_frame import Frame


class Reachability:
    """Grows from the roots as it is shown pages, whatever their order; parents before children is quickest.

    Takes 74 bytes for each directory that is reached.
    """

    def __init__(self, roots: Iterable[bytes]) -> None:
        self._reached = HashTable(0)
        self._shown = HashTable(0)
        self._pages: dict[bytes, int] = {}
        for root in roots:
            self._reached.put(root, b"")

    def __contains__(self, tree: bytes) -> bool:
        """Whether a directory is reached, as far as it was shown."""
        return self._reached.get(tree) is not None

    def add(self, frame: Frame) -> None:
        """Take in the pages of a segment, last ones first."""
        # Backwards, as parents come behind their children: a parent is known to be reachable before its children come.
        child = len(frame.child_pages)
        for page in range(len(frame) - 1, -1, -1):
            tree = frame.tree(page)
            reached = tree in self
            if reached:
                self._show(tree, frame.pages[page], frame.of[page])
            while child and frame.child_pages[child - 1] == page:
                child -= 1
                if reached:
                    self._reached.put(frame.child(child), b"")

    @property
    def progress(self) -> tuple[int, int]:
        """Something that changes while there is any."""
        return len(self._reached), len(self._shown)

    def is_whole(self) -> bool:
        """Whether all pages of all that is reached were shown after it was reached."""
        return all(self._was_shown(tree) for tree, _ in self._reached.records())

    def _show(self, tree: bytes, page: int, of: int) -> None:
        self._shown.put(page_key(tree, page, of), b"")
        if of > 1:
            self._pages[tree] = of

    def _was_shown(self, tree: bytes) -> bool:
        of = self._pages.get(tree, 1)
        return all(self._shown.get(page_key(tree, page, of)) is not None for page in range(of))


class ChildrenFirstPages:
    """Which pages came behind all that is below them, as searches need them. Pages are taken in their order."""

    def __init__(self) -> None:
        self._there = HashTable(0)
        self._pages: dict[bytes, int] = {}

    def __contains__(self, page: tuple[bytes, int, int]) -> bool:
        """Whether a page (directory, number, how many there are) came so."""
        return self._there.get(page_key(*page)) is not None

    def add(self, tree: bytes, page: int, of: int, below: Iterable[bytes]) -> None:
        """Take in a page, and what is right below it."""
        if (tree, page, of) in self or any(self._there.get(child) is None for child in below):
            return
        self._there.put(page_key(tree, page, of), b"")
        if of > 1:
            self._pages[tree] = self._pages.get(tree, 0) + 1
            if self._pages[tree] == of:
                self._there.put(tree, b"")


def page_key(tree: bytes, page: int, of: int) -> bytes:
    """A hash that stands for one page of a directory."""
    # The table takes only keys that are spread as hashes are.
    return tree if of == 1 else hashlib.sha256(tree + page.to_bytes(8)).digest()
