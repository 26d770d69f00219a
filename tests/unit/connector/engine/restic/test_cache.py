import os
from pathlib import Path

import pytest
from connector.engine.restic.cache import trim


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    """Three caches of 1000 bytes, `old` used longest ago, and something that is none."""
    for age, name in enumerate(("new", "middle", "old")):
        (tmp_path / name / "index" / "ab").mkdir(parents=True)
        (tmp_path / name / "index" / "ab" / "file").write_bytes(b"x" * 1000)
        (tmp_path / name / "version").touch()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "CACHEDIR.TAG").touch()
    (tmp_path / "other").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("bytes_max", "left"),
    [
        (3000, {"new", "middle", "old"}),
        (2999, {"new", "middle"}),
        (1000, {"new"}),
        (0, {"new"}),
    ],
)
def test_the_least_recently_used_go_first(caches: Path, bytes_max: int, left: set[str]) -> None:
    trim(caches, bytes_max)

    assert {path.name for path in caches.glob("*/")} == left | {"other"}


def test_no_cache_is_no_matter(tmp_path: Path) -> None:
    trim(tmp_path / "nothing", 0)

    assert list(tmp_path.iterdir()) == []
