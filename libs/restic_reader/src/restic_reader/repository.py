"""A restic repository, opened for reading. Nothing here writes, locks or waits for a lock."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from restic_reader import file_content, file_sequence, pre_order, sealed_sequence, walk
from restic_reader.access import Access
from restic_reader.blobs import Blobs
from restic_reader.crypto import Keys
from restic_reader.directories import Directories
from restic_reader.errors import BlobMissing, Damaged, NotAFile, ReaderError
from restic_reader.index import Location, TableCache
from restic_reader.keys import KeyRing
from restic_reader.limits import DEFAULT_LIMITS, Limits
from restic_reader.local_files import LocalFiles
from restic_reader.node_checks import content_of
from restic_reader.sealed_blobs import SealedBlob
from restic_reader.snapshots import Snapshots
from restic_reader.storage import RepositoryFiles
from restic_reader.stored_packs import StoredPacks
from restic_reader.structs import Node, Snapshot
from restic_reader.walked_directories import Walked

T = TypeVar("T")
_THREADS = 6
_LAYOUT_BYTES = 16 << 20


class Repository:
    """Snapshots, directories and file contents of one repository. Safe to use from any thread; close it after use."""

    def __init__(
        self,
        access: Access,
        *,
        cache_bytes: int,
        scratch: Path | None,
        cache_dir: Path | None,
        limits: Limits,
    ) -> None:
        self.config = access.config
        self._access = access
        self._scratch = scratch
        self._limits = limits
        self._files = files = access.files
        tables = None if cache_dir is None else TableCache(cache_dir, scope=access.config.id, limits=limits.index)
        # Apart, so that the contents of files never push out the directories that are browsed.
        half = cache_bytes // 2
        self._blobs = Blobs(files, access.box, cache_bytes=half, tables=tables, limits=limits.index)
        self._layouts = file_content.Layouts(self._blobs, cache_bytes=_LAYOUT_BYTES)
        self._directories = Directories(self._blobs, cache_bytes=half, scratch=scratch, limits=limits)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="repository")
        self._snapshots = Snapshots(access, self._pool)
        self.is_closed = False

    @classmethod
    def open(
        cls,
        files: RepositoryFiles,
        password: str,
        *,
        cache_bytes: int = 64 << 20,
        scratch: Path | None = None,
        cache_dir: Path | None = None,
        ring: KeyRing | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Self:
        """Opens a repository and loads its index; `cache_bytes` bounds the contents kept in memory.

        What is too large for memory is put, sealed as it is, into files without a name in the directory `scratch`.
        With `cache_dir`, a directory of this repository's own that may be deleted at any time, a large index is
        searched there and not in memory, and the next opening finds it ready. With `ring`, a key that it has is not
        derived from the password again.

        The files are the repository's from now on: closed with it, or when this fails. Raises `RepositoryNotFound`,
        `WrongPassword`, `UnsupportedVersion`, `Damaged`, or what `RepositoryFiles` does.
        """
        access = Access.open(files, password, ring=ring, limits=limits)
        try:
            repository = cls(access, cache_bytes=cache_bytes, scratch=scratch, cache_dir=cache_dir, limits=limits)
            repository.refresh()
        except BaseException:
            files.close()
            raise
        return repository

    def close(self) -> None:
        """Ends the threads that read ahead, and closes the files; nothing can be read afterwards."""
        self.is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._directories.close()
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def refresh(self) -> None:
        """Takes in what was written or pruned since; happens by itself when something is not found."""
        self._blobs.refresh()

    @property
    def access(self) -> Access:
        """What it tells without its index."""
        return self._access

    def confirm(self) -> None:
        """See `Access.confirm`."""
        self._access.confirm()

    @property
    def index_size(self) -> int:
        """How many blobs the index knows."""
        return len(self._blobs.index)

    def doubtful_packs(self) -> frozenset[bytes]:
        """Packs by which directories may be lost: those that held some and are gone or end before them, and those
        that are there and of which no index file tells.

        Costs a listing of all packs, and once one reading of the index. Packs of which no index file tells are also
        left by backups that were cut off.
        """
        return self._blobs.doubtful_packs()

    def stored_packs(self) -> StoredPacks:
        """Tells whether the contents of files are there without reading them. Costs a listing of all packs."""
        return StoredPacks(self._blobs)

    def snapshots(self) -> list[Snapshot]:
        """All snapshots as they are now, oldest first; raises `Damaged` when one cannot be read."""
        return self._snapshots.all()

    def snapshot_ids(self) -> list[str]:
        """The ids of all snapshots as they are now, of damaged ones too."""
        return self._snapshots.ids()

    def snapshot(self, prefix: str) -> Snapshot:
        """The snapshot whose id begins so; raises `SnapshotNotFound` when none or several do."""
        return self._snapshots.find(prefix)

    def locate(self, blob_id: str) -> Location:
        """Where a blob lies: in which pack, from which byte to which. Raises `BlobMissing`."""
        return self._blobs.locate(blob_id)

    def load_blob(self, blob_id: str) -> bytes:
        """A blob's content, compared with its id; raises `BlobMissing` or `Damaged`."""
        return self._blobs.load(blob_id)

    def tree(self, tree_id: str) -> list[Node]:
        """The nodes of a directory, in the order of the bytes of their names; the list is shared: leave it as it is.

        All of them at once, even millions; see `parts`. Raises `BlobMissing` or `Damaged`.
        """
        return self._directories.nodes(tree_id)

    def parts(self, tree_id: str) -> Iterator[list[Node]]:
        """The nodes of a directory as `tree` has them, of a large one some thousand at a time, in bounded memory."""
        return self._directories.parts(tree_id)

    def resolve(self, root: str, path: bytes, *, shown: bool = False) -> Node:
        """The node at a path below the tree `root`; "/" is a directory without a name.

        Symbolic links are not followed and ".." is a name like any other. With `shown`, a name that does not exist
        may also be the shown form of one that is not UTF-8. Raises `PathNotFound`, `NotADirectory` where the path goes
        on below something else, or `Damaged`.
        """
        return self._directories.resolve(root, path, shown=shown)

    def content_length(self, node: Node) -> int:
        """How many bytes `read` has for a file, by the index; raises `NotAFile`, `BlobMissing` or `Damaged`."""
        ends = self._layouts.ends(_blobs_of(node))
        return ends[-1] if ends else 0

    def read(self, node: Node, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """The bytes of a file from `offset`, `length` of them or all that follow, in pieces of at most a blob.

        Nothing that lies before `offset` is read from the store; about 12 MiB are read ahead. Raises `NotAFile`,
        `BlobMissing`, and `Damaged` for a file whose node tells of no content, at once; `Damaged` (and, after a prune,
        `BlobMissing`) while reading, before any byte of the blob in question.
        """
        if offset < 0 or (length is not None and length < 0):
            raise ValueError("offset and length are not negative")
        ids = _blobs_of(node)
        ends = self._layouts.ends(ids)
        return file_content.read_content(self._blobs, ids, ends, pool=self._pool, offset=offset, length=length)

    def blob_lengths(self, node: Node) -> list[tuple[str, int]]:
        """The ids of the blobs that make up a file, and how long each is; raises like `content_length`."""
        ids = _blobs_of(node)
        ends = self._layouts.ends(ids)
        return [(each, end - begin) for each, begin, end in zip(ids, (0, *ends), ends, strict=False)]

    def descend(
        self, top: pre_order.Found, *, on_damage: Callable[[str, ReaderError], None] | None = None
    ) -> Generator[pre_order.Found, None, None]:
        """See `pre_order.descend`. `on_damage` gets each directory that is damaged or missing, by its tree's id;
        what can be read of it and everything beside it still comes.
        """

        def parts(tree_id: str) -> Iterator[list[Node]]:
            try:
                yield from self.parts(tree_id)
            except (Damaged, BlobMissing) as error:
                if on_damage is None:
                    raise
                on_damage(tree_id, error)

        return pre_order.descend(parts, top, pool=self._pool)

    def read_all(
        self, found: Iterator[pre_order.Found], *, is_measured: bool = True
    ) -> Generator[file_sequence.ReadFile, None, None]:
        """The contents of many files in one go; see `file_sequence.read_sequence`."""
        return file_sequence.read_sequence(self._blobs, found, pool=self._pool, is_measured=is_measured)

    @property
    def keys(self) -> Keys:
        """What opens blobs, for `Unsealing`: secrets."""
        return self._access.box.keys

    @property
    def local_files(self) -> LocalFiles | None:
        """What another process of this machine can read the repository with; None where only this one can."""
        return self._files if isinstance(self._files, LocalFiles) else None

    def all_sealed(
        self, asked: Iterable[sealed_sequence.Asked[T]], *, is_read: bool
    ) -> Generator[tuple[T, list[SealedBlob] | None], None, None]:
        """Each of what was asked for with its blobs, unless `is_read` without what is stored of them.

        None where one is in no index, or they have another size. See `sealed_sequence`.
        """
        if is_read:
            yield from sealed_sequence.read_all_sealed(self._blobs, asked, pool=self._pool)
            return
        for each, wanted in sealed_sequence.locate_all(self._blobs, asked):
            yield each, None if wanted is None else [SealedBlob(blob, None) for blob in wanted]

    def walk_new(self, root: str, known: walk.Known) -> Iterator[Walked]:
        """See `walk.walk_new`."""
        means = walk.WalkMeans(blobs=self._blobs, pool=self._pool, scratch=self._scratch, limits=self._limits)
        return walk.walk_new(means, root, known)


def _blobs_of(node: Node) -> tuple[str, ...]:
    if node.type != "file":
        raise NotAFile(node.name, type_=node.type)
    return content_of(node)
