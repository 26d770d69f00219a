"""What the restore index answers and the gateway passes on has the form that the gateway describes."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from chassis.http.tokens import Caller, Tokens
from gateway.areas.files.schemas import EntryView, FilesView
from gateway.areas.history.schemas import ChangesView, VersionsView
from gateway.areas.search.schemas import HitsView, SeenHitsView
from pydantic import BaseModel
from restore_index.api import build_api

from tests.unit.restore_index.test_file_versions import A, B, Past
from tests.unit.restore_index.trees import ORG, Link

TOKENS = Tokens(bytes(32), audience="cairn-internal")


@pytest_asyncio.fixture
async def past() -> Past:
    return await Past(
        {b"a": A, b"gone": B, b"d": {b"x": A, b"caf\xe9": B}}, {b"a": B, b"d": {b"x": A, b"l": Link(b"x")}}
    ).held()


@pytest_asyncio.fixture
async def index(past: Past) -> AsyncIterator[httpx.AsyncClient]:
    token = TOKENS.sign(Caller(organization_id=ORG, account_id="someone"), ttl_seconds=60)
    app = build_api(past.index.store, TOKENS, checks={})
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://index", headers={"authorization": f"Bearer {token}"}
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("question", "view"),
    [
        ("restore-points/{new}/files?path=/d&limit=1", FilesView),
        ("restore-points/{old}/files?path=/d&sort=size&order=desc", FilesView),
        ("restore-points/{new}/entry?path=/d/l", EntryView),
        ("restore-points/{new}/entry?path=/", EntryView),
        ("restore-points/{old}/search?q=caf", HitsView),
        ("search?q=x&limit=1", SeenHitsView),
        ("versions?source_id=source&path=/a", VersionsView),
        ("versions?source_id=source&path=/", VersionsView),
        ("restore-points/{old}/diff/{new}?path=/", ChangesView),
    ],
)
async def test_answers_have_the_described_form(
    index: httpx.AsyncClient, past: Past, question: str, view: type[BaseModel]
) -> None:
    old, new = (point.snapshot_id for point in past.points)
    answer = await index.get(f"/internal/{question.format(old=old, new=new)}")
    assert answer.status_code == 200, answer.text
    read = view.model_validate(answer.json()).model_dump(mode="json", by_alias=True)
    assert without_nulls(read) == without_nulls(answer.json())


def without_nulls(value: Any) -> Any:
    """A field that is absent and one that is null are told alike by the views."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
