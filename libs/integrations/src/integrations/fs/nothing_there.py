"""A destination of a dry run that is not there yet."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from integrations.fs.restorable_types import require_restorable
from integrations.sdk.ports.destination import ExistingFile, NotWritten, RestoredNode, Write


class NothingThere:
    """See `OpenDestination`: everything would be created."""

    writers = 1

    def __init__(self, off_limits: Mapping[bytes, str]) -> None:
        self._off_limits = off_limits

    def existing(self, restored: RestoredNode) -> ExistingFile | None:
        """See `OpenDestination.existing`."""
        require_allowed(restored.path, self._off_limits)
        return None

    def require_keepable(self, restored: RestoredNode) -> None:
        """See `OpenDestination.require_keepable`."""
        require_restorable(restored.node)

    def give_attributes(self, _restored: RestoredNode) -> NoReturn:
        """Dry runs give nothing."""
        raise NotImplementedError

    def make_directory(self, _restored: RestoredNode, *, keep_attributes: bool) -> NoReturn:
        """Dry runs make nothing."""
        raise NotImplementedError

    def writing(self, _restored: RestoredNode) -> Write:
        """Dry runs write nothing."""
        raise NotImplementedError

    def write(self, _restored: RestoredNode, _pieces: Iterator[bytes]) -> NoReturn:
        """Dry runs write nothing."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing was written."""

    def lacking(self) -> Sequence[tuple[bytes, str]]:
        """Nothing was written."""
        return ()

    def read(self, _restored: RestoredNode) -> Iterator[bytes]:
        """Nothing is there."""
        raise NotWritten("it is not there")


def require_allowed(path: bytes, off_limits: Mapping[bytes, str]) -> None:
    """Raise `NotWritten` where a path, or a directory that it lies in, is off limits."""
    for reserved, reason in off_limits.items():
        if path == reserved or path.startswith(reserved + b"/"):
            raise NotWritten(reason)
