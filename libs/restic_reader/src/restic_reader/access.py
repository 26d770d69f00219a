"""What a repository tells without its index: which one it is, whether it is whole, and who has locked it."""

import hashlib
from typing import Self

import msgspec

from restic_reader.crypto import Box
from restic_reader.errors import Damaged, FileMissing, PartMissing, RepositoryNotFound, UnsupportedVersion
from restic_reader.keys import KeyRing, unlock
from restic_reader.limits import DEFAULT_LIMITS, Limits
from restic_reader.sealed_documents import SealedDocuments
from restic_reader.storage import FileKind, RepositoryFiles
from restic_reader.structs import Config, Lock

_VERSIONS = (1, 2)
_PARTS = (FileKind.SNAPSHOT, FileKind.INDEX, FileKind.PACK)
_config = msgspec.json.Decoder(Config)
_lock = msgspec.json.Decoder(Lock)


class Access:
    """A repository that was unlocked, and nothing more. Safe to use from any thread."""

    def __init__(self, files: RepositoryFiles, box: Box, sealed_config: bytes, *, limits: Limits) -> None:
        """`sealed_config` is the content of the file `config`. Raises `UnsupportedVersion` or `Damaged`."""
        self.seal = _hash(sealed_config)
        self.files = files
        self.box = box
        self.documents = SealedDocuments(files, box, most_bytes=limits.document_bytes)
        self.config = self.documents.open(sealed_config, FileKind.CONFIG, "", _config)
        if self.config.version not in _VERSIONS:
            raise UnsupportedVersion(self.config.version)

    @classmethod
    def open(
        cls, files: RepositoryFiles, password: str, *, ring: KeyRing | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> Self:
        """Reads the configuration by a key that the password opens, or that is in `ring`.

        The files are closed when this fails, else they are the caller's to close. Raises `RepositoryNotFound`,
        `WrongPassword`, `UnsupportedVersion`, `Damaged` (`PartMissing` where there is no key), or what
        `RepositoryFiles` does.
        """
        try:
            sealed_config = _read_config(files)
            return cls(files, unlock(files, password, limits=limits, ring=ring), sealed_config, limits=limits)
        except BaseException:
            files.close()
            raise

    def close(self) -> None:
        """Closes the files."""
        self.files.close()

    def confirm(self) -> None:
        """Make sure that this repository is at its place still, whole, and no other one.

        Raises `RepositoryNotFound`, `PartMissing` when one of its directories is gone, or `Damaged` when its `config`
        is another repository's or cannot be read.
        """
        config = self.documents.open(_read_config(self.files), FileKind.CONFIG, "", _config)
        if config.id != self.config.id:
            raise Damaged("config", "", why="it is that of another repository")
        self.require_parts()

    def require_parts(self) -> None:
        """See the function of this name."""
        require_parts(self.files)

    def may_have_lost_snapshots(self) -> bool:
        """See the function of this name."""
        return may_have_lost_snapshots(self.files)

    def locks(self) -> list[Lock]:
        """The locks that are there now, oldest first."""
        found = [self._read_lock(each.name) for each in self.files.list(FileKind.LOCK)]
        return sorted(filter(None, found), key=lambda lock: (lock.time_ns if lock.time else 0, lock.id))

    def _read_lock(self, name: str) -> Lock | None:
        """None where it was removed in the meantime, as locks are all the time."""
        try:
            found = self.documents.read(FileKind.LOCK, name, _lock)
            # Read here, so that a lock whose time cannot be read counts as damaged.
            _ = found.time_ns
        except FileMissing:
            return None
        except Damaged:
            return Lock(id=name)
        return msgspec.structs.replace(found, id=name)


def seal_of(files: RepositoryFiles) -> str:
    """The hash of the file `config` as it lies there: read without a key, it tells one repository from another.

    It may change while the repository stays the same (when its format is upgraded), never the other way round. Raises
    `RepositoryNotFound`.
    """
    return _hash(_read_config(files))


def require_parts(files: RepositoryFiles) -> None:
    """Raises `PartMissing` when a directory or every key is gone; a place without directories cannot tell of those."""
    for kind in _PARTS:
        if files.has_directory(kind) is False:
            raise PartMissing(kind)
    if not _holds(files, FileKind.KEY):
        raise PartMissing(FileKind.KEY)


def may_have_lost_snapshots(files: RepositoryFiles) -> bool:
    """Whether there is data but no snapshot, in a place where nobody can tell removed ones from lost ones.

    A directory `snapshots` that is there and empty was emptied; in an object store the two look the same.
    """
    if files.has_directory(FileKind.SNAPSHOT) is not None or _holds(files, FileKind.SNAPSHOT):
        return False
    return _holds(files, FileKind.INDEX) or _holds(files, FileKind.PACK)


def _hash(sealed: bytes) -> str:
    return hashlib.sha256(sealed).hexdigest()


def _read_config(files: RepositoryFiles) -> bytes:
    try:
        return files.read(FileKind.CONFIG, "")
    except FileMissing:
        raise RepositoryNotFound(has_data=_holds(files, FileKind.SNAPSHOT) or _holds(files, FileKind.PACK)) from None


def _holds(files: RepositoryFiles, kind: FileKind) -> bool:
    # Listings come as they are read: one file is enough.
    return any(True for _ in files.list(kind))
