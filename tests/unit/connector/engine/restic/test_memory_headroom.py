"""How much memory there is to be had, in control groups of both versions as the kernel shows them."""

from pathlib import Path

import psutil
import pytest
from connector.engine.restic.memory_headroom import available_bytes

AVAILABLE = 10 << 30


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Host", (), {"available": AVAILABLE}))


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        ("0::/\n", {}, AVAILABLE),
        ("0::/\n", {"memory.max": "max\n"}, AVAILABLE),
        ("0::/\n", {"memory.max": "536870912\n"}, 512 << 20),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "1048576\n"}, 1 << 20),
        ("0::/of/the/host\n", {"memory.max": "1048576\n"}, 1 << 20),
        ("0::/../beside\n", {"memory.max": "1048576\n"}, 1 << 20),
        ("4:memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "1048576\n"}, 1 << 20),
        ("4:memory:/of/the/host\n", {"memory/memory.limit_in_bytes": "1048576\n"}, 1 << 20),
        ("4:memory:/a\n", {"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, AVAILABLE),
        ("3:cpu,cpuacct:/a\n", {"cpu,cpuacct/a/memory.max": "1048576\n"}, AVAILABLE),
        (None, {"memory.max": "1048576\n"}, AVAILABLE),
    ],
)
def test_the_tightest_limit_counts(own: str | None, limits: dict[str, str], expected: int, tmp_path: Path) -> None:
    for name, text in limits.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    if own is not None:
        (tmp_path / "own").write_text(own)

    assert available_bytes(groups=tmp_path / "groups", own=tmp_path / "own") == expected
