"""A repository on an SFTP server. Import this when it is needed only: asyncssh takes 26 MiB of memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import asyncssh
from asyncssh import SFTPClient, SSHClientConnection

from restic_reader.errors import AccessDenied, FileMissing, HostUnknown, ReaderError, StoreUnavailable
from restic_reader.loop_thread import LoopThread
from restic_reader.storage import FileKind, StoredFile, exactly, is_storage_name, relative_path

T = TypeVar("T")
Ask = Callable[[SFTPClient], Awaitable[T]]

_CONNECT_SECONDS = 15
_ANSWER_SECONDS = 60
_KEEP_ALIVE_SECONDS = 15
_SCANS_AT_ONCE = 16
_MISSING = (
    asyncssh.SFTPNoSuchFile,
    asyncssh.SFTPNoSuchPath,
    asyncssh.SFTPNotADirectory,
    asyncssh.SFTPFileIsADirectory,
)
_REFUSED = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect)
_CUT_OFF = (
    asyncssh.SFTPNoConnection,
    asyncssh.SFTPConnectionLost,
    asyncssh.ConnectionLost,
    asyncssh.ChannelOpenError,
    ConnectionError,
)
_UNUSABLE_KEY = (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)


@dataclass(frozen=True, kw_only=True)
class SftpServer:
    """An SFTP server and who signs in to it, by key or password, whichever it takes. Its `repr` shows no secret.

    Nothing is taken from the environment: no agent, no keys or settings of the user that the worker runs as.
    """

    host: str
    port: int = 22
    user: str
    known_hosts: str | None
    """Lines as in OpenSSH's file `known_hosts`. None trusts any server; there is no default, to make it a choice."""
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    """In PEM or OpenSSH's format."""
    key_passphrase: str = field(default="", repr=False)


class SftpFiles:
    """`RepositoryFiles` below a directory of an SFTP server; without a slash in front `root` is below the user's home.

    One connection serves all threads. It is made when it is first needed, kept alive, and replaced once it is lost.
    """

    def __init__(self, server: SftpServer, root: str) -> None:
        self._server = server
        self._root = root.rstrip("/") if root else "."
        self._thread = LoopThread("sftp")
        self._connecting: asyncio.Task[_Session] | None = None

    def list(self, kind: FileKind) -> list[StoredFile]:
        """See `RepositoryFiles.list`."""
        return self._run(kind, "", lambda sftp: _listing(sftp, f"{self._root}/{kind}", nested=kind is FileKind.PACK))

    def has_directory(self, kind: FileKind) -> bool:
        """See `RepositoryFiles.has_directory`."""
        return self._run(kind, "", lambda sftp: sftp.isdir(f"{self._root}/{kind}"))

    def read(self, kind: FileKind, name: str) -> bytes:
        """See `RepositoryFiles.read`."""
        return self._run(kind, name, lambda sftp: _content(sftp, self._path(kind, name)))

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """See `RepositoryFiles.read_range`."""
        data = self._run(kind, name, lambda sftp: _content(sftp, self._path(kind, name), offset, length))
        return exactly(data, length, kind=kind, name=name)

    def close(self) -> None:
        """See `RepositoryFiles.close`."""
        self._thread.stop(self._hang_up)

    def _path(self, kind: FileKind, name: str) -> str:
        return f"{self._root}/{relative_path(kind, name)}"

    def _run(self, kind: FileKind, name: str, ask: Ask[T]) -> T:
        try:
            return self._thread.run(self._asked(ask))
        except (asyncssh.Error, OSError, TimeoutError, *_UNUSABLE_KEY) as error:
            raise _meaning(error, kind, name) from error

    async def _asked(self, ask: Ask[T]) -> T:
        """The answer; where the connection turns out to be lost, that of the next one."""
        try:
            return await _in_time(ask, await self._session())
        except _CUT_OFF:
            return await _in_time(ask, await self._session())

    def _hang_up(self) -> None:
        if self._connecting is not None and self._connecting.done() and not _is_over(self._connecting):
            self._connecting.result().abort()

    async def _session(self) -> "_Session":
        if self._connecting is None or _is_over(self._connecting):
            self._connecting = asyncio.create_task(_connect(self._server))
        # Others wait for the same connection: one that is cancelled must not cancel it for all.
        return await asyncio.shield(self._connecting)


class _Session:
    """A connection and the SFTP channel in it."""

    def __init__(self, connection: SSHClientConnection, sftp: SFTPClient) -> None:
        self._connection = connection
        self._aborted = False
        self.sftp = sftp

    @property
    def is_over(self) -> bool:
        return self._aborted or self._connection.is_closed()

    def abort(self) -> None:
        self._aborted = True
        self._connection.abort()


def _is_over(connecting: "asyncio.Task[_Session]") -> bool:
    if not connecting.done():
        return False
    return connecting.cancelled() or connecting.exception() is not None or connecting.result().is_over


async def _connect(server: SftpServer) -> _Session:
    key = asyncssh.import_private_key(server.private_key, server.key_passphrase or None) if server.private_key else None
    known_hosts = None if server.known_hosts is None else asyncssh.import_known_hosts(server.known_hosts)
    connection = await asyncssh.connect(
        server.host,
        server.port,
        username=server.user,
        password=server.password or None,
        client_keys=[key] if key else None,
        known_hosts=known_hosts,
        # Otherwise asyncssh takes agent and settings of the user that the worker runs as.
        agent_path=None,
        config=None,
        compression_algs=["none"],
        connect_timeout=_CONNECT_SECONDS,
        login_timeout=_CONNECT_SECONDS,
        keepalive_interval=_KEEP_ALIVE_SECONDS,
    )
    try:
        return _Session(connection, await connection.start_sftp_client())
    except BaseException:
        connection.abort()
        raise


async def _in_time(ask: Ask[T], session: _Session) -> T:
    """The answer. A connection that is lost, or silent for too long, is given up."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await ask(session.sftp)
    except (TimeoutError, *_CUT_OFF):
        # One connection serves all: those who wait on it would each run into the same silence.
        session.abort()
        raise


async def _content(sftp: SFTPClient, path: str, offset: int = 0, length: int = -1) -> bytes:
    async with sftp.open(path, "rb") as file:
        return cast("bytes", await file.read(length, offset))


async def _listing(sftp: SFTPClient, directory: str, *, nested: bool) -> list[StoredFile]:
    found = await _scanned(sftp, directory)
    if nested:
        # Packs lie in directories by the first two digits of their names; `.` and `..` are among those listed.
        below = [f"{directory}/{each.name}" for each in found if each.name not in (".", "..")]
        found = await _scanned_together(sftp, below)
    return [each for each in found if is_storage_name(each.name)]


async def _scanned_together(sftp: SFTPClient, directories: Sequence[str]) -> list[StoredFile]:
    # One after the other, 256 directories would take as many round trips; all at once, more handles than servers open.
    turns = asyncio.Semaphore(_SCANS_AT_ONCE)

    async def scan(directory: str) -> list[StoredFile]:
        async with turns:
            return await _scanned(sftp, directory)

    return [each for part in await asyncio.gather(*map(scan, directories)) for each in part]


async def _scanned(sftp: SFTPClient, directory: str) -> list[StoredFile]:
    try:
        found = [entry async for entry in sftp.scandir(directory)]
    except _MISSING:
        return []
    return [StoredFile(str(each.filename), -1 if each.attrs.size is None else each.attrs.size) for each in found]


def _meaning(error: Exception, kind: FileKind, name: str) -> ReaderError:
    # In our words: the text of the server may repeat what it received.
    if isinstance(error, _MISSING):
        return FileMissing(kind.word, name)
    if isinstance(error, _REFUSED):
        return AccessDenied(f"{kind.word} {name}".rstrip())
    if isinstance(error, asyncssh.PermissionDenied):
        return AccessDenied("this user: it accepts neither the password nor the key")
    if isinstance(error, _UNUSABLE_KEY):
        return AccessDenied("this user: the private key cannot be read, or needs another passphrase")
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostUnknown()
    if isinstance(error, TimeoutError):
        return StoreUnavailable("it did not answer in time")
    return StoreUnavailable(f"the SFTP server did not answer as expected ({type(error).__name__})")
