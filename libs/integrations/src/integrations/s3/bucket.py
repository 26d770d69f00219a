"""A bucket, or a part of one, as an object store to read: see `ObjectStore`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from contracts.errors import CairnError

from integrations.object_storage.port import UNREADABLE, ListedObject, ObjectGone, ObjectUnread
from integrations.s3.address import S3Address
from integrations.s3.error_mapping import CREDENTIALS, as_source_error, judge_object, judge_refusal
from integrations.s3.requests import PAUSE_SECONDS, TRIES, Answer, NoAnswer, Requests, open_requests
from integrations.s3.responses import Page, read_page
from integrations.sdk.errors import SourceUnreachable

_CHUNK_BYTES = 1 << 20
_PAGE_MAX = 1000
_OTHERS_MAX = 3
"""How often an object may be another than the listing says, before that is the reason why it cannot be had."""


@asynccontextmanager
async def open_objects(address: S3Address, *, pause_seconds: float = PAUSE_SECONDS) -> AsyncIterator["S3Objects"]:
    """The objects of a bucket below its prefix; reaches nothing yet."""
    async with open_requests(address, pause_seconds=pause_seconds) as requests:
        yield S3Objects(address, requests)


class S3Objects:
    """See `ObjectStore`."""

    def __init__(self, address: S3Address, requests: Requests) -> None:
        self._address = address
        self._requests = requests
        self._prefix = f"{address.prefix}/" if address.prefix else ""
        self.escapes_keys = False
        """Whether the server escapes keys in listings; known once something was listed."""

    async def pages(self) -> AsyncIterator[Sequence[ListedObject]]:
        """See `ObjectStore.pages`."""
        asked: dict[str, str] = {}
        while True:
            page = await self._page({"prefix": self._prefix, **asked})
            yield page.objects
            if not page.more:
                return
            goes_on = {"continuation-token": page.token} if page.token else {"start-after": page.last_key}
            # A server that ignores what it is asked to go on from would answer with the same page for ever.
            if goes_on == asked or not (page.token or page.last_key):
                raise SourceUnreachable("The server lists the same objects again and again.")
            asked = goes_on

    async def fetch(self, listed: ListedObject, into: Path) -> ListedObject:
        """See `ObjectStore.fetch`."""
        why, others = ObjectUnread(UNREADABLE, ""), 0
        for number in range(TRIES):
            try:
                return await self._read(listed, into)
            except NoAnswer as error:
                why = ObjectUnread(UNREADABLE, error.words)
            except _OtherVersion as error:
                why, others = error.why, others + 1
                listed = await self.look_up(listed.key)
            if others == _OTHERS_MAX:
                raise why
            await self._requests.pause(number)
        await self._page({"prefix": self._prefix, "max-keys": "1"})  # Is it the object, or the whole server?
        raise why

    async def look_up(self, key: str) -> ListedObject:
        """See `ObjectStore.look_up`."""
        for size in ("1", str(_PAGE_MAX)):
            page = await self._page({"prefix": self._prefix + key, "max-keys": size})
            for found in page.objects:
                if found.key == key:
                    return found
            if not page.objects:
                break
        raise ObjectGone  # A key is listed before those that begin with it, but for servers that list in no order.

    async def why_unread(self, listed: ListedObject) -> ObjectUnread | None:
        """See `ObjectStore.why_unread`."""
        try:
            async with self._requests.get(self._key(listed), headers={"range": "bytes=0-0"}) as answer:
                if answer.status in (200, 206, 416):
                    return None
                why = self._judge(answer, listed)
        except NoAnswer as error:
            return ObjectUnread(UNREADABLE, error.words)
        await self.look_up(listed.key)
        return why

    async def _read(self, listed: ListedObject, into: Path) -> ListedObject:
        # Without its quotes a tag is none that HTTP knows, and a server may refuse the request for it.
        condition = {"if-match": listed.etag} if listed.etag.startswith('"') else {}
        async with self._requests.get(self._key(listed), headers=condition) as answer:
            if answer.status == 200:
                return await self._take(answer, listed, into)
            if answer.status == 412:
                raise _OtherVersion(ObjectUnread(UNREADABLE, "it changes each time it is read"))
            why = self._judge(answer, listed)
            raise _OtherVersion(why) if answer.status == 404 else why

    async def _take(self, answer: Answer, listed: ListedObject, into: Path) -> ListedObject:
        """The body. An answer with another tag than the listed one is of another version, or of another object."""
        etag = answer.headers.get("etag", "")
        if etag and listed.etag and _opaque(etag) != _opaque(listed.etag):
            raise _OtherVersion(ObjectUnread(UNREADABLE, "the server answers with another content than it lists"))
        size = 0
        with await asyncio.to_thread(into.open, "wb") as file:
            async for chunk in answer.chunks(_CHUNK_BYTES):
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
        if size != listed.size:
            raise _OtherVersion(ObjectUnread(UNREADABLE, f"the server sends {size} bytes of {listed.size}"))
        return listed

    async def _page(self, parameters: dict[str, str]) -> Page:
        """A page of the listing. Raises `SourceUnreachable`, `SourceRefused` or `SourceMissing`."""
        asked = {"list-type": "2", "encoding-type": "url", **parameters}
        words = ""
        for number in range(TRIES):
            try:
                async with self._requests.get("", query=asked) as answer:
                    if answer.status == 200:
                        page = read_page(await answer.body(), prefix=self._prefix)
                        self.escapes_keys = page.escaped
                        return page
                    raise self._refusal(answer)
            except NoAnswer as error:
                words = error.words
            except ValueError:
                words = "it does not answer as an S3 server does"
            await self._requests.pause(number)
        raise SourceUnreachable(f"The bucket {self._address.bucket} cannot be listed: {words}.")

    def _judge(self, answer: Answer, listed: ListedObject) -> ObjectUnread:
        if answer.code in CREDENTIALS or answer.status == 401 or answer.code == "NoSuchBucket":
            raise self._refusal(answer)
        kept_in = answer.headers.get("x-amz-storage-class", "") or listed.storage_class
        return judge_object(answer.status, answer.code, storage_class=kept_in)

    def _refusal(self, answer: Answer) -> CairnError:
        return as_source_error(judge_refusal(answer.status, answer.code, bucket=self._address.bucket))

    def _key(self, listed: ListedObject) -> str:
        return self._prefix + listed.key


class _OtherVersion(Exception):
    """What is there is not what was listed; why it cannot be had, if that stays so."""

    def __init__(self, why: ObjectUnread) -> None:
        super().__init__(why.reason)
        self.why = why


def _opaque(etag: str) -> str:
    """What counts of a tag; some servers write the quotes in one place only."""
    return etag.removeprefix("W/").strip('"')
