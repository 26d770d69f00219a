"""Writes objects to a bucket. An object appears under its key as a whole or not at all: S3 has no other way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from integrations.s3.address import S3Address
from integrations.s3.error_mapping import CREDENTIALS, as_destination_error, judge_object, judge_refusal
from integrations.s3.requests import TRIES, Answer, NoAnswer, Requests
from integrations.sdk.errors import DestinationUnreachable
from integrations.sdk.ports.destination import ExistingFile, NotWritten

MODIFIED = "x-amz-meta-cairn-mtime"
"""When the file of an object was changed last, in nanoseconds since 1970: the server tells when it was uploaded."""
# With these nothing can be written; other refusals are about one object.
_NO_MORE = frozenset({"NoSuchBucket", "QuotaExceeded", "AllAccessDisabled", "InvalidStorageClass"})
_ABOUT_ALL = _NO_MORE | (set(CREDENTIALS) - {"SignatureDoesNotMatch"})
_FORBIDDEN = frozenset({"", "AccessDenied"})
"""A HEAD has no code, whatever is wrong."""
_NOT_TAKEN = frozenset({400, 403})
_NO_TEXT = "its name is not UTF-8, as keys of S3 have to be, and the server takes no such key"


@dataclass(frozen=True)
class _Response:
    """The response to a request, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


class Uploads:
    """Objects of one bucket, by their keys below the address's prefix."""

    def __init__(self, address: S3Address, requests: Requests) -> None:
        self._address = address
        self._requests = requests
        self._prefix = f"{address.prefix}/" if address.prefix else ""

    async def require_bucket(self) -> None:
        """Raises `DestinationMissing`, `DestinationRefused` or `DestinationUnreachable`."""
        # By listing: a HEAD of the bucket has no body that says what is wrong.
        query = {"list-type": "2", "max-keys": "1", "prefix": self._prefix}
        answer = await self._ask("GET", "", query=query, of_bucket=True)
        if answer.status != 200:
            raise DestinationUnreachable("The server does not answer as an S3 server does.")

    async def put(self, key: str, body: bytes, *, modified_ns: int | None) -> None:
        """Write an object. Raises `NotWritten`, or what is wrong with the whole destination."""
        await self._ask("PUT", key, headers=self._facts(modified_ns), body=body)

    async def begin(self, key: str, *, modified_ns: int | None) -> str:
        """Begin an object that comes in parts; the id of the upload."""
        answer = await self._ask("POST", key, query={"uploads": ""}, headers=self._facts(modified_ns))
        return _text(answer.body, "UploadId")

    async def put_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Send a part, counted from 1; its tag."""
        query = {"partNumber": str(number), "uploadId": upload}
        return (await self._ask("PUT", key, query=query, body=body)).headers.get("etag", "")

    async def complete(self, key: str, upload: str, tags: list[str]) -> None:
        """Make the object of its parts."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = await self._ask("POST", key, query={"uploadId": upload}, body=document)
        # The server may begin with a 200 before it knows how it ends (S3 API reference, CompleteMultipartUpload).
        if b"<Error" in answer.body:
            raise NotWritten(f"the server answers {_text(answer.body, 'Code')}")

    async def abort(self, key: str, upload: str) -> None:
        """Drop the parts that were sent."""
        await self._ask("DELETE", key, query={"uploadId": upload})

    async def look_up(self, key: str) -> ExistingFile | None:
        """An object, None where there is none."""
        answer = await self._ask("HEAD", key, may_be_missing=True)
        if answer.status == 404:
            return None
        return ExistingFile(int(answer.headers.get("content-length", 0)), _modified(answer.headers))

    async def read(self, key: str, offset: int = 0, length: int = 0) -> bytes:
        """Some bytes of an object, fewer at its end; all of it without a length."""
        wanted = {"range": f"bytes={offset}-{offset + length - 1}"} if length else {}
        answer = await self._ask("GET", key, headers=wanted, past_the_end=True)
        return b"" if answer.status == 416 else answer.body

    def _facts(self, modified_ns: int | None) -> dict[str, str]:
        storage_class = self._address.storage_class
        kept_in = {"x-amz-storage-class": storage_class} if storage_class else {}
        noted = {} if modified_ns is None else {MODIFIED: str(modified_ns)}
        return {**noted, **kept_in}

    async def _ask(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        of_bucket: bool = False,
        may_be_missing: bool = False,
        past_the_end: bool = False,
    ) -> _Response:
        good = {200, 204, 206, *([404] if may_be_missing else []), *([416] if past_the_end else [])}
        full, words = "" if of_bucket else self._prefix + key, ""
        for number in range(TRIES):
            try:
                # All of these may be repeated: a part or an object that was written twice is the same one.
                async with self._requests.send(method, full, query=query, headers=headers, body=body) as answer:
                    if answer.status in good:
                        return _Response(answer.status, _lowered(answer.headers), await answer.body())
                    raise self._judge(answer, key, of_bucket=of_bucket)
            except NoAnswer as error:
                words = error.words
            await self._requests.pause(number)
        raise DestinationUnreachable(f"The bucket {self._address.bucket} takes nothing: {words}.")

    def _judge(self, answer: Answer, key: str, *, of_bucket: bool) -> Exception:
        if not of_bucket and answer.status in _NOT_TAKEN and answer.code not in _ABOUT_ALL and not _is_text(key):
            # Servers answer to such a key as to any wrong one: a signature that does not fit, a missing right, a fault.
            return NotWritten(_NO_TEXT)
        if of_bucket or answer.code in CREDENTIALS or answer.code in _NO_MORE or answer.status == 401:
            return as_destination_error(judge_refusal(answer.status, answer.code, bucket=self._address.bucket))
        if answer.status == 403 and answer.code in _FORBIDDEN:
            return NotWritten("the access key does not have the right to write or read it")
        return NotWritten(judge_object(answer.status, answer.code, storage_class="").reason)


def part_bytes(size: int, *, least: int, parts_max: int = 10_000) -> int:
    """How large the parts of an object are: as small as may be, and no more of them than S3 takes."""
    return max(least, -(-size // parts_max))


def parts_of(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of one size, the last one smaller; of nothing one empty part."""
    waiting, has_parts = bytearray(), False
    for piece in pieces:
        waiting += piece
        while len(waiting) > size:
            yield bytes(waiting[:size])
            has_parts = True
            del waiting[:size]
    if waiting or not has_parts:
        yield bytes(waiting)


def _is_text(key: str) -> bool:
    """Whether a key is UTF-8: of other bytes, Python makes signs that are no text."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(document: bytes, name: str) -> str:
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - expat bounds how far entities expand.
    except ElementTree.ParseError:
        return ""
    return next((each.text or "" for each in root.iter() if each.tag.rpartition("}")[2] == name), "")


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _modified(headers: Mapping[str, str]) -> int:
    noted = headers.get(MODIFIED, "")
    if noted.removeprefix("-").isdecimal():  # Before 1970 it is negative.
        return int(noted)
    try:
        moment = parsedate_to_datetime(headers.get("last-modified", ""))
    except ValueError:
        return 0
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1_000_000_000
