"""What is made of what a survey of a source found."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from connector.engine.port import BackupOptions
from connector.engine.restic.backup_call import BackupCall, without
from connector.engine.restic.backup_run import remarks_on
from connector.engine.restic.source_scanner import Surveyor
from integrations.sdk.locations import SourceTree, StoreLocation


def a_surveyor(place: Path, *, named_max: int) -> Surveyor:
    source = SourceTree(directory=place)
    return Surveyor(source, [], one_file_system=False, nice=0, scratch=place, named_max=named_max)


@pytest.mark.parametrize(("kind", "words"), [("removed", "2 more were removed"), ("mount", "2 more are left out")])
def test_what_is_beyond_what_is_named_is_counted(kind: str, words: str, tmp_path: Path) -> None:
    surveyor = a_surveyor(tmp_path, named_max=1)

    for number in range(3):
        surveyor.take_in(json.dumps({"kind": kind, "path": f"/{number}"}).encode())

    named, more = remarks_on(surveyor)
    assert "/0" in named
    assert more.startswith(words)
    assert surveyor.unnamed == 0


def test_what_no_restore_point_can_hold_is_counted_too(tmp_path: Path) -> None:
    surveyor = a_surveyor(tmp_path, named_max=0)
    for kind in ("socket", "lost", "guarded"):
        surveyor.take_in(json.dumps({"kind": kind, "path": "/a"}).encode())
    assert surveyor.unnamed == 2


@pytest.mark.parametrize(("is_own", "words"), [(True, "it belongs to"), (False, "it may belong to")])
def test_what_is_left_out_in_doubt_is_told_so(is_own: bool, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    facts = (tmp_path / "file").stat()
    source = SourceTree(
        directory=tmp_path, guarded=frozenset({(facts.st_dev, facts.st_ino)}), is_surely_own=lambda _: is_own
    )
    told: list[str] = []
    call = BackupCall(
        store=StoreLocation(address=os.fspath(tmp_path / "store"), passphrase="unit"),
        source=source,
        options=BackupOptions(host="source"),
        on_progress=lambda _: None,
        on_log=lambda _, text: told.append(text),
        cancel=asyncio.Event(),
        nice=0,
        scratch=tmp_path,
    )

    assert without(call, ["/file"]).source.excludes == (tmp_path / "file",)
    assert [words in line for line in told] == [True]
