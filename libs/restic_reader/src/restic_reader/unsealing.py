"""The content of a blob, from what is stored of it."""

import threading

import zstandard

from restic_reader.crypto import Box, Keys, NotAuthentic
from restic_reader.limits import BLOB_BYTES_MOST

_SIZE_UNKNOWN = -1


class BlobInvalid(Exception):
    """What is stored is not a blob, or another one than the index says; `why` continues "it "."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Unsealing:
    """Makes the contents of a repository's blobs from what is stored of them. Safe to use from any thread."""

    def __init__(self, keys: Keys) -> None:
        self._box = Box(keys)
        self._local = threading.local()

    def open(self, sealed: bytes | memoryview, *, plain_length: int, compressed: bool) -> bytes:
        """A blob's content, which is authentic and as long as the index says. Raises `BlobInvalid`.

        It is not compared with the blob's id: whoever wrote the repository may have called it by another one.
        """
        try:
            content = self._box.open(sealed)
            if compressed:
                content = self._expanded(content, plain_length)
        except NotAuthentic:
            raise BlobInvalid("is not authentic") from None
        except zstandard.ZstdError:
            raise BlobInvalid("cannot be expanded") from None
        if len(content) != plain_length:
            raise BlobInvalid("has another content than its id says")
        return content

    def _expanded(self, content: bytes, length: int) -> bytes:
        # python-zstandard takes the memory that a frame asks for, whatever limit it is given.
        size = zstandard.frame_content_size(content)
        if size not in (length, _SIZE_UNKNOWN) or length > BLOB_BYTES_MOST:
            raise zstandard.ZstdError("another size than the index says, or one that no blob has")
        if size == _SIZE_UNKNOWN:
            with self._decompressor().stream_reader(content) as reader:
                # One byte more than the index says, so that a longer content does not pass for the right one.
                return reader.read(length + 1)
        return self._decompressor().decompress(content, max_output_size=length)

    def _decompressor(self) -> zstandard.ZstdDecompressor:
        try:
            # One for each thread: two threads must not use a decompressor at once.
            decompressor: zstandard.ZstdDecompressor = self._local.decompressor
        except AttributeError:
            decompressor = self._local.decompressor = zstandard.ZstdDecompressor()
        return decompressor
