"""What every `RepositoryFiles` promises, on all of them."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import obstore
import pytest
from cairn_local.provision.programs import EngineTools
from connector.programs import open_program
from integrations.rclone.remote import Remote
from integrations.rclone.served_repository import RcloneFiles
from obstore.store import ObjectStore
from restic_reader import FileKind, LocalFiles, MemoryFiles, ObjectFiles, Repository, RepositoryFiles, StoredFile
from restic_reader.errors import AccessDenied, Damaged, FileMissing, RepositoryNotFound, StoreUnavailable
from restic_reader.sftp_files import SftpFiles, SftpServer

from tests.integration.restic_reader.restic_cli import PASSWORD, Restic
from tests.integration.restic_reader.servers import (
    S3Server,
    asyncssh_sftp,
    moto_s3,
    rclone_s3,
    rclone_sftp,
    rclone_webdav,
)

CONTENTS = [os.urandom(size) for size in (1, 1000, 3_000_000)]
FILES = {hashlib.sha256(content).hexdigest(): content for content in CONTENTS}
PREFIX = "some where/else"

Put = Callable[[str, bytes], None]


@pytest.fixture(scope="module")
def servers(engine: EngineTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, S3Server]]:
    with ExitStack() as stack:
        rclone = stack.enter_context(rclone_s3(engine.rclone, tmp_path_factory.mktemp("buckets")))
        yield {"rclone": rclone, "moto": stack.enter_context(moto_s3())}


class Directories:
    """Servers that show directories of this machine; each is started when it is first needed."""

    def __init__(self, stack: ExitStack, rclone: Path, root: Path) -> None:
        self._stack, self._rclone, self._count = stack, rclone, 0
        self.root, self.work = root / "served", root / "work"
        self.root.mkdir()
        self.work.mkdir()

    def fresh(self) -> Path:
        """A directory that was not there before."""
        self._count += 1
        return self.root / f"some where {self._count}" / "else"

    @cached_property
    def sftp(self) -> SftpServer:
        return self._stack.enter_context(asyncssh_sftp(self.root)).server

    @cached_property
    def rclone_sftp(self) -> SftpServer:
        return self._stack.enter_context(rclone_sftp(self._rclone, self.root, self.work))

    @cached_property
    def webdav(self) -> Remote:
        return self._stack.enter_context(rclone_webdav(self._rclone, self.root))

    def through_rclone(self, remote: Remote, path: str) -> RcloneFiles:
        return RcloneFiles(
            str(self._rclone), replace(remote, path=path), open_program=open_program, directory=self.work / "stores"
        )

    def files(self, kind: str) -> tuple[RepositoryFiles, Put]:
        """Some adapter over a fresh directory."""
        place = self.fresh()
        below = str(place.relative_to(self.root))
        made: RepositoryFiles
        if kind == "sftp":
            made = SftpFiles(self.sftp, f"/{below}/")
        elif kind == "sftp of rclone":
            made = SftpFiles(self.rclone_sftp, below)
        elif kind == "alias":
            alias = Remote(settings={"type": "alias", "remote": str(self.root)}, path="", origin="")
            made = self.through_rclone(alias, below)
        else:
            made = self.through_rclone(self.webdav, below)
        return made, _put_below(place)


@pytest.fixture(scope="module")
def directories(engine: EngineTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directories]:
    with ExitStack() as stack:
        yield Directories(stack, engine.rclone, tmp_path_factory.mktemp("directories"))


def _put_below(root: Path) -> Put:
    def put(path: str, content: bytes) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)

    return put


def _memory() -> tuple[RepositoryFiles, Put]:
    files = MemoryFiles()

    def put(path: str, content: bytes) -> None:
        kind, _, rest = path.partition("/")
        name = rest.rpartition("/")[2]
        if len(name) in (0, 64):
            files.files[FileKind(kind), name] = content

    return files, put


def _object(store: ObjectStore) -> tuple[RepositoryFiles, Put]:
    def put(path: str, content: bytes) -> None:
        obstore.put(store, f"{PREFIX}/{path}", content)

    return ObjectFiles(store, f"/{PREFIX}/"), put


@pytest.fixture(params=["local", "memory", "rclone", "moto", "sftp", "sftp of rclone", "alias", "webdav"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RepositoryFiles]:
    made: RepositoryFiles
    if request.param == "local":
        made, put = LocalFiles(tmp_path / "repository"), _put_below(tmp_path / "repository")
    elif request.param == "memory":
        made, put = _memory()
    elif request.param in ("sftp", "sftp of rclone", "alias", "webdav"):
        made, put = request.getfixturevalue("directories").files(request.param)
    else:
        made, put = _object(request.getfixturevalue("servers")[request.param].store())
    put("config", b"the config")
    for name, content in FILES.items():
        put(f"data/{name[:2]}/{name}", content)
        put(f"keys/{name}", content)
    put("data/00/not-a-pack.tmp", b"left over")
    yield made
    made.close()
    made.close()


def test_listing_tells_names_and_sizes_and_leaves_strangers_out(files: RepositoryFiles) -> None:
    expected = {StoredFile(name, len(content)) for name, content in FILES.items()}
    assert set(files.list(FileKind.PACK)) == expected
    assert set(files.list(FileKind.KEY)) == expected


def test_a_kind_without_files_is_listed_empty(files: RepositoryFiles) -> None:
    assert list(files.list(FileKind.SNAPSHOT)) == []


def test_whole_files_are_read(files: RepositoryFiles) -> None:
    assert files.read(FileKind.CONFIG, "") == b"the config"
    for name, content in FILES.items():
        assert files.read(FileKind.PACK, name) == content
        assert files.read(FileKind.KEY, name) == content


def test_any_range_is_read(files: RepositoryFiles) -> None:
    for name, content in FILES.items():
        for offset, length in (
            (0, 1),
            (len(content) - 1, 1),
            (len(content) // 3, len(content) // 2 + 1),
            (0, len(content)),
        ):
            if offset + length <= len(content):
                read = files.read_range(FileKind.PACK, name, offset=offset, length=length)
                assert read == content[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(0, 1001), (999, 2), (1000, 1), (5000, 10)])
def test_a_range_beyond_the_end_is_damage(files: RepositoryFiles, offset: int, length: int) -> None:
    name = next(name for name, content in FILES.items() if len(content) == 1000)
    with pytest.raises(Damaged) as caught:
        files.read_range(FileKind.PACK, name, offset=offset, length=length)
    assert (caught.value.what, caught.value.name) == ("pack", name)


def test_a_missing_file_is_missing(files: RepositoryFiles) -> None:
    with pytest.raises(FileMissing):
        files.read(FileKind.INDEX, "0" * 64)
    with pytest.raises(FileMissing):
        files.read_range(FileKind.PACK, "0" * 64, offset=0, length=1)


def test_threads_read_at_the_same_time(files: RepositoryFiles) -> None:
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda name: files.read(FileKind.PACK, name), list(FILES) * 10))
    assert read == CONTENTS * 10


@pytest.mark.parametrize("kind", ["rclone", "moto"])
def test_a_repository_that_restic_wrote_to_a_bucket_is_read(
    kind: str, servers: dict[str, S3Server], engine: EngineTools, tmp_path: Path
) -> None:
    url, environment = servers[kind].restic("deep/repository")
    restic = Restic(engine.restic, url, environment)
    restic.init()
    (tmp_path / "file").write_bytes(os.urandom(5_000_000))
    snapshot = restic.backup(tmp_path)
    with Repository.open(ObjectFiles(servers[kind].store(), "deep/repository"), PASSWORD) as repository:
        node = repository.resolve(repository.snapshot(snapshot[:8]).tree, b"/file")
        assert b"".join(repository.read(node)) == (tmp_path / "file").read_bytes()
        assert len(list(repository.walk_new(repository.snapshot(snapshot).tree, lambda ids: {}))) == 1


def test_an_empty_bucket_holds_no_repository(servers: dict[str, S3Server]) -> None:
    with pytest.raises(RepositoryNotFound):
        Repository.open(ObjectFiles(servers["moto"].store(), "nothing/here"), PASSWORD)


@pytest.mark.parametrize("kind", ["rclone", "moto"])
def test_a_bucket_that_is_gone_holds_no_repository(kind: str, servers: dict[str, S3Server]) -> None:
    with pytest.raises(RepositoryNotFound):
        Repository.open(ObjectFiles(servers[kind].store(bucket="gone"), "nothing/here"), PASSWORD)


def test_wrong_keys_of_a_store_are_denied_without_telling_them(servers: dict[str, S3Server]) -> None:
    with pytest.raises(AccessDenied) as caught:
        Repository.open(
            ObjectFiles(servers["rclone"].store(secret_key="wrong-secret-key-0123456789"), PREFIX), PASSWORD
        )
    assert "wrong-secret-key" not in f"{caught.value} {caught.value.__cause__}"


def test_a_server_that_is_gone_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        ObjectFiles(S3Server("http://127.0.0.1:9").store()).read(FileKind.CONFIG, "")


def test_a_directory_that_may_not_be_read_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_bytes(b"")
    (tmp_path / "config").chmod(0)
    if os.access(tmp_path / "config", os.R_OK):
        os.seteuid(65534)
    try:
        with pytest.raises((AccessDenied, FileMissing)):
            LocalFiles(tmp_path).read(FileKind.CONFIG, "")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
