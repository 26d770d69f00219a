import json
from pathlib import Path

import pytest

from tests.benchmarks.platform import OURS, own_processes
from tests.benchmarks.result import Result, write


def row(name: str) -> Result:
    return Result(name, 1.0, "s", "2 s")


def names(path: Path) -> list[str]:
    return [r["name"] for r in json.loads(path.read_text())]


def test_rows_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write([row("cold_start"), row("first_byte")], path)

    write([row("first_byte")], path)

    assert names(path) == ["first_byte"]


def test_a_write_that_fails_leaves_the_earlier_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bench.json"
    write([row("first_byte")], path)

    def full(self: Path, text: str) -> int:
        with self.open("w") as file:
            file.write(text[:5])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        write([row("cold_start")], path)

    assert names(path) == ["first_byte"]


def test_the_supervisor_is_one_of_our_processes() -> None:
    services = [{"name": name, "pid": n} for n, name in enumerate((*OURS, "kafka", "mongodb"), start=10)]

    found = own_processes({"processes": services, "supervisor": 7})

    assert set(found) == {*OURS, "supervisor"}
    assert found["supervisor"] == 7
