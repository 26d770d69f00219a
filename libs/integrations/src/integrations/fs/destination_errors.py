"""Names what the system says when something cannot be written to a destination."""

import errno
from types import TracebackType

from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.ports.destination import NotWritten

READ_ONLY = "The destination is mounted read-only."
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = {errno.ELOOP: "a link", errno.ENOTDIR: "something else"}


class _NamedErrors:
    """A context that keeps nothing, so that one serves all: it is entered several times for each file."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise _named(error) from None
        if isinstance(error, OverflowError | ValueError):
            raise NotWritten("its time or its owner is none that this system knows") from None


_CONTEXT = _NamedErrors()


def named_errors() -> _NamedErrors:
    """Errors of the system, as one path's or as the destination's as a whole."""
    return _CONTEXT


def _named(error: OSError) -> Exception:
    words = (error.strerror or type(error).__name__).lower()
    if error.errno in _FULL:
        return DestinationFull(words)
    if error.errno == errno.EROFS:
        return DestinationRefused(READ_ONLY)
    if found := _IN_THE_WAY.get(error.errno or 0):
        return NotWritten(f"{found} is in the place of a directory")
    if isinstance(error, IsADirectoryError):
        return NotWritten("a directory is in its place")
    return NotWritten(words)
