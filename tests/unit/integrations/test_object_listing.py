"""Listings of servers that tell odd times and sizes, and copies that the machine has no room for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from integrations.object_storage.copy_index import CopyIndex
from integrations.object_storage.listing import Entry, Listing, Problems
from integrations.object_storage.local_copy import LocalCopy
from integrations.object_storage.port import ListedObject, ObjectUnread
from integrations.s3.responses import read_page
from integrations.sdk.errors import ScratchFull

SECOND = 10**9


def page(*, modified: str = "2026-01-01T00:00:00Z", size: str = "1") -> bytes:
    entry = f"<Key>p/a</Key><LastModified>{modified}</LastModified><Size>{size}</Size>"
    return f"<ListBucketResult><Contents>{entry}</Contents></ListBucketResult>".encode()


def nanoseconds(year: int) -> int:
    return int((datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * SECOND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2300-01-01T00:00:00.000Z", nanoseconds(2300)),
        ("9999-01-01T00:00:00Z", nanoseconds(9999)),
        ("1601-01-01T00:00:00Z", nanoseconds(1601)),
        ("0001-01-01T00:00:00Z", nanoseconds(1)),
        ("not a time", 0),
        ("10000-01-01T00:00:00Z", 0),
        ("", 0),
    ],
)
def test_any_time_can_be_listed_and_kept(tmp_path: Path, text: str, expected: int) -> None:
    (found,) = read_page(page(modified=text), prefix="p/").objects
    listing, index = Listing(tmp_path / "listing.db"), CopyIndex(tmp_path / "copied.db")
    listing.add([found])
    listing.settle()
    ((entry,),) = listing.batches()
    index.add([entry])
    listing.keep_as(tmp_path / "kept.db", snapshot_id="snapshot")

    assert entry.object.modified_ns == expected
    assert listing.parent_of(tmp_path / "kept.db") == "snapshot"
    assert index.outdated([entry], tmp_path) == [entry]  # Its file is not there.
    index.close()
    listing.close()


@pytest.mark.parametrize("size", ["much", "-1", str(1 << 63)])
def test_a_size_that_none_can_be_is_no_listing(size: str) -> None:
    with pytest.raises(ValueError, match=r"size|invalid"):
        read_page(page(size=size), prefix="p/")


class FullDisk:
    """See `ObjectStore`: writes where no space is left."""

    async def pages(self) -> AsyncIterator[Sequence[ListedObject]]:
        yield []

    async def fetch(self, listed: ListedObject, into: Path) -> ListedObject:
        into.symlink_to("/dev/full")
        with into.open("wb") as file:
            file.write(b"data")
        return listed

    async def look_up(self, key: str) -> ListedObject:
        raise NotImplementedError

    async def why_unread(self, listed: ListedObject) -> ObjectUnread | None:
        raise NotImplementedError


async def test_a_copy_without_room_ends_in_words(tmp_path: Path) -> None:
    listing = Listing(tmp_path / "listing.db")
    listing.add([ListedObject(key="a", size=4, modified_ns=0)])
    listing.settle()
    copy = LocalCopy(FullDisk(), listing, Problems(listing), place=tmp_path, on_log=lambda *_: None)

    with pytest.raises(ScratchFull, match="no space left on device"):
        await copy.run(asyncio.Event())

    index = CopyIndex(tmp_path / "copied.db")
    entry = Entry(ListedObject(key="a", size=4, modified_ns=0), "a")
    assert index.outdated([entry], tmp_path / "copy") == [entry]
    assert list((tmp_path / "incoming").iterdir()) == list((tmp_path / "copy").iterdir()) == []
    index.close()
    listing.close()
