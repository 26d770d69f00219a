"""An archive of a selection: opened, read piece by piece, closed without leaving anything behind."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from typing import Literal, NamedTuple

from contracts.values import OrganizationId, SnapshotId
from restic_reader import Found, ReadFile, Repository
from restic_reader.errors import BlobMissing, Damaged

from connector.context.apps import find_store
from connector.downloads.archives import tar_archive, zip_archive
from connector.downloads.archives.windows_names import is_windows, windows_path
from connector.failures import FAILURES
from connector.store.ports import Store
from connector.stores.open_stores import OpenStores
from connector.stores.restore_points import restore_point_of
from connector.stores.selection import Chosen, archive_name, choose, tops_of

log = logging.getLogger(__name__)
_PIECE_BYTES = 256 << 10
# Sent by then even if the piece is small, so that proxies and clients see that a download from a slow store is alive.
_SILENCE_SECONDS = 2
Format = Literal["zip", "tar.zst"]


class _Writer(NamedTuple):
    write: Callable[[Iterator[ReadFile]], Generator[bytes, None, None]]
    types: frozenset[str]
    media_type: str


_WRITERS: dict[Format, _Writer] = {
    "zip": _Writer(zip_archive.zip_pieces, zip_archive.TYPES, zip_archive.MEDIA_TYPE),
    "tar.zst": _Writer(tar_archive.tar_zst_pieces, tar_archive.TYPES, tar_archive.MEDIA_TYPE),
}


class Archive:
    """An opened archive: how it is called, and its bytes. Close it after use."""

    def __init__(
        self, pieces: Generator[bytes, None, None], first: bytes, *, name: str, form: Format, store_id: str
    ) -> None:
        self.name = f"{name}.{form}"
        self.media_type = _WRITERS[form].media_type
        self._store_id = store_id
        self._pieces = pieces
        self._first = first
        self._step: asyncio.Future[bytes] | None = None
        self._stack = AsyncExitStack()

    def hold(self, stack: AsyncExitStack) -> "Archive":
        """Keep open what the bytes come from, until this is closed."""
        self._stack = stack
        return self

    async def read(self, stores: OpenStores) -> AsyncIterator[bytes]:
        """The bytes, piece by piece. Raises what reading the store raises; what came before is no whole archive."""
        piece = self._first
        while piece:
            yield piece
            piece = await self._next(stores)

    async def _next(self, stores: OpenStores) -> bytes:
        self._step = asyncio.ensure_future(stores.in_thread(lambda: next(self._pieces, b""), of=self._store_id))
        # Shielded: the thread cannot be cancelled, so `close` has to find it and wait for its end.
        try:
            return await asyncio.shield(self._step)
        except FAILURES as error:
            log.warning("archive broke off", extra={"archive": self.name, "code": error.code})
            if isinstance(error, BlobMissing | Damaged):
                # Through the context of `borrow`, which closes the damaged repository and reports the loss.
                await self._stack.__aexit__(type(error), error, error.__traceback__)
            raise

    async def close(self) -> None:
        """Stop, and give the store back once the piece that is being written is done. Harmless when repeated."""
        if self._step is not None:
            await asyncio.wait([self._step])
            if not self._step.cancelled():
                self._step.exception()
        # A generator that runs in a thread cannot be closed, hence the wait before.
        self._pieces.close()
        await self._stack.aclose()


async def open_archive(
    store: Store,
    stores: OpenStores,
    org: OrganizationId,
    *,
    store_id: str,
    snapshot_id: str,
    paths: Sequence[bytes],
    form: Format,
) -> Archive:
    """Open an archive of what the paths mean, with its first piece written, so that most of what can go wrong does now.

    Raises `app_not_found`, `snapshot_not_found`, `path_not_found` and `path_invalid` naming the path, what opening the
    store raises, or `repository_damaged`.
    """
    app = await find_store(store, org, store_id)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(stores.borrow(org, app, reading=SnapshotId(snapshot_id)))

        def begin() -> Archive:
            point = restore_point_of(opened.snapshot(snapshot_id), org=org, store_id=app.id)
            selection = choose(opened.repository, point, paths)
            made = archive_pieces(opened.repository, selection, form, for_windows=is_windows(point.paths))
            pieces = _joined(made)
            name = archive_name(selection, point.snapshot_id)
            return Archive(pieces, next(pieces, b""), name=name, form=form, store_id=app.id)

        archive = await stores.in_thread(begin, of=app.id)
        return archive.hold(stack.pop_all())
    raise AssertionError("not reached")


async def is_one_file(
    store: Store, stores: OpenStores, org: OrganizationId, *, store_id: str, snapshot_id: str, paths: Sequence[bytes]
) -> bool:
    """Whether a selection is one file and nothing else. Raises like `open_archive`."""
    app = await find_store(store, org, store_id)
    async with stores.borrow(org, app, reading=SnapshotId(snapshot_id)) as opened:

        def look() -> bool:
            point = restore_point_of(opened.snapshot(snapshot_id), org=org, store_id=app.id)
            return [chosen.node.type for chosen in choose(opened.repository, point, paths)] == ["file"]

        return await stores.in_thread(look, of=app.id)
    raise AssertionError("not reached")


def archive_pieces(
    repository: Repository, selection: Sequence[Chosen], form: Format, *, for_windows: bool = False
) -> Generator[bytes, None, None]:
    """An archive of a selection, in pieces of any size; a zip `for_windows` with names that Windows can open."""
    writer, left_out = _WRITERS[form], Counter[str]()
    with (
        closing(_below(repository, tops_of(selection), types=writer.types, left_out=left_out)) as found,
        closing(repository.read_all(found)) as files,
    ):
        if for_windows and form == "zip":
            yield from zip_archive.zip_pieces(files, rename=windows_path)
        else:
            yield from writer.write(files)
    if left_out:
        log.info("left out of an archive", extra={"format": form, "types": dict(left_out)})


def _below(
    repository: Repository, tops: Sequence[Found], *, types: frozenset[str], left_out: Counter[str]
) -> Generator[Found, None, None]:
    for top in tops:
        with closing(repository.descend(top)) as below:
            for found in below:
                if found.node.type in types:
                    yield found
                else:
                    left_out[found.node.type] += 1


def _joined(pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The same bytes in pieces of 256 KiB or more, as each is a step in a thread; of less where a store is slow."""
    with closing(pieces):
        waiting: list[bytes] = []
        size, since = 0, time.monotonic()
        for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE_BYTES or time.monotonic() - since > _SILENCE_SECONDS:
                yield b"".join(waiting)
                waiting, size, since = [], 0, time.monotonic()
        if waiting:
            yield b"".join(waiting)
