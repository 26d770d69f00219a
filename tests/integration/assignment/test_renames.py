"""Renames of labels on real servers: they reach every app, whatever dies meanwhile."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from contracts.messages.assignment import AppReconfigured
from contracts.messages.classification import LabelKind, LabelRenamed
from contracts.topics import ASSIGNMENT_COMMANDS, ASSIGNMENT_EVENTS, CATALOG_EVENTS, CONNECTOR_EVENTS

from tests.support import builders as make
from tests.support.door import Asker
from tests.support.environment import Corner
from tests.support.killed_services import open_outsider, serving
from tests.support.waiting import eventually_async

APPS = 60


def renaming(name: str, new_name: str, revision: int, *, kind: LabelKind = "environment") -> LabelRenamed:
    return LabelRenamed(organization_id=make.ORG, kind=kind, name=name, new_name=new_name, revision=revision)


@pytest_asyncio.fixture(loop_scope="session")
async def asker(fresh_corner: Corner) -> AsyncIterator[Asker]:
    """Talks to the services of this test, which will hear of `fs`."""
    topics = (ASSIGNMENT_COMMANDS, CONNECTOR_EVENTS, CATALOG_EVENTS)
    async with open_outsider(fresh_corner, topics=topics, events=ASSIGNMENT_EVENTS) as opened:
        yield opened


def shown(asker: Asker) -> dict[str, Any]:
    """Each app as it was announced last."""
    latest: dict[str, Any] = {}
    for event in asker.heard(AppReconfigured):
        app = event.data.app
        if app.id not in latest or latest[app.id].revision < app.revision:
            latest[app.id] = app
    return latest


async def test_a_rename_killed_in_the_middle_is_finished_by_the_next_process(
    fresh_corner: Corner, asker: Asker, tmp_path: Path
) -> None:
    await asker.wire.publish(make.integration_offered(make.fs_integration()))
    with serving(fresh_corner, "assignment", tmp_path / "first") as first:
        assert (await asker.ask(make.assign_app("app-0", environment="qa"), deadline_seconds=30)).accepted
        assigns = [
            make.assign_app(f"app-{n}", environment="qa", data_classes=("z", "pii", "private")) for n in range(1, APPS)
        ]
        await asker.ask_all([make.wrap(each) for each in assigns])
        await asker.wire.publish(make.wrap(renaming("qa", "quality", 1)))
        await asker.wire.publish(make.wrap(renaming("pii", "private", 2, kind="data_class")))
        # What one rename leads to is renamed again, while most apps have not heard of the first.
        await asker.wire.publish(make.wrap(renaming("quality", "acceptance", 3)))
        await asker.ear.message(AppReconfigured)
        first.kill()
    assert {app.environment for app in shown(asker).values()} != {"acceptance"} or len(shown(asker)) < APPS

    with serving(fresh_corner, "assignment", tmp_path / "second") as second:

        def arrived() -> bool:
            apps = list(shown(asker).values())
            environments = [app.environment for app in apps]
            classes = [app.data_classes for app in apps if app.id != "app-0"]
            return environments == ["acceptance"] * APPS and classes == [("z", "private")] * (APPS - 1)

        await asker.ear.until(lambda _: arrived(), 60)
        assert second.stop() == 0
    # Each revision is announced with one content.
    contents: dict[tuple[str, int], set[str]] = {}
    for event in asker.heard(AppReconfigured):
        contents.setdefault((event.data.app_id, event.data.app.revision), set()).add(event.data.app.model_dump_json())
    assert all(len(each) == 1 for each in contents.values())


async def test_a_rename_that_comes_twice_is_one(assignment: Asker, http: httpx.AsyncClient) -> None:
    assert (await assignment.ask(make.assign_app("twice", environment="once", data_classes=("b", "once")))).accepted
    event = make.wrap(renaming("once", "only", 1))
    for _ in range(2):
        await assignment.wire.publish(event)

    async def renamed() -> bool:
        app = (await http.get("/internal/apps/twice")).json()
        return (app["environment"], app["data_classes"]) == ("only", ["b", "once"])

    await eventually_async(renamed)
    uses = (await http.get("/internal/labels")).json()["items"]
    [use] = [use for use in uses if use["name"] == "only"]
    assert (use["kind"], use["sources"], use["some"]) == ("environment", 1, ["files (source)"])
    assert (await assignment.ask(make.reconfigure_app("twice", environment="once"))).accepted
    assert (await http.get("/internal/apps/twice")).json()["environment"] == "once"
