"""Many documents are read in batches, without those that say nothing."""

from collections.abc import AsyncIterator

import pytest
from chassis.persistence.mongo import Document
from chassis.persistence.mongo_bulk import in_batches


async def documents(many: int) -> AsyncIterator[Document]:
    for number in range(many):
        yield {"_id": number}


@pytest.mark.parametrize(("many", "sizes"), [(0, []), (1, []), (5, [2]), (8, [2, 2]), (10, [2, 2, 1])])
async def test_what_is_left_out_is_not_counted(many: int, sizes: list[int]) -> None:
    def odd(document: Document) -> int | None:
        number: int = document["_id"]
        return number if number % 2 else None

    found = [batch async for batch in in_batches(documents(many), odd, batch=2)]
    odds = [number for number in range(many) if number % 2]
    assert [each for batch in found for each in batch] == odds
    assert [len(batch) for batch in found] == sizes
