"""Programs without the right to read everything, for tests that run as root."""

import sys
from pathlib import Path

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
