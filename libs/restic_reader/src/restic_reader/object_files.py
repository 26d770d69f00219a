"""A repository in an object store: S3, Azure, GCS, or any other that obstore reaches."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, UnauthenticatedError

from restic_reader.archived_objects import Archived, tells_of_an_archive
from restic_reader.errors import AccessDenied, FileMissing, ReaderError, StoreUnavailable, ThawRequired
from restic_reader.signed_ranges import SignedRanges
from restic_reader.storage import FileKind, StoredFile, exactly, is_storage_name, relative_path

if TYPE_CHECKING:
    from obstore.store import ObjectStore, S3Store

_LIST_PAGE = 1000
# obstore has no classes of its own for these answers.
_NOT_PARTIAL = "non-partial response"
_BEYOND_THE_END = "status code: 416"
_BUCKET_GONE = re.compile(r"<Code>(?:NoSuchBucket|ContainerNotFound)</Code>")


class ObjectFiles:
    """`RepositoryFiles` over an object store; `prefix` is where the repository begins in it.

    `tls` says whom to trust where the store is not asked through obstore; it should trust the same. With `signed`,
    ranges are asked for by signed addresses from the start, else once the store has shown that obstore cannot.
    """

    def __init__(
        self,
        store: "ObjectStore",
        prefix: str = "",
        *,
        tls: ssl.SSLContext | None = None,
        signed: SignedRanges | None = None,
    ) -> None:
        self._store = store
        self._tls = tls
        self._signed = signed
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def list(self, kind: FileKind) -> Iterator[StoredFile]:
        """See `RepositoryFiles.list`; a bucket that does not exist holds no files either."""
        with _translated(kind, ""):
            try:
                for page in obstore.list(self._store, prefix=f"{self._prefix}{kind.value}/", chunk_size=_LIST_PAGE):
                    for found in page:
                        name = found["path"].rpartition("/")[2]
                        if is_storage_name(name):
                            yield StoredFile(name, found["size"])
            except GenericError as error:
                if not _BUCKET_GONE.search(str(error)):
                    raise

    def has_directory(self, kind: FileKind) -> None:
        """See `RepositoryFiles.has_directory`: there are no directories."""

    def read(self, kind: FileKind, name: str) -> bytes:
        """See `RepositoryFiles.read`."""
        with _translated(kind, name):
            return bytes(obstore.get(self._store, self._path(kind, name)).bytes())

    def read_range(self, kind: FileKind, name: str, *, offset: int, length: int) -> bytes:
        """See `RepositoryFiles.read_range`."""
        with _translated(kind, name):
            data = self._range(self._path(kind, name), offset, length)
        return exactly(data, length, kind=kind, name=name)

    def close(self) -> None:
        """See `RepositoryFiles.close`: nothing is kept open."""

    def _range(self, path: str, offset: int, length: int) -> bytes:
        if self._signed is None:
            try:
                return bytes(obstore.get_range(self._store, path, start=offset, length=length))
            except GenericError as error:
                if _BEYOND_THE_END in str(error):
                    # The range begins after the end of the file: `exactly` reports that it is too short.
                    return b""
                if _NOT_PARTIAL not in str(error):
                    raise
        self._signed = self._signed or SignedRanges(cast("S3Store", self._store), tls=self._tls)
        return self._signed.read(path, offset=offset, length=length)

    def _path(self, kind: FileKind, name: str) -> str:
        return self._prefix + relative_path(kind, name)


@contextmanager
def _translated(kind: FileKind, name: str) -> Iterator[None]:
    try:
        yield
    except (Archived, BaseError, FileNotFoundError, PermissionError) as error:
        raise _meaning(error, kind, name) from error


def _meaning(error: Exception, kind: FileKind, name: str) -> ReaderError:
    if isinstance(error, FileNotFoundError):
        return FileMissing(kind.word, name)
    if isinstance(error, Archived) or tells_of_an_archive(str(error)):
        return ThawRequired(kind.word, relative_path(kind, name))
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return AccessDenied(f"{kind.word} {name}".rstrip())
    return StoreUnavailable("the object store did not answer as expected")
