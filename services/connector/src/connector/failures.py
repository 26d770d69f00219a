"""Maps what `restic_reader` raises to the errors of Cairn."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.errors import CairnError, Conflict, Invalid, NotFound, PermanentError, TemporaryError
from restic_reader.errors import ReaderError

# The reader imports nothing of Cairn, so its errors share no base class with ours; they look alike by convention
# (decision 0036).
FAILURES = (CairnError, ReaderError)
"""What work can fail with; both have a stable `code`, a `kind`, and words for people in `detail`."""

_KINDS: dict[str, type[PermanentError]] = {"invalid": Invalid, "not_found": NotFound, "conflict": Conflict}


def as_cairn_error(error: CairnError | ReaderError) -> CairnError:
    """The same failure as an error of Cairn; of the reader's, `unavailable` ones are temporary."""
    if isinstance(error, CairnError):
        return error
    if error.kind == "unavailable":
        return TemporaryError(error.code, error.detail)
    return _KINDS.get(error.kind, PermanentError)(error.code, error.detail)


def is_temporary(error: BaseException) -> bool:
    """Whether trying again later may help."""
    return isinstance(error, TemporaryError) or (isinstance(error, ReaderError) and error.kind == "unavailable")


@contextmanager
def reader_errors_mapped() -> Iterator[None]:
    """Raises what the reader raises in the block as the error of Cairn that it amounts to."""
    try:
        yield
    except ReaderError as error:
        raise as_cairn_error(error) from error
