"""A restore into a file system that has no room for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__)
FITTING = (1 << 20) + 1
_RESTORE = """
import json, os, subprocess, sys
from pathlib import Path
from contracts.errors import CairnError
from tests.unit.connector.restore.restore_case import Case

# Small files are written beside the next one, and may find no room for that one's sake: the first is not small.
first, second = os.urandom(int(sys.argv[2])), os.urandom(8 << 20)
case = Case(Path(sys.argv[1]), files={"first": first, "second": second, "third": b"fits too"})
case.target.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(case.target)], check=True)
try:
    case.run()
except CairnError as error:
    left = {name: len(content) for name, content in case.there.items()}
    print(json.dumps({"code": error.code, "detail": error.detail, "left": left}))
"""


def test_it_stops_at_the_file_that_does_not_fit_and_leaves_none_half_written(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    # In a namespace of mounts of its own: there, any user may mount a file system that is full after 4 MiB.
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    python = ["unshare", "--mount", *who, sys.executable, "-c", _RESTORE, str(tmp_path), str(FITTING)]

    done = subprocess.run(python, cwd=_HERE.parents[4], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "code": "destination_full",
        "detail": "The destination takes nothing more: no space left on device.",
        "left": {"first": FITTING},
    }
