"""Where checks of restore points write: nowhere."""

from collections.abc import Iterator, Sequence
from functools import partial

from integrations.sdk.ports.destination import ExistingFile, RestoredNode, Write


class DiscardingDestination:
    """A destination that keeps nothing: reading compares each blob with its hash."""

    writers = 1

    def existing(self, _restored: RestoredNode) -> ExistingFile | None:
        """Nothing is there."""
        return None

    def require_keepable(self, _restored: RestoredNode) -> None:
        """Everything is taken."""

    def give_attributes(self, _restored: RestoredNode) -> bool:
        """There is nothing to give them to."""
        return True

    def make_directory(self, _restored: RestoredNode, *, keep_attributes: bool) -> bool:  # noqa: ARG002
        """Make none."""
        return False

    def writing(self, restored: RestoredNode) -> Write:
        """How a file is written: its pieces are read."""
        return partial(self.write, restored)

    def write(self, _restored: RestoredNode, pieces: Iterator[bytes]) -> bool:
        """Read the pieces, and keep none."""
        for _ in pieces:
            pass
        return False

    def finish(self) -> None:
        """Do nothing."""

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        """Nothing went without anything."""
        return ()

    def read(self, _restored: RestoredNode) -> Iterator[bytes]:
        """Nothing was kept that could be read back."""
        return iter(())
