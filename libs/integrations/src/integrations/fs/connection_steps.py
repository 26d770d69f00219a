"""The steps of a directory's connection test, each a blocking call that returns what it found."""

import os
import secrets
from itertools import islice
from pathlib import Path

from contracts.errors import NotFound, PermanentError
from restic_reader.errors import RootNotADirectory

from integrations.sdk.errors import RepositoryGone

# Whether it can be listed is the question; a directory may have millions of entries.
_SOME = 1000


def reach(root: Path, *, may_be_made: bool, had: str | None = None) -> str:
    """The directory is there, or can be made; not that of a store which had a repository."""
    if root.is_dir():
        return "the directory is there"
    if os.path.lexists(root):
        raise RootNotADirectory(str(root))
    if had is not None:
        raise RepositoryGone("", had)
    if may_be_made and root.parent.is_dir():
        return "the directory is not there yet and will be made"
    raise NotFound("path_missing", f"{root} does not exist.")


def list_entries(root: Path) -> str:
    """Its entries can be read."""
    if not root.exists():
        return "nothing is there yet"
    try:
        with os.scandir(root) as entries:
            count = sum(1 for _ in islice(entries, _SOME))
    except PermissionError:
        raise _denied(root, "listed") from None
    return f"{count} entries" if count < _SOME else f"{_SOME} entries or more"


def write_probe(root: Path) -> str:
    """A file can be made and removed; or the directory itself, where that is not there yet."""
    try:
        if not root.exists():
            # Removed again: a test leaves nothing, also where the store is never created.
            root.mkdir()
            root.rmdir()
            return "the directory can be made"
        probe = root / f".cairn-probe-{secrets.token_hex(8)}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except PermissionError:
        raise _denied(root, "written") from None
    except OSError as error:
        raise PermanentError("not_writable", f"{root} cannot be written: {(error.strerror or '').lower()}.") from None
    return "a file was made and removed"


def _denied(root: Path, what: str) -> PermanentError:
    return PermanentError("permission_denied", f"{root} cannot be {what}: permission denied.")
