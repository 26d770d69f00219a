"""What a walk lists, as it is read again."""

import os
from pathlib import Path

import pytest
from connector.engine.restic.source_scan import NAMES_TOGETHER, Listing, Walk, rejecter
from connector.engine.source_listing import ListedEntry, SourceListing, UnnamedFile

ODD = "caf\udce9 .a.b\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "source"
    (root / "folder" / "empty").mkdir(parents=True)
    (root / "folder" / "ignored").touch()
    (root / ODD).touch()
    (root / "link").symlink_to("nowhere")
    monkeypatch.chdir(root)
    return root


def listed(tmp_path: Path, *patterns: str, names_together: int = NAMES_TOGETHER) -> SourceListing:
    packed = UnnamedFile(tmp_path / "scratch")
    listing = Listing(packed.descriptor)
    rejects = rejecter([*patterns])
    walk = Walk("/s", rejects=rejects, guarded=set(), on_listed=listing.add, names_together=names_together)
    assert list(walk.run()) == []
    [(kind, files)] = listing.ending()
    assert kind == "listed"
    return SourceListing(int(files), packed)


def test_what_should_be_in_a_restore_point_is_listed(source: Path, tmp_path: Path) -> None:
    found = listed(tmp_path, "/s/folder/ignored")

    names = {
        f"{directory.rstrip('/')}/{each.name}": each.is_directory
        for directory, entries in found.parts()
        for each in entries
    }
    assert names == {"/folder": True, "/folder/empty": True, f"/{ODD}": False, "/link": False}
    assert found.files == 1
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_large_directory_comes_in_parts(source: Path, tmp_path: Path) -> None:
    for n in range(5):
        (source / "folder" / "empty" / str(n)).touch()

    found = listed(tmp_path, names_together=2)

    parts = [entries for directory, entries in found.parts() if directory == "/folder/empty"]

    assert sorted(each.name for part in parts for each in part) == list("01234")
    assert max(map(len, parts)) == 2


def test_an_entry_is_told_from_another_one_in_its_place(source: Path, tmp_path: Path) -> None:
    entries = {each.name: each for _, part in listed(tmp_path).parts() for each in part}
    (source / "folder" / "more").touch()
    (source / "fresh").touch()
    (source / "fresh").replace(source / ODD)

    assert entries["folder"].is_still_at(source / "folder")
    assert entries["link"].is_still_at(source / "link")
    assert not entries[ODD].is_still_at(source / ODD)
    assert not entries["ignored"].is_still_at(source / "nowhere")
    assert not ListedEntry("x", False, "", "").is_still_at(source / ODD)


def test_a_listing_that_finds_no_room_is_none() -> None:
    with Path("/dev/full").open("wb") as full:
        listing = Listing(full.fileno())
        for n in range(1000):
            listing.add("", [f"f1.1.{os.urandom(200).hex()}{n}"])

        assert list(listing.ending()) == []
