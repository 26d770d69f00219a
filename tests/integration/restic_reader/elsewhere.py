"""Repositories that Cairn did not make: by several versions of restic in all the ways it can be called, and damaged."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restic_reader import LocalFiles, Repository

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.support.repository_writer import RepositoryWriter

TREE = {
    "data/a.txt": b"alpha",
    "data/deep/er/b.bin": os.urandom(3000),
    "other/c.txt": b"gamma",
    "other/ spaced ": b"delta",
    "other/back\\slash": b"epsilon",
}
QUICK_N = 16


@dataclass
class Elsewhere:
    """A repository in a directory of its own, and the tree of files that it is made from."""

    home: Path
    program: Path
    old_program: Path | None = None
    damaged: dict[str, str] = field(default_factory=dict)
    """By the id of a snapshot: what is said to be wrong with it."""

    @property
    def root(self) -> Path:
        return self.home / "repository"

    @property
    def files(self) -> Path:
        """Filled when it is asked for first."""
        place = self.home / "files"
        for name, content in TREE.items() if not place.exists() else ():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        return place

    @property
    def restic(self) -> Restic:
        return Restic(self.program, str(self.root))

    def writer(self) -> RepositoryWriter:
        return RepositoryWriter(self.root, PASSWORD, scrypt_n=QUICK_N)

    def back_up(self, *arguments: str | bytes, cwd: Path | None = None) -> str:
        """Runs `restic backup` in a repository that is there or is made now; the id of the snapshot."""
        if not self.root.exists():
            with self.writer():
                pass
        lines = self.restic.run("backup", "--json", *arguments, cwd=cwd or self.files).splitlines()
        return str(json.loads(lines[-1])["snapshot_id"])

    def opened(self) -> Repository:
        return Repository.open(LocalFiles(self.root), PASSWORD)

    def pack_of(self, blob: str) -> Path:
        with self.opened() as repository:
            name = repository.locate(blob).pack
        return self.root / "data" / name[:2] / name

    def tree_of(self, snapshot: str) -> str:
        with self.opened() as repository:
            return repository.snapshot(snapshot).tree

    def the(self, kind: str) -> list[Path]:
        return sorted((self.root / kind).iterdir())


Make = Callable[[Elsewhere], None]
WHOLE: dict[str, Make] = {}
DAMAGED: dict[str, Make] = {}


def whole(make: Make) -> Make:
    WHOLE[make.__name__] = make
    return make


def damage(make: Make) -> Make:
    DAMAGED[make.__name__] = make
    return make


@whole
def relative_path(it: Elsewhere) -> None:
    it.back_up("data")


@whole
def relative_path_upwards(it: Elsewhere) -> None:
    it.back_up("../data", cwd=it.files / "other")


@whole
def a_dot(it: Elsewhere) -> None:
    it.back_up(".")


@whole
def absolute_path(it: Elsewhere) -> None:
    it.back_up(str(it.files / "data"))


@whole
def several_absolute_paths(it: Elsewhere) -> None:
    it.back_up(str(it.files / "data" / "deep"), str(it.files / "other"))


@whole
def several_relative_paths(it: Elsewhere) -> None:
    it.back_up("data/deep", "other")


@whole
def a_dot_and_what_is_below_it(it: Elsewhere) -> None:
    it.back_up(".", "data")


@whole
def two_directories_of_one_name(it: Elsewhere) -> None:
    (it.files / "other" / "data").mkdir()
    it.back_up("../data", "data", cwd=it.files / "other")


@whole
def one_file(it: Elsewhere) -> None:
    it.back_up(str(it.files / "data" / "a.txt"))


@whole
def standard_input(it: Elsewhere) -> None:
    it.back_up("--stdin-from-command", "--stdin-filename", "dump.sql", "--", "printf", "select 1")


@whole
def a_list_of_files(it: Elsewhere) -> None:
    (it.home / "list").write_bytes(b"data/a.txt\0other/ spaced \0")
    it.back_up("--files-from-raw", str(it.home / "list"))


@whole
def several_hosts_and_tags(it: Elsewhere) -> None:
    for number in range(2):
        it.back_up("--host", f"host{number}", "--tag", f"n{number},all", "data" if number else "other")


@whole
def tags_of_cairn_put_on_by_hand(it: Elsewhere) -> None:
    marks = ["org=org", "source=s", "job=j", "location=/srv"]
    tags = [option for mark in marks for option in ("--tag", f"cairn:{mark}")]
    it.back_up(*tags, "data", "other")


@whole
def excludes(it: Elsewhere) -> None:
    it.back_up("--exclude", "deep", "--exclude-if-present", "nothing", ".")


@whole
def an_empty_directory(it: Elsewhere) -> None:
    (it.files / "none").mkdir()
    it.back_up("none")


@whole
def format_1(it: Elsewhere) -> None:
    it.restic.init(1)
    it.back_up("data")


@whole
def format_1_made_format_2(it: Elsewhere) -> None:
    it.restic.init(1)
    it.back_up("data")
    it.restic.run("migrate", "upgrade_repo_v2")
    it.back_up("other")


@whole
def compressed_as_well_as_it_goes(it: Elsewhere) -> None:
    it.back_up("--compression", "max", "data")
    it.back_up("--compression", "off", "other")


@whole
def forgotten_and_pruned(it: Elsewhere) -> None:
    first = it.back_up("data")
    it.back_up("other")
    it.restic.run("forget", "--prune", first, "--max-unused", "0")


@whole
def copied_from_another(it: Elsewhere) -> None:
    origin = Elsewhere(it.home / "origin", it.program)
    origin.back_up("data", "other")
    with it.writer():
        pass
    password = it.home / "password"
    password.write_text(PASSWORD)
    it.restic.run("copy", "--from-repo", str(origin.root), "--from-password-file", str(password))


@whole
def rewritten(it: Elsewhere) -> None:
    it.back_up("data", "other")
    it.restic.run("rewrite", "--exclude", "deep", "--forget")


@whole
def indexed_anew(it: Elsewhere) -> None:
    it.back_up("data")
    it.restic.run("repair", "index", "--read-all-packs")


def _old(it: Elsewhere) -> Elsewhere:
    assert it.old_program is not None
    return Elsewhere(it.home, it.old_program)


@whole
def old_restic_of_format_1(it: Elsewhere) -> None:
    _old(it).restic.init(1)
    _old(it).back_up("data", cwd=it.files)
    it.back_up("other")


@whole
def old_restic_of_format_2(it: Elsewhere) -> None:
    _old(it).back_up(str(it.files / "data"), str(it.files / "other"))
    _old(it).back_up("data/deep", "other")


def _node(name: str, kind: str, **facts: Any) -> str:
    modes = {"dir": 1 << 31 | 0o755, "file": 0o644}
    usual = {"name": name, "type": kind, "mode": modes[kind], "mtime": "2026-01-02T03:04:05.678Z", "uid": 1, "gid": 2}
    return json.dumps(usual | facts)


def _file(writer: RepositoryWriter, name: str, content: bytes, **facts: Any) -> str:
    return _node(name, "file", size=len(content), content=[writer.data(content)] if content else [], **facts)


@whole
def windows_drives(it: Elsewhere) -> None:
    with it.writer() as writer:
        users = writer.tree([_file(writer, "letter.txt", b"dear")])
        drives = [(letter, writer.tree([_node("Users", "dir", subtree=users)])) for letter in "CD"]
        root = writer.tree([_node(letter, "dir", subtree=tree) for letter, tree in drives])
        writer.snapshot(root, paths=["C:\\Users", "D:\\Users"], hostname="PC", username="PC\\me")


@whole
def a_windows_share(it: Elsewhere) -> None:
    with it.writer() as writer:
        share = writer.tree([_file(writer, "u.txt", b"shared")])
        root = writer.tree([_node(r"\\\\nas\\share", "dir", subtree=share)])
        writer.snapshot(root, paths=[r"\\nas\share"])


@whole
def files_of_all_ages(it: Elsewhere) -> None:
    with it.writer() as writer:
        years = ["0001", "1601", "1677", "1969", "2262", "2263", "2400", "3000", "9999"]
        nodes = [_file(writer, year, year.encode(), mtime=f"{year}-06-01T00:00:00.25Z") for year in years]
        writer.snapshot(writer.tree(nodes))


@whole
def a_snapshot_that_tells_next_to_nothing(it: Elsewhere) -> None:
    with it.writer() as writer:
        root = writer.tree([_file(writer, "a", b""), _node("d", "dir", subtree=writer.tree([]))])
        writer.snapshot(root, paths=None, tags=None, hostname="")


def _two(it: Elsewhere) -> tuple[str, str]:
    return it.back_up("data"), it.back_up("other")


def _lost(path: Path, to: Callable[[bytes], bytes | None]) -> None:
    data = to(path.read_bytes())
    path.chmod(0o600)
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)


@damage
def a_tree_gone(it: Elsewhere) -> None:
    _, hurt = _two(it)
    pack = it.pack_of(it.tree_of(hurt))
    _lost(pack, lambda _: None)
    it.damaged[hurt] = f"The pack {pack.name} is damaged: the file is missing."


@damage
def a_tree_in_an_empty_pack(it: Elsewhere) -> None:
    _, hurt = _two(it)
    pack = it.pack_of(it.tree_of(hurt))
    _lost(pack, lambda _: b"")
    it.damaged[hurt] = f"The pack {pack.name} is damaged"


@damage
def a_tree_changed_in_the_middle(it: Elsewhere) -> None:
    with it.writer() as writer:
        good = writer.snapshot(writer.tree([_file(writer, "x", b"x")]), time="2026-01-01T00:00:00Z")
    leaf = it.back_up("data/deep")
    with it.opened() as repository:
        [top] = repository.tree(repository.snapshot(leaf).tree)
        below = repository.locate(top.subtree or "")
    pack = it.root / "data" / below.pack[:2] / below.pack
    _lost(
        pack, lambda data: data[: below.offset + 20] + bytes([data[below.offset + 20] ^ 1]) + data[below.offset + 21 :]
    )
    it.damaged[leaf] = f"The pack {pack.name} is damaged"
    assert good


@damage
def a_tree_that_no_index_knows(it: Elsewhere) -> None:
    with it.writer() as writer:
        it.damaged[writer.snapshot("ab" * 32)] = f"The repository does not hold the blob {'ab' * 32}."


@damage
def a_tree_that_is_no_tree(it: Elsewhere) -> None:
    with it.writer() as writer:
        blob = writer.blob("tree", [b"no tree at all"])
        it.damaged[writer.snapshot(blob)] = f"The tree {blob} is damaged"


@damage
def names_that_no_file_can_have(it: Elsewhere) -> None:
    with it.writer() as writer:
        for name in ("", ".", "..", "a/b", "/a", "../../a", "a\0"):
            tree = writer.tree([_file(writer, name, name.encode())])
            above = writer.tree([_node("above", "dir", subtree=tree)])
            it.damaged[writer.snapshot(above)] = f"The tree {tree} is damaged: it holds a name that no file can have."


@damage
def a_name_that_is_there_twice(it: Elsewhere) -> None:
    with it.writer() as writer:
        tree = writer.tree([_file(writer, "a", b"one"), _file(writer, "a", b"other")])
        it.damaged[writer.snapshot(tree)] = f"The tree {tree} is damaged: it holds a name twice."


@damage
def a_directory_that_does_not_tell_what_is_in_it(it: Elsewhere) -> None:
    with it.writer() as writer:
        for facts in ({}, {"subtree": None}, {"subtree": ""}, {"subtree": "no id"}):
            tree = writer.tree([_file(writer, "a", b"one"), _node("d", "dir", **facts)])
            above = writer.tree([_node("above", "dir", subtree=tree)])
            it.damaged[writer.snapshot(above)] = (
                f"The tree {tree} is damaged: it does not tell what is in its directory 'd'."
            )


@damage
def a_snapshot_cut(it: Elsewhere) -> None:
    _, hurt = _two(it)
    _lost(it.root / "snapshots" / hurt, lambda data: data[:-10])
    it.damaged[hurt] = f"The snapshot {hurt} is damaged"


@damage
def a_snapshot_emptied(it: Elsewhere) -> None:
    _, hurt = _two(it)
    _lost(it.root / "snapshots" / hurt, lambda _: b"")
    it.damaged[hurt] = f"The snapshot {hurt} is damaged"


@damage
def a_snapshot_of_another_key(it: Elsewhere) -> None:
    it.back_up("data")
    other = Elsewhere(it.home / "another", it.program)
    foreign = other.back_up("data")
    shutil.copy(other.root / "snapshots" / foreign, it.root / "snapshots" / foreign)
    it.damaged[foreign] = f"The snapshot {foreign} is damaged: it was not sealed with the repository's key."


@damage
def a_snapshot_without_a_tree(it: Elsewhere) -> None:
    with it.writer() as writer:
        hurt = writer.snapshot("")
    it.damaged[hurt] = f"The snapshot {hurt} is damaged: what it calls its tree is none."


@damage
def an_index_file_cut(it: Elsewhere) -> None:
    it.back_up("data")
    before = set(it.the("index"))
    hurt = it.back_up("other")
    [index] = set(it.the("index")) - before
    _lost(index, lambda data: data[: len(data) // 2])
    it.damaged[hurt] = f"the index {index.name} is damaged"


@damage
def an_index_file_gone(it: Elsewhere) -> None:
    it.back_up("data")
    before = set(it.the("index"))
    hurt = it.back_up("other")
    root = it.tree_of(hurt)
    [index] = set(it.the("index")) - before
    _lost(index, lambda _: None)
    it.damaged[hurt] = f"The repository does not hold the blob {root}."


def versions(program: Path) -> tuple[int, ...]:
    """The version of a restic."""
    told = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    return tuple(int(part) for part in told.split("-")[0].split("."))


def old_restic() -> Path | None:
    """The restic that Debian has, where it is older than the one that Cairn writes with."""
    found = shutil.which("restic")
    return Path(found) if found and versions(Path(found)) < (0, 17) else None


def lines_of(ls: bytes) -> Iterator[dict[str, Any]]:
    return (line for line in map(json.loads, ls.splitlines()) if line["struct_type"] == "node")
