"""A large index does not lie in memory."""

import subprocess
import sys
from pathlib import Path

from restic_reader import LocalFiles, Repository

from tests.support.many_blobs import CONTENT, write_many_blobs
from tests.unit.restic_reader.builder import PASSWORD

SMALL, LARGE = 300_000, 1_200_000
RECORD_BYTES = 48

_OPEN = """
import re, sys
from pathlib import Path
from restic_reader import LocalFiles, Repository

with Repository.open(LocalFiles(Path(sys.argv[1])), sys.argv[2], cache_dir=Path(sys.argv[3])) as repository:
    assert len(repository.load_blob(sys.argv[4])) > 0
print(int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def peak_bytes(root: Path, blob: str) -> int:
    command = [sys.executable, "-c", _OPEN, str(root), PASSWORD, str(root / "tables"), blob]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_memory_grows_with_less_than_half_of_the_index(tmp_path: Path) -> None:
    small = write_many_blobs(tmp_path / "small", SMALL)
    large = write_many_blobs(tmp_path / "large", LARGE, seed=2)
    table_bytes = RECORD_BYTES * (LARGE - SMALL)
    for _ in ("the table is made", "the table is there"):
        grown = peak_bytes(large.root, large.real) - peak_bytes(small.root, small.real)
        assert grown < table_bytes / 2, f"{grown / table_bytes:.2f} of the table"

    with Repository.open(LocalFiles(large.root), PASSWORD, cache_dir=large.root / "tables") as repository:
        assert repository.load_blob(large.real) == CONTENT
        assert repository.index_size == LARGE + 1
        assert all(repository.locate(blob).length == 5000 for blob in large.some)
