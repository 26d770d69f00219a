"""Renaming a file only where nothing has its new name, which Python's own calls cannot."""

import ctypes
import errno
import os

_RENAME_NOREPLACE = 1
"""Source: rename(2)."""
_UNKNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_libc = ctypes.CDLL(None, use_errno=True)


def rename_unless_there(old: bytes, new: bytes, directory: int) -> bool | None:
    """Rename a file within a directory, unless something is called so; whether it is, None where nobody can tell.

    Looked at and done at once, by whoever else gives names there. Raises `OSError`.
    """
    try:
        failed = _libc.renameat2(directory, old, directory, new, _RENAME_NOREPLACE)
    except AttributeError:
        return None  # A C library without it.
    code = ctypes.get_errno() if failed else 0
    if code == errno.EEXIST or not code:
        return bool(code)
    if code in _UNKNOWN:
        return None
    raise OSError(code, os.strerror(code))
