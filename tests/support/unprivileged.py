"""Programs without the right to read everything, and other users, for tests that run as root."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

NOBODY = 65534

_SCRIPT = """#!{python} -IS
import ctypes, os, sys
DROP_FROM_BOUNDING_SET, OVERRIDE_ACCESS, READ_EVERYTHING = 24, 1, 2
for right in (OVERRIDE_ACCESS, READ_EVERYTHING):
    ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, right, 0, 0, 0)
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""


def write_unprivileged(script: Path, program: Path) -> Path:
    """A script that runs the program so that file modes count for it, whoever runs the tests."""
    script.write_text(_SCRIPT.format(python=sys.executable, program=str(program)))
    script.chmod(0o755)
    return script


def as_another_user(action: Callable[[], str]) -> str:
    """What `action` returns, or the name of the error it raised, in a process of the user `nobody`. Needs root."""
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        with os.fdopen(reader) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        return told
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        told = action()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test compares its name
        told = type(error).__name__
    finally:
        os.write(writer, told.encode())
        os._exit(0)


def is_closed_to_others(path: Path, use: Callable[[], str]) -> bool:
    """Whether another user is refused by the file system: tried when we are root, else told from the folders' modes."""
    if os.geteuid() == 0:
        return as_another_user(use) == "PermissionError"
    return any(stat.S_IMODE(f.stat().st_mode) & 0o077 == 0 and f.stat().st_uid == os.geteuid() for f in path.parents)
