"""Names what the system says when something cannot be written to a destination."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from integrations.sdk.errors import DestinationFull, DestinationRefused
from integrations.sdk.ports.destination import NotWritten

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = {errno.ELOOP: "a link", errno.ENOTDIR: "something else"}


@contextmanager
def named_errors() -> Iterator[None]:
    """Errors of the system, as one path's or as the destination's as a whole."""
    try:
        yield
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        if error.errno in _FULL:
            raise DestinationFull(words) from None
        if error.errno == errno.EROFS:
            raise DestinationRefused("The destination is mounted read-only.") from None
        if found := _IN_THE_WAY.get(error.errno or 0):
            raise NotWritten(f"{found} is in the place of a directory") from None
        if isinstance(error, IsADirectoryError):
            raise NotWritten("a directory is in its place") from None
        raise NotWritten(words) from None
    except (OverflowError, ValueError):
        raise NotWritten("its time or its owner is none that this system knows") from None
