"""Objects written with a key that may not look at what is there."""

import asyncio
from typing import Any

import pytest
from integrations.s3.restored_objects import RestoredObjects
from integrations.sdk.conformance import a_file
from integrations.sdk.ports.destination import NotWritten, RestoredNode
from restic_reader import Node


class Bucket:
    """A server that tells such a key nothing of what is missing."""

    def __init__(self, *, may_write: bool = True) -> None:
        self.may_write = may_write
        self.objects: dict[str, bytes] = {}

    async def look_up(self, key: str) -> None:
        raise NotWritten(f"{key} may not be read")

    async def put(self, key: str, body: bytes, *, modified_ns: int | None) -> None:
        if not self.may_write:
            raise NotWritten(f"{key} may not be written")
        self.objects[key] = body


def destination(bucket: Any) -> RestoredObjects:
    loop = asyncio.get_running_loop()
    return RestoredObjects(bucket, names_of="files", off_limits={}, loop=loop, cancel=asyncio.Event())


async def test_what_cannot_be_looked_up_is_written_and_counted_as_new() -> None:
    bucket, file = Bucket(), a_file("a/file", b"x")
    empty = RestoredNode(path=b"empty", node=Node(quoted_name="empty", type="dir"), is_empty=True)
    restored = destination(bucket)

    assert not await asyncio.to_thread(restored.write, file, iter((b"x",)))
    assert await asyncio.to_thread(restored.make_directory, empty, keep_attributes=False)

    assert bucket.objects == {"a/file": b"x", "empty/": b""}


async def test_what_may_have_to_stay_is_not_written_where_it_cannot_be_looked_up() -> None:
    bucket, file = Bucket(), a_file("a/file", b"x")
    empty = RestoredNode(path=b"empty", node=Node(quoted_name="empty", type="dir"), is_empty=True)
    restored = destination(bucket)

    for ask in (restored.existing, lambda each: restored.write(each, iter((b"x",)))):
        with pytest.raises(NotWritten, match="a/file may not be read"):
            await asyncio.to_thread(ask, file)
    with pytest.raises(NotWritten, match="empty/ may not be read"):
        await asyncio.to_thread(restored.make_directory, empty, keep_attributes=True)

    assert not bucket.objects


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("symlink", "a symbolic link"),
        ("fifo", "a pipe"),
        ("dev", "a block device"),
        ("chardev", "a character device"),
        ("socket", "a socket"),
    ],
)
async def test_what_is_no_object_is_told_before_and_by_writing(type_: str, words: str) -> None:
    restored, each = destination(Bucket()), RestoredNode(path=b"x", node=Node(quoted_name="x", type=type_))

    for refused in (restored.require_keepable, lambda each: restored.write(each, iter(()))):
        with pytest.raises(NotWritten, match=f"^{words} cannot be kept as an object$"):
            await asyncio.to_thread(refused, each)
    for kept in (a_file("file", b"x"), RestoredNode(path=b"d", node=Node(quoted_name="d", type="dir"))):
        restored.require_keepable(kept)


async def test_writing_tells_what_is_wrong() -> None:
    restored = destination(Bucket(may_write=False))

    with pytest.raises(NotWritten, match="may not be written"):
        await asyncio.to_thread(restored.write, a_file("file", b"x"), iter((b"x",)))
