"""A repository behind a server that speaks restic's REST protocol, version 2: rclone's, or restic's own.

Source: the page "REST Backend" of restic's documentation.
"""

from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

import msgspec

from restic_reader.errors import AccessDenied, FileMissing, StoreUnavailable
from restic_reader.kept_connections import KeptConnections
from restic_reader.storage import FileKind, StoredFile, exactly, is_storage_name

_LISTING = "application/vnd.x.restic.rest.v2"


class _Listed(msgspec.Struct):
    name: str
    size: int


_listing = msgspec.json.Decoder(list[_Listed])


class RestFiles:
    """`RepositoryFiles` over HTTP; `connect` prepares a connection to the server, of which each thread keeps one."""

    def __init__(self, connect: Callable[[], HTTPConnection], *, path: str = "/") -> None:
        self._connections = KeptConnections[None](lambda _: connect())
        self._path = f"{path.rstrip('/')}/"

    def list(self, kind: FileKind) -> list[StoredFile]:
        """See `RepositoryFiles.list`."""
        status, body = self._get(f"{kind}/", {"Accept": _LISTING})
        if status == 404:
            return []
        if status != 200:
            raise _unexpected(status, kind.word)
        try:
            found = _listing.decode(body or b"[]")
        except msgspec.MsgspecError as error:
            raise StoreUnavailable("it does not speak restic's REST protocol") from error
        return [StoredFile(each.name, each.size) for each in found if is_storage_name(each.name)]

    def has_directory(self, kind: FileKind) -> None:
        """See `RepositoryFiles.has_directory`: the protocol does not say."""

    def read(self, kind: FileKind, name: str) -> bytes:
        """See `RepositoryFiles.read`."""
        status, body = self._get(_target(kind, name), {})
        return _whole(status, body, kind=kind, name=name)

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """See `RepositoryFiles.read_range`."""
        status, body = self._get(_target(kind, name), {"Range": f"bytes={offset}-{offset + length - 1}"})
        if status == 416:
            # The range begins after the end of the file: `exactly` reports that it is too short.
            body = b""
        # A server may ignore `Range` and send the whole file.
        elif status != 206:
            body = _whole(status, body, kind=kind, name=name)[offset : offset + length]
        return exactly(body, length, kind=kind, name=name)

    def close(self) -> None:
        """See `RepositoryFiles.close`."""
        self._connections.forget()

    def _get(self, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            response, body = self._connections.get(None, self._path + target, headers)
        except TimeoutError:
            raise StoreUnavailable("it did not answer in time") from None
        except (OSError, HTTPException) as error:
            raise StoreUnavailable(type(error).__name__) from None
        return response.status, body


def _target(kind: FileKind, name: str) -> str:
    return f"{kind}/{name}" if name else kind.value


def _whole(status: int, body: bytes, *, kind: FileKind, name: str) -> bytes:
    if status == 404:
        raise FileMissing(kind.word, name)
    if status != 200:
        raise _unexpected(status, f"{kind.word} {name}".rstrip())
    return body


def _unexpected(status: int, what: str) -> AccessDenied | StoreUnavailable:
    return AccessDenied(what) if status in (401, 403) else StoreUnavailable(f"it answered with status {status}")
