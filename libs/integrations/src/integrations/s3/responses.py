"""What an S3 server's documents say: pages of a listing, and errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from integrations.object_storage.port import ListedObject

_SIZE_MAX = (1 << 63) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """A page of a listing (ListObjectsV2)."""

    objects: Sequence[ListedObject]
    escaped: bool = False
    """Whether the server escaped the keys, as it was asked to."""
    last_key: str = ""
    """As the bucket has it, with the prefix."""
    more: bool = False
    token: str = ""
    """What to ask the next page with; some servers tell none."""


def read_page(document: bytes, *, prefix: str) -> Page:
    """A page of what lies below a prefix. Raises `ValueError` when it is none."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - expat bounds how far entities expand.
    except ElementTree.ParseError:
        raise ValueError("no XML") from None
    if _name(root) != "ListBucketResult":
        raise ValueError("no listing")
    escaped = _text(root, "EncodingType") == "url"
    found = [(_key(each, escaped=escaped), each) for each in root if _name(each) == "Contents"]
    return Page(
        objects=[_object(key.removeprefix(prefix), each) for key, each in found if key.startswith(prefix)],
        escaped=escaped,
        last_key=found[-1][0] if found else "",
        more=_text(root, "IsTruncated") == "true",
        token=_text(root, "NextContinuationToken"),
    )


def read_error(document: bytes) -> str:
    """The code of an error; empty where the document is none."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - as above
    except ElementTree.ParseError:
        return ""
    return _text(root, "Code") if _name(root) == "Error" else ""


def _object(key: str, contents: ElementTree.Element) -> ListedObject:
    return ListedObject(
        key=key,
        size=_size(_text(contents, "Size")),
        modified_ns=_moment(_text(contents, "LastModified")),
        etag=_text(contents, "ETag"),
        storage_class=_text(contents, "StorageClass"),
    )


def _size(text: str) -> int:
    """Bytes. Raises `ValueError` where no object can have so many."""
    size = int(text or 0)
    if not 0 <= size <= _SIZE_MAX:
        raise ValueError("no size")
    return size


def _moment(text: str) -> int:
    """Nanoseconds since 1970; 0 where the server tells nothing that is a time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    # S3 tells times in UTC, also where a server leaves out the zone.
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    # In whole numbers: a float of seconds since 1970 does not hold a time exactly.
    return since // timedelta(microseconds=1) * 1000


def _key(contents: ElementTree.Element, *, escaped: bool) -> str:
    key = _text(contents, "Key")
    # Keys may hold bytes that are no UTF-8: `ListedObject` carries them as surrogate escapes.
    return unquote_plus(key, errors="surrogateescape") if escaped else key


def _text(element: ElementTree.Element, name: str) -> str:
    return next((each.text or "" for each in element if _name(each) == name), "")


def _name(element: ElementTree.Element) -> str:
    # Servers differ in the namespace that they put in front, and some put none.
    return element.tag.rpartition("}")[2]
