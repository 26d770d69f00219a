"""Whether the packs of blobs are there and go far enough, by a listing of all packs: nothing is read of them."""

from restic_reader.blobs import Blobs
from restic_reader.errors import Damaged, FileMissing
from restic_reader.index import BlobIndex, Location
from restic_reader.node_checks import content_of
from restic_reader.storage import FileKind
from restic_reader.structs import Node


class StoredPacks:
    """The packs of one repository, listed once, and once more where a prune changed them meanwhile.

    For one thread at a time. Takes some 200 bytes a pack.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._sizes: dict[bytes, int] = {}
        self._index = BlobIndex()
        """As it was before the packs were listed, so that what it tells of and the listing lacks is lost."""
        self._pruned_meanwhile = False

    def require(self, file: Node) -> None:
        """Look whether each blob of a file lies whole in a pack that is there, in one of its copies.

        Raises `BlobMissing`, `FileMissing`, or `Damaged` where a pack is too short, or the node tells of no content.
        """
        for blob_id in content_of(file):
            self._require(blob_id)

    def _require(self, blob_id: str) -> None:
        while not self._is_whole(blob_id):
            copy = next(iter(self._blobs.locations(self._index, blob_id)), None)
            if copy is not None and not self._pruned_meanwhile:
                raise self._lack(copy)
            self._blobs.locate(blob_id)  # What is in no index file at all ends here.
            self._look()

    def _is_whole(self, blob_id: str) -> bool:
        # Nearly always the first copy is there, and no other one is looked up.
        return any(
            copy.end <= self._sizes.get(bytes.fromhex(copy.pack), -1)
            for most in (1, None)
            for copy in self._blobs.locations(self._index, blob_id, most=most)
        )

    def _look(self) -> None:
        self._blobs.refresh()
        self._index = self._blobs.index
        self._sizes = self._blobs.packs()
        self._blobs.refresh()
        # A backup only adds index files. A prune takes some away before the packs that they tell of.
        self._pruned_meanwhile = not self._index.files <= self._blobs.index.files

    def _lack(self, copy: Location) -> Damaged:
        if bytes.fromhex(copy.pack) not in self._sizes:
            return FileMissing(FileKind.PACK.word, copy.pack)
        return Damaged(FileKind.PACK.word, copy.pack, why="it is shorter than the index says")
