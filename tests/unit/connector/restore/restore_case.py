"""One restore to a directory, out of a repository made by hand."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from connector.engine.port import Progress
from connector.engine.problems import Problems
from connector.engine.processes import ProcessMeter
from connector.restore.chosen_nodes import ChosenNodes
from connector.restore.figures import Figures
from connector.restore.preview import Preview
from connector.restore.shared_writing import Sent
from connector.restore.transfer import Transfer
from connector.restore.writer_processes import WriterProcesses
from connector.stores.restore_points import restore_point_of
from connector.stores.selection import choose
from contracts.task_types.restore import Keep, OverwritePolicy
from contracts.values import AppId, OrganizationId
from integrations.fs.file_attributes import Attributes
from integrations.fs.restored_files import RestoredFiles
from restic_reader import LocalFiles, Repository

from tests.support.repository_writer import RepositoryWriter

MODIFIED_NS = 1_706_933_106_000_000_000
LOST = b"lost"
"""The content of a file whose blob the repository does not hold."""
MISSING = "ab" * 32
FILES = {"a": b"first", "deep/b": b"second" * 1000, "deep/er/c": b"", "z": b"last"}


def node(name: str, type_: str, **facts: object) -> str:
    mode = {"dir": 0o755 | 1 << 31, "file": 0o640}.get(type_, 0o777)
    known = {"name": name, "type": type_, "mode": mode, "mtime": "2024-02-03T04:05:06Z"}
    return json.dumps({**known, "uid": os.geteuid(), "gid": os.getegid(), **facts})


def directory(writer: RepositoryWriter, files: Mapping[str, bytes]) -> str:
    names = sorted({path.partition("/")[0] for path in files})
    nodes = []
    for name in names:
        if name in files:
            content = [writer.data(files[name])] if files[name] else []
            content = [MISSING] if files[name] == LOST else content
            nodes.append(node(name, "file", size=len(files[name]), content=content))
        else:
            below = {path.partition("/")[2]: data for path, data in files.items() if path.startswith(f"{name}/")}
            nodes.append(node(name, "dir", subtree=directory(writer, below)))
    return writer.tree(nodes)


class Elsewhere:
    """The files of a repository as a store that is no directory of this machine gives them."""

    def __init__(self, root: Path) -> None:
        files = LocalFiles(root)
        self.list, self.has_directory, self.close = files.list, files.has_directory, files.close
        self.read, self.read_range = files.read, files.read_range


@dataclass
class Case:
    """What there is to restore, and how; afterwards, what came of it."""

    root: Path
    files: Mapping[str, bytes] = field(default_factory=lambda: FILES)
    nodes: Sequence[str] = ()
    make_tree: Callable[[RepositoryWriter], str] | None = None
    log: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    is_cancelled: Callable[[], bool] = lambda: False
    spoils: bool = False
    """Whether the middle of the pack with the files' contents is damaged."""
    is_deleted: bool = False
    """Whether the restore point is deleted once its restore has begun."""
    off_limits: Mapping[bytes, str] = field(default_factory=dict)
    attempt: int = 1
    processes: int = 0
    """How many processes write the small files, of which one is enough here; without any, this one does."""
    meter: ProcessMeter = field(default_factory=ProcessMeter)
    is_remote: bool = False
    """Whether only this process can read the store."""

    @property
    def target(self) -> Path:
        return self.root / "target"

    def run(
        self,
        *paths: bytes,
        overwrite: OverwritePolicy = "always",
        root_owns: bool = False,
        keep: Keep = Keep(),  # noqa: B008 - frozen
        preview: Preview | None = None,
    ) -> Figures:
        store = self.root / "store"
        with RepositoryWriter(store, "word", scrypt_n=2) as writer:
            tree = self._tree(writer)
            snapshot = writer.snapshot(tree)
        if self.spoils:
            pack = max(store.glob("data/*/*"), key=lambda path: path.stat().st_size)
            content = bytearray(pack.read_bytes())
            content[len(content) // 2] ^= 1
            pack.write_bytes(content)
        self.target.mkdir(exist_ok=True)
        held = os.open(self.target, os.O_PATH | os.O_DIRECTORY)
        files = Elsewhere(store) if self.is_remote else LocalFiles(store)
        with Repository.open(files, "word") as repository:
            found = repository.snapshot(snapshot)
            point = restore_point_of(found, org=OrganizationId("org"), store_id=AppId("store"))
            destination = RestoredFiles(
                held,
                job_id="job",
                attempt=self.attempt,
                off_limits=self.off_limits,
                guarded=frozenset(),
                attributes=Attributes(is_root=root_owns, keep=keep),
            )
            self.problems = Problems(lambda _, text: self.log.append(text))
            writers = WriterProcesses[Sent](self.processes, meter=self.meter)
            with closing(destination), closing(writers):
                transfer = Transfer(
                    repository=repository,
                    snapshot_id=snapshot,
                    nodes=ChosenNodes(repository, found.tree, choose(repository, point, paths or (b"/",))),
                    destination=destination,
                    overwrite=overwrite,
                    problems=self.problems,
                    is_cancelled=self.is_cancelled,
                    on_progress=self.progress.append,
                    on_path=self.tell,
                    on_log=lambda _, text: self.log.append(text),
                    processes=writers,
                    worth_files=1,
                )
                transfer.plan()
                if self.is_deleted:
                    (store / "snapshots" / snapshot).unlink()
                if preview is not None:
                    preview.look(transfer)
                else:
                    transfer.write()
                    transfer.verify()
        os.close(held)
        return transfer.figures

    def tell(self, path: str, outcome: str) -> None:
        self.outcomes[path] = outcome

    def _tree(self, writer: RepositoryWriter) -> str:
        if self.make_tree is not None:
            return self.make_tree(writer)
        return writer.tree(self.nodes) if self.nodes else directory(writer, self.files)

    @property
    def there(self) -> dict[str, bytes]:
        return {
            str(p.relative_to(self.target)): p.read_bytes()
            for p in self.target.rglob("*")
            if p.is_file() and not p.is_symlink()
        }
