"""How object stores say that they have put an object into an archive.

S3: `GetObject` of the classes GLACIER and DEEP_ARCHIVE, and of the archive tiers of INTELLIGENT_TIERING, is refused
with 403 `InvalidObjectState`. Azure: a blob of the tier Archive with 409 `BlobArchived`, and while it is on its way
back with 409 `BlobBeingRehydrated`. The archive classes of Google give objects out at once.
"""

_CODES = ("InvalidObjectState", "BlobArchived", "BlobBeingRehydrated")


class Archived(Exception):
    """The object is in an archive."""


def tells_of_an_archive(refusal: str) -> bool:
    """Whether the text of a refusal means that the object has to be thawed first."""
    return any(code in refusal for code in _CODES)
