"""Which pool of workers does something about connectors."""

import pytest
from contracts.errors import Conflict
from contracts.queries.assignment import ReachableApp
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
        ([("branch",), ()], "branch"),
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
