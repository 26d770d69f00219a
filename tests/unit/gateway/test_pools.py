"""Which pool of workers does something about connectors."""

from types import SimpleNamespace
from typing import cast

import pytest
from chassis.http.client import ServiceClient
from contracts.errors import Conflict
from contracts.queries.assignment import ReachableApp
from gateway.access.principal import Principal
from gateway.clients.assignment import AssignmentClient
from gateway.clients.pools import pool_of

from tests.unit.gateway.test_domain import an_app


def reached_by(*pools: str, name: str = "nas") -> ReachableApp:
    return ReachableApp.model_validate(an_app().model_dump() | {"pools": pools, "name": name})


@pytest.mark.parametrize(
    ("parties", "pool"),
    [
        ([("default", "branch")], "default"),
        ([("branch",)], "branch"),
        ([()], "default"),
        ([("default", "branch"), ("branch",)], "branch"),
        ([("branch", "other"), ("default", "other")], "other"),
        ([("branch",), ()], "default"),
        ([(), ("branch",)], "default"),
        ([("default",), ("branch",), ()], "default"),
    ],
)
def test_the_first_pool_that_reaches_everything(parties: list[tuple[str, ...]], pool: str) -> None:
    assert pool_of(*(reached_by(*pools) for pools in parties)) == pool


def test_parties_that_no_pool_reaches_together_are_refused_in_words() -> None:
    with pytest.raises(Conflict) as caught:
        pool_of(reached_by("default", name="files"), reached_by("branch", name="shelf"))
    assert caught.value.code == "no_common_pool"
    assert "'files': default" in caught.value.detail
    assert "'shelf': branch" in caught.value.detail


async def test_a_pool_that_can_be_found_comes_before_one_that_was_given_up() -> None:
    app = reached_by("default", "given-up", "named", "new")

    class Service:
        async def get(self, *_: object) -> object:
            return app.model_dump(mode="json", by_alias=True)

    client = AssignmentClient(cast("ServiceClient", Service()), {"named", "new"})
    who = cast("Principal", SimpleNamespace(caller=lambda: None))

    found = await client.app(who, app.id)

    assert found.pools == ("default", "named", "new", "given-up")
