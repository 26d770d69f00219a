"""Environments and data classes on real servers."""

from typing import Any

import httpx
from contracts.messages.base import Message
from contracts.messages.classification import (
    AddLabel,
    ClassificationChanged,
    LabelRenamed,
    RemoveLabel,
    RenameLabel,
)

from tests.support import builders as make
from tests.support.door import Asker

KIND: Any = {"organization_id": make.ORG, "kind": "environment"}


async def lists(http: httpx.AsyncClient) -> Any:
    return (await http.get("/internal/classification")).json()


async def test_lists_are_changed_and_announced_in_order(catalog: Asker, http: httpx.AsyncClient) -> None:
    begun = await lists(http)
    assert begun["environments"] == ["production", "staging", "integration", "testing"]
    assert begun["revision"] == 0
    commands: list[Message] = [
        AddLabel(**KIND, name="qa"),
        RenameLabel(**KIND, name="staging", new_name="Größe/ab"),
        RenameLabel(**KIND, name="qa", new_name="testing", merge=True),
        RemoveLabel(**KIND, name="integration"),
    ]
    for revision, command in enumerate(commands, start=1):
        sent = make.wrap(command)
        assert (await catalog.ask(sent)).result == {"revision": revision}
        # A copy changes nothing and is answered alike.
        assert (await catalog.ask(sent)).result == {"revision": revision}
    assert (await lists(http))["environments"] == ["production", "Größe/ab", "testing"]
    await catalog.ear.until(lambda _: len(catalog.heard(ClassificationChanged)) >= 4)
    renamed = {event.id: event.data for event in catalog.heard(LabelRenamed)}
    assert [(data.name, data.new_name, data.revision) for data in renamed.values()] == [
        *(("staging", "Größe/ab", 2), ("qa", "testing", 3)),
    ]


async def test_what_is_refused_is_refused_in_words(catalog: Asker) -> None:
    outcome = await catalog.ask(AddLabel(**KIND, name="PRODUCTION"))
    assert not outcome.accepted
    assert outcome.problem is not None
    assert (outcome.problem.code, outcome.problem.kind) == ("label_exists", "conflict")
    assert "'production'" in outcome.problem.detail
