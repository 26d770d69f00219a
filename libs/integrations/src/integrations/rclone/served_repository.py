"""A repository on anything that rclone reaches, read through an rclone of our own that serves it."""

import asyncio
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import TypeVar

from restic_reader import FileKind, RestFiles, StoredFile
from restic_reader.errors import FileMissing, StoreUnavailable
from restic_reader.loop_thread import LoopThread

from integrations.rclone.log import RcloneLog
from integrations.rclone.remote import Remote, rclone_command
from integrations.sdk.programs import OpenProgram, ProgramCommand
from integrations.sdk.redaction import Redactor

T = TypeVar("T")

_PREFIX, _SOCKET = "rclone-", "socket"
# Another worker's rclone has its directory for a moment before it listens.
_LEFT_SECONDS = 60
_GREETING = "Serving "
_START_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.02
_ANSWER_SECONDS = 120
# No time limits of the server's own: a connection is kept for as long as the repository is open.
_ARGUMENTS = ("--append-only", "--server-read-timeout", "0", "--server-write-timeout", "0")


class RcloneFiles:
    """`RepositoryFiles` through `rclone serve restic`, which dies with this process and is started anew if it ends.

    It listens on a socket in a directory that only our user may enter, made in `directory`; nothing but reads is asked
    of it, and it would refuse to change or remove a file. What it needs to know is in its environment.
    """

    def __init__(self, program: str, remote: Remote, *, open_program: OpenProgram, directory: Path) -> None:
        self._program = program
        self._open_program = open_program
        self._remote = remote
        self.directory = directory
        self._thread = LoopThread("rclone")
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def list(self, kind: FileKind) -> list[StoredFile]:
        """See `RepositoryFiles.list`."""
        return self._ask(lambda files: files.list(kind))

    def read(self, kind: FileKind, name: str) -> bytes:
        """See `RepositoryFiles.read`."""
        return self._ask(lambda files: files.read(kind, name))

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """See `RepositoryFiles.read_range`."""
        return self._ask(lambda files: files.read_range(kind, name, offset=offset, length=length))

    def close(self) -> None:
        """See `RepositoryFiles.close`."""
        self._thread.stop()

    def _ask(self, question: Callable[[RestFiles], T]) -> T:
        """The answer. rclone calls a file missing where the remote is out of reach; a listing tells the two apart."""
        server = self._running()
        try:
            return question(server.files)
        except FileMissing:
            server.files.list(FileKind.KEY)
            raise
        except StoreUnavailable as error:
            raise StoreUnavailable(server.words or error.why) from None

    def _running(self) -> "_Server":
        with self._lock:
            if self._server is None or self._server.ended:
                self.directory.mkdir(parents=True, exist_ok=True)
                _remove_leftovers(self.directory)
                own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.directory))
                self._server = _Server(
                    self._command(own), own, open_program=self._open_program, secrets=self._remote.secrets
                )
                self._thread.run(self._server.start())
            return self._server

    def _command(self, directory: Path) -> ProgramCommand:
        arguments = ("serve", "restic", self._remote.argument, "--addr", f"unix://{_SOCKET}", *_ARGUMENTS)
        command = rclone_command(self._program, *arguments, remote=self._remote, cache_dir=self.directory / "cache")
        return replace(command, directory=directory)


class _Server:
    """A running rclone, in a directory of its own that is removed when it ends."""

    def __init__(
        self, command: ProgramCommand, directory: Path, *, open_program: OpenProgram, secrets: Sequence[str]
    ) -> None:
        self._command = command
        self._open_program = open_program
        self._directory = directory
        self._log = RcloneLog(Redactor(secrets))
        self._serving: asyncio.Task[None] | None = None
        self.files = RestFiles(self._connection)

    @property
    def ended(self) -> bool:
        return self._serving is None or self._serving.done()

    @property
    def words(self) -> str:
        """What it said last, if that was no greeting."""
        return "" if self._log.words.startswith(_GREETING) else self._log.words

    async def start(self) -> None:
        """Returns once it listens. Raises `StoreUnavailable`."""
        self._serving = asyncio.create_task(self._serve())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while not self.ended:
                    if await asyncio.to_thread(self._is_listening):
                        return
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self._serving.cancel()
        raise StoreUnavailable(self.words or "rclone does not start")

    async def _serve(self) -> None:
        """Until it ends, or this is cancelled."""
        try:
            async with self._open_program(self._command) as child:
                await child.pump(on_output=self._log.take, on_error=self._log.take)
                await child.wait()
        finally:
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    def _is_listening(self) -> bool:
        """The socket is there a moment before anybody listens to it."""
        return listens(self._directory)

    def _connection(self) -> HTTPConnection:
        return _UnixConnection(self._directory / _SOCKET)


def listens(directory: Path) -> bool:
    """Whether an rclone listens on the socket in a directory."""
    try:
        with closing(_UnixConnection(directory / _SOCKET)) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def _remove_leftovers(parent: Path) -> None:
    """Remove what killed workers left: directories in which nothing listens, though there was time to begin."""
    # By age and socket, as the name of a directory does not tell whether its worker is alive.
    for directory in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - directory.stat().st_mtime > _LEFT_SECONDS and not listens(directory):
                shutil.rmtree(directory, ignore_errors=True)


class _UnixConnection(HTTPConnection):
    """Reaches a socket by a directory, since a whole path may be longer than an address of a socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect. Raises `OSError`."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{directory}/{self._path.name}")
        finally:
            os.close(directory)
