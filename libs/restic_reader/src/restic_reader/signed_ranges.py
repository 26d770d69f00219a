"""Ranges of an object through signed addresses, for S3 servers that obstore takes no range from.

obstore insists on status 206. Some servers (rclone's among them) send the right range and its `Content-Range` with
status 200. Signed addresses are secrets as long as they are valid: they are in no log and in no error here.
"""

import ssl
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore

from restic_reader.archived_objects import Archived, tells_of_an_archive
from restic_reader.errors import StoreUnavailable
from restic_reader.kept_connections import KeptConnections

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

_VALID = timedelta(minutes=10)
_TIMEOUT_SECONDS = 60


class SignedRanges:
    """Reads ranges with one kept connection per thread; without `tls`, the usual certificates are trusted."""

    def __init__(self, store: "S3Store | GCSStore | AzureStore", *, tls: ssl.SSLContext | None = None) -> None:
        self._store = store
        self._tls = tls
        self._connections = KeptConnections(self._connect)

    def read(self, path: str, *, offset: int, length: int) -> bytes:
        """The range, or as much of it as the object has.

        Raises `FileNotFoundError`, `PermissionError`, `Archived`, or `StoreUnavailable` for any other answer.
        """
        # For each range anew: that needs no request, and a range that is read later finds no expired address.
        parts = urlsplit(obstore.sign(self._store, "GET", path, _VALID))
        asked = {"Range": f"bytes={offset}-{offset + length - 1}"}
        try:
            place, target = (parts.scheme, parts.netloc), f"{parts.path}?{parts.query}"
            response, body = self._connections.get(place, target, asked)
        except (OSError, HTTPException) as error:
            raise StoreUnavailable(type(error).__name__) from None
        return _range_of(response, body, offset=offset, length=length)

    def _connect(self, place: tuple[str, str]) -> HTTPConnection:
        scheme, host = place
        if scheme == "https":
            return HTTPSConnection(host, timeout=_TIMEOUT_SECONDS, context=self._tls)
        return HTTPConnection(host, timeout=_TIMEOUT_SECONDS)


def _range_of(response: HTTPResponse, body: bytes, *, offset: int, length: int) -> bytes:
    # A flat table of the answers that servers give to a range; to read it in one place is worth more than parts of it.
    if response.status == 404:
        raise FileNotFoundError
    # First of those with 403, or an object in an archive would be reported as a lack of rights.
    if response.status in (403, 409) and tells_of_an_archive(body.decode("utf-8", "replace")):
        raise Archived
    if response.status in (401, 403):
        raise PermissionError
    if response.status == 416:
        # The range begins after the end of the object: the caller reports that the file is too short.
        return b""
    sent = response.headers.get("Content-Range")
    if response.status == 200 and sent is None:  # the whole object
        return body[offset : offset + length]
    if response.status in (200, 206) and sent is not None and sent.startswith(f"bytes {offset}-"):
        return body
    raise StoreUnavailable(f"it answered a range with status {response.status}")
