"""Environments and data classes: what becomes of the lists."""

from typing import Any

import pytest
from catalog.classification import domain, usecases
from catalog.classification.handlers import register_handlers
from catalog.classification.store import ClassificationStore
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.messages.classification import (
    AddLabel,
    Classification,
    ClassificationChanged,
    LabelRenamed,
    RemoveLabel,
    RenameLabel,
)
from contracts.messages.outcomes import CommandOutcome
from contracts.values import OrganizationId

from tests.support import builders as make
from tests.support.memory import MemoryDoor


class Lists(MemoryDoor):
    """The lists of the catalog in memory."""

    def __init__(self) -> None:
        super().__init__("catalog")
        self.store = ClassificationStore(MemoryAggregates(Classification, published=self.published))
        register_handlers(self.dispatcher, self.store)

    async def now(self, org: OrganizationId = make.ORG) -> Classification:
        return await self.store.get(org)


@pytest.fixture
def lists() -> Lists:
    return Lists()


def add(name: str, kind: Any = "environment") -> AddLabel:
    return AddLabel(organization_id=make.ORG, kind=kind, name=name)


def remove(name: str, kind: Any = "environment") -> RemoveLabel:
    return RemoveLabel(organization_id=make.ORG, kind=kind, name=name)


def rename(name: str, new_name: str, kind: Any = "environment", **facts: bool) -> RenameLabel:
    return RenameLabel(organization_id=make.ORG, kind=kind, name=name, new_name=new_name, **facts)


async def test_an_organization_begins_with_the_defaults(lists: Lists) -> None:
    found = await lists.now()
    assert found.environments == ("production", "staging", "integration", "testing")
    assert len(found.data_classes) == 10
    assert found.revision == 0


async def test_a_label_is_added_renamed_in_its_place_and_removed(lists: Lists) -> None:
    assert (await lists.do(add("qa"))).result == {"revision": 1}
    await lists.do(rename("staging", "acceptance"))
    await lists.do(remove("testing"))
    found = await lists.now()
    assert found.environments == ("production", "acceptance", "integration", "qa")
    assert (found.revision, found.data_classes) == (3, domain.DEFAULT_DATA_CLASSES)
    assert lists.said() == [
        *(ClassificationChanged, CommandOutcome),
        *(LabelRenamed, ClassificationChanged, CommandOutcome),
        *(ClassificationChanged, CommandOutcome),
    ]
    [renamed] = lists.events(LabelRenamed)
    assert (renamed.name, renamed.new_name, renamed.revision) == ("staging", "acceptance", 2)
    assert lists.events(ClassificationChanged)[-1].classification == found


async def test_the_lists_of_another_organization_stay(lists: Lists) -> None:
    await lists.do(add("qa"))
    assert "qa" not in (await lists.now(OrganizationId("stranger"))).environments


async def test_a_repeated_command_changes_nothing_and_brings_the_same_outcome(lists: Lists) -> None:
    command = make.wrap(rename("staging", "acceptance"))
    assert await lists.do(command) == await lists.do(command)
    assert len(lists.events(LabelRenamed)) == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (add("production"), "label_exists"),
        (add("Production"), "label_exists"),
        (add(""), "label_invalid"),
        (add(" qa"), "label_invalid"),
        (add("qa/"), "label_invalid"),
        (add(".."), "label_invalid"),
        (add("a/../b"), "label_invalid"),
        (add("q\na"), "label_invalid"),
        (add("q" * 256), "label_invalid"),
        (remove("qa"), "label_not_found"),
        (remove("Production"), "label_not_found"),
        (rename("qa", "quality"), "label_not_found"),
        (rename("qa", "quality", in_use=False), "label_not_found"),
        (rename("staging", "production"), "label_exists"),
        (rename("staging", "PRODUCTION"), "label_exists"),
        (rename("staging", "PRODUCTION", merge=True), "label_exists"),
        (rename("staging", "used", new_name_in_use=True), "label_exists"),
        (rename("staging", " "), "label_invalid"),
    ],
)
async def test_what_is_refused(lists: Lists, command: Any, code: str) -> None:
    problem = await lists.rejection(command)
    assert problem.code == code
    assert problem.detail.endswith(".")
    assert await lists.now() == domain.defaults(make.ORG)


async def test_two_labels_become_one_when_asked_for(lists: Lists) -> None:
    await lists.do(rename("staging", "production", merge=True))
    assert (await lists.now()).environments == ("production", "integration", "testing")
    assert len(lists.events(LabelRenamed)) == 1


async def test_a_label_that_is_used_and_not_listed_is_listed_under_its_new_name(lists: Lists) -> None:
    await lists.do(rename("pii", "private", "data_class", in_use=True))
    assert (await lists.now()).data_classes[-1] == "private"
    await lists.do(rename("PD", "personal_data", "data_class", in_use=True, merge=True))
    assert (await lists.now()).data_classes == (*domain.DEFAULT_DATA_CLASSES, "private")


async def test_upper_and_lower_case_may_be_corrected(lists: Lists) -> None:
    await lists.do(rename("staging", "Staging"))
    assert (await lists.now()).environments[1] == "Staging"


async def test_a_name_that_is_the_same_is_no_change(lists: Lists) -> None:
    assert (await lists.do(rename("staging", "staging"))).result == {"revision": 0}
    assert lists.said() == [CommandOutcome]


async def test_the_same_name_may_be_in_both_lists(lists: Lists) -> None:
    await lists.do(add("production", "data_class"))
    assert (await lists.now()).data_classes[-1] == "production"


async def test_a_list_has_an_end(lists: Lists) -> None:
    for number in range(domain.MOST_LABELS - len(domain.DEFAULT_ENVIRONMENTS)):
        await lists.do(add(f"e{number}"))
    assert (await lists.rejection(add("one more"))).code == "too_many_labels"
    assert (await lists.rejection(rename("used", "new", in_use=True))).code == "too_many_labels"
    assert (await lists.do(rename("e1", "f1"))).accepted


async def test_all_may_be_removed_and_stay_so(lists: Lists) -> None:
    for name in domain.DEFAULT_ENVIRONMENTS:
        await lists.do(remove(name))
    assert (await lists.now()).environments == ()


async def test_resources_that_name_a_label_in_a_tag_are_counted(lists: Lists) -> None:
    sets = {
        ("environment=qa", "web"): 3,
        (" Environment = qa ", "environment=qa", "data-class=pii"): 2,
        ("data_class=pii", "data_class=", "=qa", "environment"): 1,
    }

    async def tag_sets(org: OrganizationId) -> dict[tuple[str, ...], int]:
        return sets if org == make.ORG else {}

    found = await usecases.get_classification(lists.store, make.ORG, tag_sets=tag_sets)
    assert found.tagged is not None
    assert [(use.kind, use.name, use.resources, use.users) for use in found.tagged] == [
        *(("data_class", "pii", 3, 0), ("environment", "qa", 5, 0)),
    ]
    assert found.environments == domain.DEFAULT_ENVIRONMENTS
