"""Reads one file of a restore point for a download, without a restore."""

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import NamedTuple

from contracts.messages.restore_index import RestorePoint
from contracts.paths import split_path, without_prefix
from contracts.values import OrganizationId, SnapshotId
from restic_reader import Node, Repository
from restic_reader.errors import BlobMissing, Damaged, NotADirectory, PathNotFound

from connector.context.apps import find_store
from connector.store.ports import Store
from connector.stores.open_stores import OpenStores
from connector.stores.restore_points import restore_point_of


class Span(NamedTuple):
    """A part of a file, in bytes."""

    offset: int
    length: int


@dataclass(frozen=True)
class FoundFile:
    """A file in a restore point. The tag is strong: equal tags, equal bytes."""

    name: bytes
    size: int
    tag: str
    mtime_ns: int


Choose = Callable[[FoundFile], Span | None]
"""Which part of a file is wanted; None: nothing of it."""


class Content:
    """An opened file: its facts, and the bytes of the part that was chosen. Close it after use."""

    def __init__(
        self, found: FoundFile, first: bytes, pieces: "_Pieces", *, store_id: str, stack: AsyncExitStack
    ) -> None:
        self.found = found
        self._store_id = store_id
        self._first = first
        self._pieces = pieces
        self._stack = stack

    async def read(self, stores: OpenStores) -> AsyncIterator[bytes]:
        """The bytes, piece by piece. Raises `Damaged` or `BlobMissing` before any byte of the blob in question."""
        piece = self._first
        while piece:
            yield piece
            piece = await self._next(stores)

    async def _next(self, stores: OpenStores) -> bytes:
        try:
            return await stores.in_thread(self._pieces.next, of=self._store_id)
        except (BlobMissing, Damaged) as error:
            # Through the context of `borrow`, which closes the damaged repository and reports the loss.
            await self._stack.__aexit__(type(error), error, error.__traceback__)
            raise

    async def close(self) -> None:
        """Stop reading; harmless while a piece is still being read, and when done twice."""
        self._pieces.close()
        await self._stack.aclose()


class _Pieces:
    """An iterator of bytes that may be closed from another thread than the one that reads it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._lock = threading.Lock()
        self._closed = False

    def next(self) -> bytes:
        """The next piece that is not empty; nothing at the end, or once it was closed."""
        with self._lock:
            piece = b"" if self._closed else next((piece for piece in self._pieces if piece), b"")
            if self._closed:
                # Closed while this thread was reading: `close` did not wait for the lock, so the end is left to us.
                self._end()
                return b""
            return piece

    def close(self) -> None:
        self._closed = True
        # Never waits: it runs on the event loop, and a read of a store that does not answer may take minutes.
        if self._lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._lock.release()

    def _end(self) -> None:
        if close := getattr(self._pieces, "close", None):
            close()


async def open_content(
    store: Store,
    stores: OpenStores,
    org: OrganizationId,
    *,
    store_id: str,
    snapshot_id: str,
    path: bytes,
    choose: Choose,
) -> Content:
    """Open a file of a restore point, with its first piece read, so that most of what can go wrong goes wrong now.

    Raises `app_not_found`, `snapshot_not_found`, `path_not_found`, `path_invalid`, `not_a_file`, what opening the
    store raises, or `repository_damaged`.
    """
    app = await find_store(store, org, store_id)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(stores.borrow(org, app, reading=SnapshotId(snapshot_id)))

        def begin() -> tuple[FoundFile, bytes, _Pieces]:
            point = restore_point_of(opened.snapshot(snapshot_id), org=org, store_id=app.id)
            return _begin(opened.repository, find_node(opened.repository, point, path), choose)

        found, first, pieces = await stores.in_thread(begin, of=app.id)
        return Content(found, first, pieces, store_id=app.id, stack=stack.pop_all())
    raise AssertionError("not reached")


def _begin(repository: Repository, node: Node, choose: Choose) -> tuple[FoundFile, bytes, _Pieces]:
    size = repository.content_length(node)
    # Over the ids of its blobs, which are hashes of their contents: a strong tag without reading the file.
    tag = hashlib.sha256("".join(node.content or ()).encode()).hexdigest()
    found = FoundFile(node.name, size, tag, node.mtime_ns)
    wanted = choose(found)
    if wanted is None or wanted.length == 0:
        return found, b"", _Pieces(iter(()))
    pieces = _Pieces(repository.read(node, wanted.offset, wanted.length))
    return found, pieces.next(), pieces


def find_node(repository: Repository, point: RestorePoint, path: bytes) -> Node:
    """The node at a path; names may be given as they are shown. Raises `PathNotFound`, `path_invalid`.

    A path that is not there is tried again without the root of the source.
    """
    # Users know paths of their source, while the tree begins below the root that the worker backed up (decision 0010).
    names = split_path(path)
    try:
        return _resolve(repository, point.tree_id, path)
    except PathNotFound:
        rest = without_prefix(names, point.source_root)
        if rest is None:
            raise
        return _resolve(repository, point.tree_id, b"/" + b"/".join(rest))


def _resolve(repository: Repository, tree_id: str, path: bytes) -> Node:
    try:
        return repository.resolve(tree_id, path, shown=True)
    except NotADirectory:
        raise PathNotFound(path) from None
