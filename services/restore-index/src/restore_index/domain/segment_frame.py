"""How the pages of a name segment lie in its columns, and which directories are below them."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from restore_index.domain.packed_numbers import (
    NamesDamaged,
    lengths_of,
    offsets,
    to_array,
    to_bytes,
    uints_to_bytes,
    unpack_bytes,
)

TREE_BYTES = 32


class PackedFrame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A `Frame` as it is stored: lengths in place of offsets. The order of the fields is the format."""

    trees: bytes
    pages: bytes
    of: bytes
    files: bytes
    counts: bytes
    name_ends: bytes
    text_ends: bytes
    child_pages: bytes
    child_entries: bytes
    child_trees: bytes


@dataclass(frozen=True)
class Frame:
    """How the pages of a segment lie in its columns, and the directories below them. All arrays are of unsigned ints.

    `trees` has 32 bytes for each page; `pages` is its number, `of` how many the directory has, and `files` how many are
    below that. `entries`, `names` and `texts` have one element more than there are pages: page n has what is from
    element n up to element n + 1 (rows; bytes of `names`; bytes of what `text` stands for). Child m is entry
    `child_entries[m]` of page `child_pages[m]` and has the id `child_trees[32 * m:][:32]`; children come in the order
    of the pages.
    """

    trees: bytes
    pages: "array[int]"
    of: "array[int]"
    files: "array[int]"
    entries: "array[int]"
    names: "array[int]"
    texts: "array[int]"
    child_pages: "array[int]"
    child_entries: "array[int]"
    child_trees: bytes

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self.pages)

    def tree(self, page: int) -> bytes:
        """The id of the directory that a page is of."""
        return self.trees[page * TREE_BYTES : (page + 1) * TREE_BYTES]

    def child(self, number: int) -> bytes:
        """The id of a child."""
        return self.child_trees[number * TREE_BYTES : (number + 1) * TREE_BYTES]

    def children(self) -> Iterator[list[bytes]]:
        """The ids of the children of each page."""
        start = 0
        for page in range(len(self)):
            # Children come in the order of their pages: each search begins where the last one ended.
            end = bisect_right(self.child_pages, page, start)
            yield [self.child(number) for number in range(start, end)]
            start = end


def unpack_packed_frame(packed: bytes) -> PackedFrame:
    """The frame as it is stored. Raises `NamesDamaged`."""
    try:
        return msgspec.msgpack.decode(unpack_bytes(packed), type=PackedFrame)
    except msgspec.MsgspecError:
        raise NamesDamaged from None


def unpack_frame(packed: bytes, *, has_text: bool) -> Frame:
    """The frame of a segment; without a text of its own the text lies as the names do. Raises `NamesDamaged`."""
    stored = unpack_packed_frame(packed)
    names = offsets(stored.name_ends)
    frame = Frame(
        trees=stored.trees,
        pages=to_array("I", stored.pages),
        of=to_array("I", stored.of),
        files=to_array("Q", stored.files),
        entries=offsets(stored.counts),
        names=names,
        texts=offsets(stored.text_ends) if has_text else names,
        child_pages=to_array("I", stored.child_pages),
        child_entries=to_array("I", stored.child_entries),
        child_trees=stored.child_trees,
    )
    # Arrays that do not fit each other would put names into the wrong directories.
    if not _lengths_agree(frame):
        raise NamesDamaged
    return frame


def select_from_frame(frame: Frame, kept: Sequence[bool], *, has_text: bool) -> PackedFrame:
    """The frame of a segment that has those pages alone for which `kept` is true."""
    pages = [number for number, keep in enumerate(kept) if keep]
    return PackedFrame(
        trees=b"".join(map(frame.tree, pages)),
        pages=uints_to_bytes(map(frame.pages.__getitem__, pages)),
        of=uints_to_bytes(map(frame.of.__getitem__, pages)),
        files=to_bytes(array("Q", map(frame.files.__getitem__, pages))),
        counts=lengths_of(frame.entries, pages),
        name_ends=lengths_of(frame.names, pages),
        text_ends=lengths_of(frame.texts, pages) if has_text else b"",
        **_select_children(frame, kept, pages),
    )


def _select_children(frame: Frame, kept: Sequence[bool], pages: Sequence[int]) -> dict[str, bytes]:
    """What is below the kept pages, by the new numbers of these pages."""
    new_numbers = {old: new for new, old in enumerate(pages)}
    children = [child for child, page in enumerate(frame.child_pages) if kept[page]]
    return {
        # Pages that are left out leave no gap in the numbers.
        "child_pages": uints_to_bytes(new_numbers[frame.child_pages[child]] for child in children),
        "child_entries": uints_to_bytes(map(frame.child_entries.__getitem__, children)),
        "child_trees": b"".join(map(frame.child, children)),
    }


def _lengths_agree(frame: Frame) -> bool:
    pages, children = len(frame), len(frame.child_pages)
    of_pages = {
        len(frame.of),
        len(frame.files),
        len(frame.entries) - 1,
        len(frame.names) - 1,
        len(frame.texts) - 1,
        len(frame.trees) / TREE_BYTES,
    }
    of_children = {len(frame.child_entries), len(frame.child_trees) / TREE_BYTES}
    return of_pages == {pages} and of_children == {children}
