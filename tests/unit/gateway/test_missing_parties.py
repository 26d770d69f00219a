"""Runs whose connectors, or the resources of these, are gone: the refusal says which."""

from typing import Any

import httpx
import pytest
from contracts.errors import NotFound
from contracts.queries.assignment import ReachableApp
from gateway.access.principal import Principal
from gateway.areas.scheduling.service import RunRequest, Runs

from tests.support import builders as make
from tests.unit.gateway.services import a_problem, clients_of
from tests.unit.gateway.test_domain import a_resource, an_app

WHO = Principal(account_id="someone", organization_id=make.ORG)
SOURCE, STORE = (
    ReachableApp.model_validate(
        an_app(id=f"{kind}-1", name=f"my {kind}", kind=kind, resource=a_resource(id=f"urn-{kind}", name=f"a {kind}"))
        .model_dump(by_alias=True)
    )
    for kind in ("source", "store")
)  # fmt: skip
KNOWN = {f"apps/{app.id}": app for app in (SOURCE, STORE)} | {
    f"resources/{app.resource.id}": app.resource for app in (SOURCE, STORE)
}


def runs(**gone: str) -> Runs:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.path.removeprefix("/internal/")
        if asked in gone.values() or asked not in KNOWN:
            return a_problem(404, "app_not_found" if asked.startswith("apps") else "resource_not_found")
        return httpx.Response(200, json=KNOWN[asked].model_dump(mode="json", by_alias=True))

    clients = clients_of(answer)
    no_commands: Any = None
    return Runs(clients.catalog, clients.assignment, clients.scheduler, no_commands)


@pytest.mark.parametrize("app", [SOURCE, STORE], ids=["origin", "target"])
async def test_a_run_whose_resource_is_gone_says_which_and_of_which_connector(app: ReachableApp) -> None:
    with pytest.raises(NotFound) as refused:
        await runs(gone=f"resources/{app.resource.id}").plan(WHO, RunRequest("backup", SOURCE.id, STORE.id))
    assert refused.value.code == "resource_not_found"
    assert refused.value.detail == f"The resource {app.resource.name} of {app.name} is gone."


@pytest.mark.parametrize(
    ("origin", "target", "part"), [("other", STORE.id, "origin"), (SOURCE.id, "other", "target"), ("", None, "origin")]
)
async def test_a_run_with_a_wrong_id_says_whose(origin: str, target: str | None, part: str) -> None:
    with pytest.raises(NotFound) as refused:
        await runs().plan(WHO, RunRequest("backup", origin, target))
    assert refused.value.code == "app_not_found"
    assert refused.value.detail == f"There is no such connector (the {part} of the task)."


async def test_a_run_that_lacks_nothing_is_planned() -> None:
    planned = await runs().plan(WHO, RunRequest("backup", SOURCE.id, STORE.id))
    assert (planned.task.origin.id, planned.task.target and planned.task.target.id) == (SOURCE.id, STORE.id)
