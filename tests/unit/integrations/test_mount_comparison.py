"""What a snapshot of a mount is compared with, and what becomes of a difference."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from integrations.object_storage.listing import Listing, Problems
from integrations.object_storage.mounted_source import MountComparison
from integrations.object_storage.port import NOT_SHOWN, ListedObject, ObjectGone, ObjectUnread
from integrations.sdk.errors import Cancelled
from integrations.sdk.locations import SavedFile, UnreadablePath

CUT = "object_unreadable: has 0 bytes in the restore point, but 4 in the source"


@dataclass
class Bucket:
    """What is in a bucket by now: see `ObjectStore`."""

    objects: dict[str, int] = field(default_factory=dict)
    refused: dict[str, ObjectUnread] = field(default_factory=dict)

    async def pages(self) -> AsyncIterator[Sequence[ListedObject]]:
        yield [listed(key, size) for key, size in self.objects.items()]

    async def fetch(self, listed: ListedObject, into: Path) -> ListedObject:
        raise NotImplementedError

    async def look_up(self, key: str) -> ListedObject:
        if key not in self.objects:
            raise ObjectGone
        return listed(key, self.objects[key])

    async def why_unread(self, listed: ListedObject) -> ObjectUnread | None:
        return self.refused.get(listed.key)


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    made = Listing(tmp_path / "listing.db")
    yield made
    made.close()


@pytest.fixture
def comparison(listing: Listing, tmp_path: Path) -> MountComparison:
    Problems(listing)
    listing.add([listed("a", 4), listed("folder/b", 2), listed("folder/", 0)])
    listing.settle()
    return MountComparison(Bucket({"a": 4, "folder/b": 2}), listing, tmp_path / "kept")


def test_what_was_listed_adds_up(comparison: MountComparison, listing: Listing) -> None:
    assert comparison.adds_up(files=2, size_bytes=6)
    assert not comparison.adds_up(files=2, size_bytes=2)
    assert not comparison.adds_up(files=3, size_bytes=6)


@pytest.mark.parametrize(
    ("saved", "now", "named"),
    [
        ({"a": 4, "folder/b": 2}, {}, []),
        ({"a": 0, "folder/b": 2}, {}, [f"/a: {CUT}"]),
        ({"a": 7, "folder/b": 2}, {"a": 7}, []),
        ({"a": 0, "folder/b": 2}, {"a": None}, ["/a: was removed while the source was read"]),
        ({"folder/b": 2}, {}, ["/a: object_not_shown: is listed, but the mount does not show it"]),
        ({"folder/b": 2}, {"a": None}, ["info Removed while the source was read: /a"]),
        ({"a": 4, "folder/b": 2, "new": 3}, {"new": 3}, []),
        ({"a": 4, "folder/b": 2, "new": 0}, {"new": 4}, [f"/new: {CUT}"]),
    ],
    ids=["same", "cut off", "changed", "cut off and gone", "lacking", "gone", "new", "new and cut off"],
)
async def test_a_difference_is_named_unless_the_source_has_it_by_now(
    comparison: MountComparison, saved: dict[str, int], now: dict[str, int | None], named: list[str]
) -> None:
    bucket = {key: size for key, size in ({"a": 4, "folder/b": 2} | now).items() if size is not None}
    object.__setattr__(comparison, "store", Bucket(bucket))
    comparison.take_in(files(saved))

    assert await found(comparison) == named


async def test_the_reason_of_the_source_is_told(comparison: MountComparison) -> None:
    why = {"a": ObjectUnread("object_forbidden", "no right")}
    object.__setattr__(comparison, "store", Bucket({"a": 4, "folder/b": 2}, refused=why))
    comparison.take_in(files({"a": 0, "folder/b": 2}))

    sizes = CUT.removeprefix("object_unreadable: ")
    assert await found(comparison) == [f"/a: object_forbidden: no right; {sizes}"]


@pytest.mark.parametrize(
    ("named", "ignored"),
    [((UnreadablePath("/folder", "input/output error"),), ""), ((), "/folder/b")],
    ids=["folder is named", "left out"],
)
async def test_what_is_named_or_left_out_is_not_named_again(
    comparison: MountComparison, named: tuple[UnreadablePath, ...], ignored: str
) -> None:
    comparison.take_in(files({"a": 4}))

    assert await found(comparison, named, is_left_out=lambda path: path == ignored) == []


async def test_what_the_mount_did_not_show_is_not_named_again(comparison: MountComparison, listing: Listing) -> None:
    listing.database.run("INSERT INTO problems VALUES (?, ?, ?)", [b"a", NOT_SHOWN, "hidden"])
    comparison.take_in(files({"folder/b": 2}))

    assert comparison.adds_up(files=1, size_bytes=2)
    assert await found(comparison) == []


async def test_a_file_that_was_cut_off_is_no_evidence_for_the_next_run(
    comparison: MountComparison, listing: Listing
) -> None:
    comparison.take_in(files({"a": 0, "folder/b": 2, "new": 1}))
    await found(comparison)
    comparison.keep("store", "snapshot")
    (kept,) = comparison.place.glob("*.db")

    assert listing.parent_of(kept) is None  # Same size and time by now, of which nobody knows what was read.
    listing.correct("a", size=4, modified_ns=1)
    listing.correct("new", size=2, modified_ns=1)
    assert listing.parent_of(kept) == "snapshot"  # Size and time tell what has to be read.


async def test_a_source_that_does_not_answer_is_waited_for_until_the_run_is_cancelled(
    comparison: MountComparison,
) -> None:
    asked = asyncio.Event()

    class Silent(Bucket):
        async def look_up(self, key: str) -> ListedObject:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError(key)

    object.__setattr__(comparison, "store", Silent())
    comparison.take_in([])
    finding = asyncio.create_task(found(comparison))
    await asked.wait()
    comparison.cancel.set()

    async with asyncio.timeout(10):
        with pytest.raises(Cancelled):
            await finding


async def test_what_was_removed_meanwhile_is_told_in_few_lines(listing: Listing, tmp_path: Path) -> None:
    Problems(listing)
    listing.add([listed(f"{number:03}", 1) for number in range(900)])
    listing.settle()
    comparison = MountComparison(Bucket(), listing, tmp_path / "kept")
    comparison.take_in([])

    told = await found(comparison)

    assert len(told) < 10
    assert sum(line.count("/") for line in told) == 900


def listed(key: str, size: int) -> ListedObject:
    return ListedObject(key=key, size=size, modified_ns=1, etag=f'"{key}"')


def files(sizes: dict[str, int]) -> list[SavedFile]:
    return [SavedFile(path, size, 1) for path, size in sizes.items()]


async def found(
    comparison: MountComparison,
    named: tuple[UnreadablePath, ...] = (),
    *,
    is_left_out: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    told: list[str] = []
    differences = comparison.differences(
        named, is_left_out=is_left_out, on_log=lambda level, text: told.append(f"{level} {text}")
    )
    return [problem.as_line async for problem in differences] + told
