"""Directories too large for memory, as restic writes them, and the repositories that benchmarks make up."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cairn_local.provision.programs import EngineTools
from restic_reader import Directory, LargeDirectory, Limits, LocalFiles, Repository
from restic_reader.errors import PathNotFound

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.support.synthetic import write_deep, write_flat

FILES = 6_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory with so many files that restic's text of it is larger than 1 MiB."""
    root = tmp_path_factory.mktemp("large")
    for number in range(FILES):
        os.close(os.open(root / f"a file with a name, {number:06}", os.O_CREAT | os.O_WRONLY))
    Path(os.fsdecode(bytes(root) + b"/odd \xff")).write_bytes(b"odd")
    (root / "zz").mkdir()
    (root / "zz" / "last").write_bytes(b"last")
    return root


def test_a_large_directory_of_restic_is_listed_and_found_in(
    new_restic: Callable[[], Restic], source: Path, tmp_path: Path
) -> None:
    limits = Limits(large_directory_bytes=1 << 20)
    restic = new_restic()
    snapshot = restic.backup(source)
    with Repository.open(LocalFiles(restic.path), PASSWORD, scratch=tmp_path / "scratch", limits=limits) as repository:
        root = repository.snapshot(snapshot).tree
        steps = repository.walk_new(root, lambda _: {})
        below, large = next(steps), next(steps)
        assert isinstance(below, Directory)
        assert isinstance(large, LargeDirectory)
        names = [entry.name for part in large.parts() for entry in part]
        assert sorted(os.fsencode(path.name) for path in source.iterdir()) == names
        assert (large.size, large.totals.files, large.totals.dirs, large.totals.bytes) == (FILES + 2, FILES + 2, 1, 7)
        assert next(steps, None) is None
        assert [node.name for part in repository.parts(root) for node in part] == names
        for path, content in ((b"/odd \xff", b"odd"), (rb"/odd \xff", b"odd"), (b"/zz/last", b"last")):
            assert b"".join(repository.read(repository.resolve(root, path, shown=True))) == content
        with pytest.raises(PathNotFound):
            repository.resolve(root, b"/nothing")


@pytest.mark.parametrize(("write", "entries"), [(write_flat, 25_000), (write_deep, 3_000)])
def test_what_is_made_up_for_benchmarks_is_a_repository(
    engine: EngineTools, write: Callable[..., str], entries: int, tmp_path: Path
) -> None:
    restic = Restic(engine.restic, str(tmp_path / "made-up"))
    snapshot = write(restic.path, PASSWORD, entries=entries)
    restic.run("check", "--read-data")
    told = restic.ls(snapshot)
    with Repository.open(LocalFiles(restic.path), PASSWORD) as repository:
        directories = list(repository.walk_new(repository.snapshot(snapshot).tree, lambda _: {}))
    assert sum(directory.size for directory in directories) == len(told) == entries
    files = [node for node in told if node["type"] == "file"]
    assert directories[-1].totals == (len(files), entries - len(files), sum(node["size"] for node in files))
    assert any(isinstance(each, LargeDirectory) for each in directories) is (write is write_flat)
