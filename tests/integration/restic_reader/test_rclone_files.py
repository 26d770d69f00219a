"""A repository on whatever rclone reaches, through an rclone of our own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from cairn_local.provision.programs import EngineTools
from connector.programs import open_program
from integrations.rclone import served_repository
from integrations.rclone.remote import Remote
from integrations.rclone.served_repository import RcloneFiles
from restic_reader import FileKind, Repository
from restic_reader.errors import RepositoryNotFound, StoreUnavailable

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.integration.restic_reader.servers import PASSWORD as SERVER_PASSWORD
from tests.integration.restic_reader.servers import rclone_webdav, webdav_remote
from tests.support.waiting import eventually

Through = Callable[[Remote], RcloneFiles]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    (root / "config").write_bytes(b"the config")
    return root


@pytest.fixture(scope="module")
def webdav(engine: EngineTools, served: Path) -> Iterator[Remote]:
    with rclone_webdav(engine.rclone, served) as remote:
        yield remote


@pytest.fixture
def through(engine: EngineTools, tmp_path: Path) -> Through:
    deep = tmp_path / ("a directory with a long name " * 4) / "stores"
    return lambda remote: RcloneFiles(str(engine.rclone), remote, open_program=open_program, directory=deep)


def local(path: Path) -> Remote:
    return Remote(settings={"type": "local"}, path=str(path), origin=str(path))


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.is_running() and "serve restic" in line(each)]


def line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_a_repository_of_restic_is_read(
    webdav: Remote, served: Path, through: Through, new_restic: Callable[[], Restic], tmp_path: Path
) -> None:
    restic, content = new_restic(), os.urandom(5_000_000)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(content)
    snapshot = restic.backup(tmp_path / "source")
    at_webdav = Remote(settings=webdav.settings, path="repository", origin="", secrets=webdav.secrets)
    restic.path.rename(served / "repository")

    for remote in (at_webdav, local(served / "repository")):
        with Repository.open(through(remote), PASSWORD) as repository:
            tree = repository.snapshot(snapshot).tree
            assert b"".join(repository.read(repository.resolve(tree, b"/file"))) == content


def test_no_secret_is_on_the_command_line_and_no_port_is_open(webdav: Remote, through: Through) -> None:
    with closing(through(webdav)) as files:
        files.read(FileKind.CONFIG, "")
        (rclone,) = children()

        assert not any(secret in line(rclone) for secret in (*webdav.secrets, webdav.origin))
        assert not [each for each in rclone.net_connections("inet") if each.status == "LISTEN"]


def test_closing_leaves_neither_process_nor_file(webdav: Remote, through: Through) -> None:
    files = through(webdav)
    files.read(FileKind.CONFIG, "")
    (rclone,) = children()

    files.close()
    files.close()

    eventually(lambda: not rclone.is_running() or rclone.status() == psutil.STATUS_ZOMBIE)
    eventually(lambda: list(files.directory.glob("rclone-*")) == [])
    with pytest.raises(StoreUnavailable):
        files.read(FileKind.CONFIG, "")


def test_an_rclone_that_was_killed_is_started_anew(through: Through, served: Path) -> None:
    def reads_again() -> bool:
        try:
            return files.read(FileKind.CONFIG, "") == b"the config"
        except StoreUnavailable:
            return False

    with closing(through(local(served))) as files:
        files.read(FileKind.CONFIG, "")
        (rclone,) = children()
        rclone.send_signal(signal.SIGKILL)

        eventually(reads_again)


def test_an_empty_place_holds_no_repository(webdav: Remote, through: Through) -> None:
    elsewhere = Remote(settings=webdav.settings, path="nothing/here", origin="")
    with pytest.raises(RepositoryNotFound):
        Repository.open(through(elsewhere), PASSWORD)


def test_a_server_that_is_gone_or_refuses_us_does_not_look_like_an_empty_place(
    engine: EngineTools, webdav: Remote, through: Through
) -> None:
    port = int(webdav.origin.rpartition(":")[2])
    for remote in (webdav_remote(engine.rclone, 9), webdav_remote(engine.rclone, port, password="canary-wrong")):
        with pytest.raises(StoreUnavailable) as caught:
            Repository.open(through(remote), PASSWORD)
        assert not any(secret in str(caught.value) for secret in ("canary", SERVER_PASSWORD, *remote.secrets))


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    files = RcloneFiles(
        str(tmp_path / "missing"), local(tmp_path), open_program=open_program, directory=tmp_path / "stores"
    )
    with closing(files), pytest.raises(StoreUnavailable, match="missing"):
        files.read(FileKind.CONFIG, "")


def test_rclone_dies_with_the_worker_and_the_next_one_removes_what_it_left(
    through: Through, engine: EngineTools, served: Path
) -> None:
    script = """
import sys
from pathlib import Path
from integrations.rclone.remote import Remote
from integrations.rclone.served_repository import RcloneFiles
from connector.programs import open_program
from restic_reader import FileKind
remote = Remote(settings={"type": "local"}, path=sys.argv[2], origin="")
RcloneFiles(sys.argv[1], remote, open_program=open_program, directory=Path(sys.argv[3])).read(FileKind.CONFIG, "")
print("reading", flush=True)
sys.stdin.read()
"""
    files = through(local(served))
    command = [sys.executable, "-c", script, engine.rclone, served, files.directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"reading\n"
        (rclone,) = psutil.Process(worker.pid).children()
        worker.kill()
    (left,) = files.directory.glob("rclone-*")

    eventually(lambda: not rclone.is_running() or rclone.status() == psutil.STATUS_ZOMBIE)
    # Its other threads may hold the socket a moment longer than the one that tells how the process is.
    eventually(lambda: not served_repository.listens(left))
    os.utime(left, (0, 0))
    with closing(files):
        files.read(FileKind.CONFIG, "")
        assert not left.exists()
