"""One object of a bucket is looked up without a listing of all whose keys begin as its own does."""

from typing import Any

import pytest
from integrations.object_storage.port import ListedObject, ObjectGone
from integrations.s3.bucket import S3Objects
from integrations.s3.responses import Page


class Bucket(S3Objects):
    """Lists what it holds as it is ordered."""

    def __init__(self, *keys: str) -> None:
        self._prefix = ""
        self.keys = keys
        self.sent = 0

    async def _page(self, parameters: dict[str, str]) -> Page:
        found = [key for key in self.keys if key.startswith(parameters["prefix"])]
        page = found[: int(parameters.get("max-keys", "1000"))]
        self.sent += len(page)
        facts: dict[str, Any] = {"size": 1, "modified_ns": 1, "etag": ""}
        return Page([ListedObject(key=key, **facts) for key in page], more=len(page) < len(found))


@pytest.mark.parametrize(
    ("keys", "sent"),
    [([f"a{n}" for n in range(500)], 1), (["ab", "a0"], 1), ([], 1)],
    ids=["many", "few", "alone"],
)
async def test_an_object_is_one_line_of_a_listing(keys: list[str], sent: int) -> None:
    bucket = Bucket("a", *keys)
    assert (await bucket.look_up("a")).key == "a"
    assert bucket.sent == sent


async def test_an_object_is_found_where_the_server_lists_in_no_order() -> None:
    assert (await Bucket("ab", "a").look_up("a")).key == "a"


@pytest.mark.parametrize("keys", [(), ("b",), ("ab",)])
async def test_an_object_that_is_not_listed_is_gone(keys: tuple[str, ...]) -> None:
    with pytest.raises(ObjectGone):
        await Bucket(*keys).look_up("a")
