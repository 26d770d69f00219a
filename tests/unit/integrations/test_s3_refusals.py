"""What a server's refusal of an object means."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast

import pytest
from integrations.s3.address import S3Address
from integrations.s3.uploads import Uploads
from integrations.sdk.errors import DestinationRefused
from integrations.sdk.ports.destination import NotWritten

ODD = os.fsdecode(b"bad\xff\xfename")
ADDRESS = S3Address(
    scheme="http", host="127.0.0.1", port=1, bucket="bucket", prefix="", region="", access_key="a", secret_key="b"
)
NOT_UTF8 = "its name is not UTF-8, as keys of S3 have to be, and the server takes no such key"


class Refusing:
    """A server that answers all requests alike."""

    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code

    @asynccontextmanager
    async def send(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        yield self


def uploads(status: int, code: str) -> Uploads:
    return Uploads(ADDRESS, cast("Any", Refusing(status, code)))


@pytest.mark.parametrize(
    ("key", "status", "code", "words"),
    [
        (ODD, 403, "", NOT_UTF8),
        (ODD, 403, "AccessDenied", NOT_UTF8),
        (ODD, 403, "SignatureDoesNotMatch", NOT_UTF8),
        (ODD, 400, "InvalidURI", NOT_UTF8),
        (ODD, 409, "OperationAborted", "the server answers 409 OperationAborted"),
        ("grün", 403, "", "the access key does not have the right to write or read it"),
        ("grün", 403, "AccessDenied", "the access key does not have the right to write or read it"),
        ("grün", 403, "MissingContentLength", "the server answers 403 MissingContentLength"),
        ("grün", 400, "InvalidURI", "the server answers 400 InvalidURI"),
    ],
)
async def test_an_object_that_is_refused_is_told_why(key: str, status: int, code: str, words: str) -> None:
    refused = uploads(status, code)

    for asked in (refused.put(key, b"x", modified_ns=None), refused.look_up(key), refused.begin(key, modified_ns=None)):
        with pytest.raises(NotWritten) as told:
            await asked
        assert told.value.reason == words


@pytest.mark.parametrize(
    ("key", "code"), [("grün", "SignatureDoesNotMatch"), (ODD, "ExpiredToken"), (ODD, "InvalidStorageClass")]
)
async def test_what_concerns_all_objects_ends_the_restore(key: str, code: str) -> None:
    with pytest.raises(DestinationRefused):
        await uploads(403, code).put(key, b"x", modified_ns=None)
