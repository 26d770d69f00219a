"""A repository on an SFTP server: who is let in, who is trusted, and what a lost connection costs."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from restic_reader import FileKind, Repository
from restic_reader.errors import AccessDenied, HostUnknown, ReaderError, RepositoryNotFound, StoreUnavailable
from restic_reader.sftp_files import SftpFiles, SftpServer

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.integration.restic_reader.servers import Sftp, asyncssh_sftp
from tests.support.waiting import eventually

WORDS = "canary-passphrase"


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sftp]:
    root = tmp_path_factory.mktemp("sftp")
    (root / "config").write_bytes(b"the config")
    with asyncssh_sftp(root) as server:
        yield server


def config(server: SftpServer) -> bytes:
    with closing(SftpFiles(server, "/")) as files:
        return files.read(FileKind.CONFIG, "")


def refusal(server: SftpServer) -> ReaderError:
    with pytest.raises(ReaderError) as caught:
        config(server)
    return caught.value


def locked(key: str) -> str:
    return (
        asyncssh.import_private_key(key).export_private_key("openssh", WORDS, rounds=1, ignore_few_rounds=True).decode()
    )


def test_a_user_signs_in_by_password_or_by_key(sftp: Sftp) -> None:
    by_key = replace(sftp.server, password="", private_key=sftp.key)
    by_locked_key = replace(by_key, private_key=locked(sftp.key), key_passphrase=WORDS)

    assert {config(server) for server in (sftp.server, by_key, by_locked_key)} == {b"the config"}


def test_who_is_not_let_in_is_denied_without_telling_secrets(sftp: Sftp) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh").decode()
    for server in (
        replace(sftp.server, password="canary-wrong"),
        replace(sftp.server, password="", private_key=stranger),
        replace(sftp.server, password="", private_key=locked(sftp.key), key_passphrase="canary-wrong"),
        replace(sftp.server, password="", private_key="canary-no-key"),
        replace(sftp.server, password=""),
    ):
        error = refusal(server)
        assert isinstance(error, AccessDenied), error
        assert "canary" not in f"{error} {server!r}"


def test_a_host_that_is_not_known_is_told_no_password(sftp: Sftp) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    sftp.passwords.clear()

    for known in (f"[127.0.0.1]:{sftp.server.port} {other}", "", (sftp.server.known_hosts or "").replace("127", "128")):
        assert isinstance(refusal(replace(sftp.server, known_hosts=known)), HostUnknown), known

    assert sftp.passwords == []
    assert config(replace(sftp.server, known_hosts=None)) == b"the config"


def test_a_list_of_hosts_that_cannot_be_read_trusts_nobody(sftp: Sftp) -> None:
    assert isinstance(refusal(replace(sftp.server, known_hosts="not a line of known hosts \0")), HostUnknown)


def test_a_lost_connection_is_made_anew(sftp: Sftp) -> None:
    with closing(SftpFiles(sftp.server, "/")) as files:
        for _ in range(3):
            assert files.read(FileKind.CONFIG, "") == b"the config"
            sftp.cut_off()


def test_reads_under_way_survive_a_lost_connection(sftp: Sftp) -> None:
    content = os.urandom(8 << 20)
    place = sftp.root / "data" / "00" / ("0" * 64)
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    with closing(SftpFiles(sftp.server, "")) as files, ThreadPoolExecutor(6) as pool:
        reads = [pool.submit(files.read, FileKind.PACK, "0" * 64) for _ in range(6)]
        eventually(lambda: bool(sftp.connections))
        sftp.cut_off()

        assert {read.result() == content for read in reads} == {True}


def test_one_connection_serves_all_threads(sftp: Sftp) -> None:
    eventually(lambda: not sftp.connections)
    with closing(SftpFiles(sftp.server, "/")) as files, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: files.read(FileKind.CONFIG, ""), range(40))) == {b"the config"}
        assert len(sftp.connections) == 1


def test_a_server_that_is_gone_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"the config")
    with asyncssh_sftp(tmp_path) as server:
        files = SftpFiles(server.server, "/")
        assert files.read(FileKind.CONFIG, "") == b"the config"
    with closing(files), pytest.raises(StoreUnavailable):
        files.read(FileKind.CONFIG, "")


def test_closing_leaves_neither_thread_nor_connection(sftp: Sftp) -> None:
    def threads() -> int:
        return sum(thread.name == "sftp" for thread in threading.enumerate())

    eventually(lambda: threads() == 0)
    files = SftpFiles(sftp.server, "/")
    files.read(FileKind.CONFIG, "")
    assert threads() == 1

    files.close()

    eventually(lambda: threads() == 0)
    eventually(lambda: not sftp.connections)
    with pytest.raises(StoreUnavailable):
        files.read(FileKind.CONFIG, "")


def test_a_repository_of_restic_is_read(sftp: Sftp, new_restic: Callable[[], Restic], tmp_path: Path) -> None:
    restic, content = new_restic(), os.urandom(5_000_000)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(content)
    snapshot = restic.backup(tmp_path / "source")
    restic.path.rename(sftp.root / "repository")

    with Repository.open(SftpFiles(sftp.server, "repository"), PASSWORD) as repository:
        tree = repository.snapshot(snapshot).tree
        assert b"".join(repository.read(repository.resolve(tree, b"/file"))) == content
    with pytest.raises(RepositoryNotFound):
        Repository.open(SftpFiles(sftp.server, "elsewhere"), PASSWORD)
    eventually(lambda: not sftp.connections)
