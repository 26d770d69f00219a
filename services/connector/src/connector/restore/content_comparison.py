"""Whether bytes are those of a file in a restore point, by the ids of its blobs: each is the hash of its content."""

import hashlib
from collections.abc import Iterator, Sequence


def is_content(pieces: Iterator[bytes], blobs: Sequence[tuple[str, int]]) -> bool:
    """Whether the pieces together are the blobs, one after the other, and nothing beside. `blobs`: ids and lengths.

    Source: restic's design document, "Data Format": an id is the SHA-256 of the blob's plain content.
    """
    left = memoryview(b"")
    for blob_id, length in blobs:
        hashed, missing = hashlib.sha256(), length
        while missing:
            left = left or memoryview(next(pieces, b""))
            if not left:
                return False
            hashed.update(left[:missing])
            left, missing = left[missing:], missing - min(missing, len(left))
        if hashed.hexdigest() != blob_id:
            return False
    return not left and not any(pieces)


def is_blob(pieces: Iterator[bytes], blob_id: str) -> bool:
    """Whether the pieces together are one blob, however long it is."""
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest() == blob_id
