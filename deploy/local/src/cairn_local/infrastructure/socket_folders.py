"""Where Unix sockets are: folders that only their owner can enter, with paths that are short enough."""

import os
import stat
import tempfile
from pathlib import Path

from cairn_local.paths import PRIVATE_FOLDER, StateDir

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
LONGEST_SOCKET_PATH = 103
_LONGEST_BELOW = "postgres/.s.PGSQL.5432.lock"


def socket_folder(state: StateDir, server: str) -> Path:
    """The private folder of one server's socket, made unless it is there. The same at each start."""
    folder = _private_base(state) / server
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return folder


def _private_base(state: StateDir) -> Path:
    """`run/sockets`, or where its path is too long what it links to: a folder in the temporary one.

    The name of that folder is drawn, for others may write there too: they would be waiting at one that can be foretold.
    """
    inside = state.run / "sockets"
    if len(os.fsencode(inside / _LONGEST_BELOW)) <= LONGEST_SOCKET_PATH:
        if inside.is_symlink():
            inside.unlink()
        inside.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        return inside
    if not (inside.is_symlink() and _is_private(inside.readlink())):
        inside.unlink(missing_ok=True)
        inside.symlink_to(tempfile.mkdtemp(prefix="cairn-"))
    return inside.readlink()


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    ours = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == PRIVATE_FOLDER
    return ours and stat.S_ISDIR(found.st_mode)
