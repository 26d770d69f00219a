"""The snapshots of a repository: listed each time, read once."""

from concurrent.futures import Executor

import msgspec

from restic_reader.access import Access
from restic_reader.errors import Damaged, FileMissing, SnapshotNotFound
from restic_reader.storage import FileKind, is_storage_name
from restic_reader.structs import Snapshot

_snapshot = msgspec.json.Decoder(Snapshot)


class Snapshots:
    """The snapshots of one repository. Safe to use from any thread."""

    def __init__(self, access: Access, pool: Executor) -> None:
        self._access = access
        self._pool = pool
        self._known: dict[str, Snapshot] = {}

    def all(self) -> list[Snapshot]:
        """See `Repository.snapshots`."""
        names, known = self.ids(), self._known
        # A snapshot's name is the hash of its content, so one that was read once never changes.
        read = self._pool.map(self._read, [name for name in names if name not in known])
        new = {snapshot.id: snapshot for snapshot in read if snapshot is not None}
        self._known = {name: found for name in names if (found := known.get(name) or new.get(name))}
        return sorted(self._known.values(), key=lambda snapshot: (snapshot.time_ns, snapshot.id))

    def ids(self) -> list[str]:
        """See `Repository.snapshot_ids`."""
        return [found.name for found in self._access.files.list(FileKind.SNAPSHOT)]

    def find(self, prefix: str) -> Snapshot:
        """See `Repository.snapshot`."""
        if is_storage_name(prefix):
            # A whole id is the name of a file: no listing is needed, which in an object store takes a request or more.
            found = [prefix]
        else:
            found = [name for name in self.ids() if prefix and name.startswith(prefix)]
        snapshot = self._read(found[0]) if len(found) == 1 else None
        if snapshot is None:
            raise SnapshotNotFound(prefix, matches=len(found) if len(found) > 1 else 0)
        return snapshot

    def _read(self, name: str) -> Snapshot | None:
        """A snapshot, or None when it was forgotten in the meantime."""
        try:
            found = self._access.documents.read(FileKind.SNAPSHOT, name, _snapshot)
        except FileMissing:
            return None
        if not is_storage_name(found.tree):
            raise Damaged(FileKind.SNAPSHOT.word, name, why="what it calls its tree is none")
        return msgspec.structs.replace(found, id=name)
