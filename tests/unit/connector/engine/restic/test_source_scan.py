"""Patterns of restic's, judged beside it."""

import os
import shutil
from pathlib import Path

import pytest
from connector.engine.restic.source_scan import Walk, rejecter


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.tmp", "/data/a.tmp", True),
        ("*.tmp", "/data/a.tmp/below", True),
        ("*.tmp", "/data/a.tmpx", False),
        ("a*b*c", "/abxc", True),
        ("a*b*c", "/abbcc", True),
        ("a*b*c", "/acb", False),
        ("a**c", "/abbc", True),
        ("*a*", "/xay", True),
        ("*[ab]*?d", "/xbyzd", True),
        ("*[ab]*?d", "/xbd", False),
        ("/data/*/x", "/data/y/x", True),
        ("/data/**/x", "/data/y/z/x", True),
        ("\\*x", "/*x", True),
        ("\\*x", "/yx", False),
    ],
)
def test_wildcards_mean_what_they_mean_to_restic(pattern: str, path: str, expected: bool) -> None:
    assert rejecter([pattern])(path) is expected


@pytest.mark.timeout(20)
def test_no_pattern_takes_long() -> None:
    assert not rejecter(["*a" * 30 + "b"])("/" + "a" * 255)


def test_what_is_removed_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "kept", "file", "ignored"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").touch()
    monkeypatch.chdir(tmp_path)
    rejects = rejecter(["/source/file/ignored"])
    walk = Walk("/source", rejects=rejects, guarded={identity(tmp_path / "first")}).run()
    found = [next(walk)]  # The names beside it are read by now.
    shutil.rmtree(tmp_path / "file")

    found += walk

    assert found == [("guarded", "/first"), ("removed", "/file")]


def test_a_directory_is_listed_once_more_for_all_that_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(100):
        (tmp_path / f"{n:02}").mkdir()
    monkeypatch.chdir(tmp_path)
    listed = list[str]()
    listing = os.listdir

    def counting(path: str) -> list[str]:
        listed.append(path)
        return listing(path)

    monkeypatch.setattr("connector.engine.restic.source_scan.os.listdir", counting)
    walk = Walk("/source", rejects=rejecter([]), guarded={identity(tmp_path / "50")}).run()
    found = [next(walk)]
    for n in range(100):
        (tmp_path / f"{n:02}").rmdir()

    found += walk

    assert {kind for kind, _ in found} == {"guarded", "removed"}
    assert len(listed) == 1


@pytest.mark.parametrize(("goes_on_for", "found"), [(2, "removed"), (100, "lost")])
def test_a_name_that_comes_and_goes_is_not_lost(
    goes_on_for: int, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").mkdir()
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    listings = iter([["lock"]] * goes_on_for)
    monkeypatch.setattr("connector.engine.restic.source_scan.os.listdir", lambda _: next(listings, []))
    walk = Walk("/source", rejects=rejecter([]), guarded={identity(tmp_path / "own")}).run()
    met = [next(walk)]
    (tmp_path / "lock").rmdir()

    assert [*met, *walk] == [("guarded", "/own"), (found, "/lock")]


def identity(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino
