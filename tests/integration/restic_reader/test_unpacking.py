"""Archives of real repositories, unpacked by the programs that people have, are what the source was."""

import os
import stat
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

from connector.downloads.archives.archive import Format, archive_pieces
from connector.stores.selection import choose
from restic_reader import Repository

from tests.integration.restic_reader.conftest import Sample
from tests.integration.restic_reader.sources import paths_below


def archive(repository: Repository, sample: Sample, form: Format, place: Path) -> Path:
    """The whole restore point in a file."""
    point = SimpleNamespace(tree_id=repository.snapshot(sample.snapshot).tree, paths=())
    selection = choose(repository, point, [b"/"])  # type: ignore[arg-type]
    with (place / f"all.{form}").open("wb") as file:
        file.writelines(archive_pieces(repository, selection, form))
    return place / f"all.{form}"


def target(link: Path) -> bytes:
    return os.readlink(os.fsencode(link))  # noqa: PTH115 - `Path` would tidy it


def facts(path: Path) -> tuple[object, ...]:
    told = path.lstat()
    if stat.S_ISLNK(told.st_mode):
        return told.st_mode, told.st_mtime_ns, target(path)
    content = path.read_bytes() if stat.S_ISREG(told.st_mode) else b""
    return told.st_mode, told.st_uid, told.st_gid, told.st_mtime_ns, content


def test_gnu_tar_unpacks_all_that_was_there(sample: Sample, repository: Repository, tmp_path: Path) -> None:
    packed, place = archive(repository, sample, "tar.zst", tmp_path), tmp_path / "out"
    place.mkdir()

    subprocess.run(["tar", "--zstd", "-xpf", packed, "-C", place], check=True, stderr=subprocess.DEVNULL)

    assert sorted(paths_below(place)) == sorted(paths_below(sample.source))
    for path in map(os.fsdecode, paths_below(sample.source)):
        assert facts(place / path[1:]) == facts(sample.source / path[1:]), path


def test_zip_has_no_fault_and_holds_all_but_pipes(sample: Sample, repository: Repository, tmp_path: Path) -> None:
    packed = archive(repository, sample, "zip", tmp_path)
    tested = subprocess.run(["unzip", "-tqq", packed], capture_output=True, check=True)
    assert b"warning" not in tested.stdout + tested.stderr
    with zipfile.ZipFile(packed) as zipped:
        found = {i.orig_filename.encode("utf-8" if i.flag_bits & 0x800 else "cp437"): i for i in zipped.infolist()}
        assert zipped.testzip() is None
        below = {p[1:]: sample.source / os.fsdecode(p[1:]) for p in paths_below(sample.source)}
        expected = {name for name, path in below.items() if not stat.S_ISFIFO(path.lstat().st_mode)}
        assert {name.rstrip(b"/") for name in found} == expected
        for name, entry in found.items():
            path = sample.source / os.fsdecode(name)
            told = path.lstat()
            assert entry.external_attr >> 16 == told.st_mode
            if stat.S_ISREG(told.st_mode):
                assert zipped.read(entry) == path.read_bytes()
            elif stat.S_ISLNK(told.st_mode):
                assert zipped.read(entry) == target(path)
