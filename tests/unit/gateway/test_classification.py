"""Environments and data classes, put together from what two services know. Without servers."""

import json
from typing import Any, cast

import httpx
import pytest
from chassis.messaging.command_client import Commands
from contracts.errors import Conflict
from contracts.messages.classification import RemoveLabel, RenameLabel
from contracts.queries.classification import LabelUse, UsedClassification
from contracts.values import OrganizationId
from gateway.access.principal import Principal
from gateway.areas.classification.labels import check_unused, known_labels, use_of
from gateway.areas.classification.schemas import LabelBody, LabelChange, label_view
from gateway.areas.classification.service import Classification
from gateway.idempotency.intents import Intent

from tests.unit.gateway.services import clients_of

ORG = OrganizationId("org")
WHO = Principal(account_id="someone", organization_id=ORG, roles=("owner",))
INTENT = Intent("0198b1c2-0000-7000-8000-0000000000f0")
LISTS = UsedClassification(id=ORG, environments=("production", "qa"), data_classes=("pii",), revision=3)
USES = (
    LabelUse(kind="environment", name="qa", sources=2, some=("a (source)", "b (source)")),
    LabelUse(kind="environment", name="Old", stores=1, some=("c (store)",)),
    LabelUse(kind="environment", name="acceptance", destinations=1, some=("d (destination)",)),
    LabelUse(kind="data_class", name="secret", sources=7, some=("a (source)", "b (source)")),
)


class CarriedOut:
    """Takes commands and says that they are done."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def carry_out(self, command: Any, **_: str) -> dict[str, Any]:
        self.taken.append(command)
        return {"revision": 4}


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/internal/classification":
        return httpx.Response(200, json=json.loads(LISTS.model_dump_json()))
    assert request.url.path == "/internal/labels"
    return httpx.Response(200, json={"items": [json.loads(use.model_dump_json()) for use in USES]})


@pytest.fixture
def carried_out() -> CarriedOut:
    return CarriedOut()


@pytest.fixture
def labels(carried_out: CarriedOut) -> Classification:
    clients = clients_of(answer)
    return Classification(clients.catalog, clients.assignment, cast("Commands", carried_out))


async def test_the_list_comes_first_and_then_what_is_used_all_the_same(labels: Classification) -> None:
    found = await labels.list(WHO, "environment")
    assert [(label.name, label.listed, label.use.users) for label in found] == [
        *(("production", True, 0), ("qa", True, 2)),
        *(("acceptance", False, 1), ("Old", False, 1)),
    ]
    environments, data_classes = await labels.all(WHO)
    assert environments == found
    assert [(label.name, label.listed) for label in data_classes] == [("pii", True), ("secret", False)]


async def test_a_part_of_a_name_is_searched_for_whatever_the_case(labels: Classification) -> None:
    assert [label.name for label in await labels.list(WHO, "environment", part="OL")] == ["Old"]
    assert await labels.list(WHO, "environment", part="nothing") == []


async def test_a_rename_tells_what_is_used(labels: Classification, carried_out: CarriedOut) -> None:
    renamed = await labels.rename(WHO, "environment", "Old", "qa", merge=True, intent=INTENT)
    assert (renamed.name, renamed.listed) == ("qa", True)
    await labels.rename(WHO, "data_class", "pii", "personal", merge=False, intent=INTENT)
    first, second = carried_out.taken
    assert isinstance(first, RenameLabel)
    assert (first.in_use, first.new_name_in_use, first.merge) == (True, True, True)
    assert (second.in_use, second.new_name_in_use, second.merge) == (False, False, False)


async def test_what_is_used_is_removed_only_by_force(labels: Classification, carried_out: CarriedOut) -> None:
    with pytest.raises(Conflict) as refused:
        await labels.remove(WHO, "environment", "qa", force=False, intent=INTENT)
    assert refused.value.code == "label_in_use"
    assert "is used by a (source), b (source). " in refused.value.detail
    assert carried_out.taken == []
    await labels.remove(WHO, "environment", "qa", force=True, intent=INTENT)
    await labels.remove(WHO, "environment", "production", force=False, intent=INTENT)
    assert [type(command) for command in carried_out.taken] == [RemoveLabel, RemoveLabel]


def test_some_of_many_are_named() -> None:
    with pytest.raises(Conflict, match=r"is used by a \(source\), b \(source\) and 5 more, 7 in all\."):
        check_unused(use_of(USES, "data_class", "secret"))
    check_unused(use_of(USES, "environment", "secret"))


def test_bundles_are_shown_and_count_as_users() -> None:
    use = LabelUse(kind="environment", name="qa", sources=1, bundles=1, some=("a (source)", "keys (bundle)"))
    [_, label] = known_labels(LISTS, (use,), "environment")
    assert label_view(label).usage.model_dump() == {"sources": 1, "stores": 0, "destinations": 0, "bundles": 1}
    with pytest.raises(Conflict, match=r"is used by a \(source\), keys \(bundle\)\."):
        check_unused(use)


def test_tags_of_resources_are_shown_when_they_are_counted() -> None:
    tagged = (LabelUse(kind="environment", name="qa", resources=5), LabelUse(kind="environment", name="x", resources=1))
    counted = known_labels(LISTS.model_copy(update={"tagged": tagged}), (), "environment")
    assert [(label.name, label_view(label).usage.resources) for label in counted] == [
        *(("production", 0), ("qa", 5), ("x", 1)),
    ]
    check_unused(counted[1].use)
    [first, *_] = known_labels(LISTS, USES, "environment")
    assert "resources" not in label_view(first).model_dump()["usage"]


def test_bodies_ignore_what_they_do_not_know() -> None:
    assert LabelBody.model_validate({"name": "qa", "listed": True}).summary() == {"name": "qa"}
    assert LabelChange.model_validate({"name": "qa", "merge": None}).merge is False
