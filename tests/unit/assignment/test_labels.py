"""Renames of labels reach the apps that carry them."""

import pytest
from assignment.apps.domain import labels as app_labels
from assignment.labels import domain, usecases
from assignment.labels.domain import KnownRenames
from contracts.messages.assignment import AppAssigned, AppReconfigured
from contracts.messages.classification import AppLabelRenamed, LabelRename
from contracts.messages.outcomes import CommandOutcome
from contracts.queries.classification import LabelUse

from tests.support import builders as make
from tests.support.killed_services import Death
from tests.unit.assignment.labelled import Labelled, at, renaming


@pytest.fixture
async def service() -> Labelled:
    return await Labelled().ready()


async def follow(service: Labelled) -> None:
    """Deliver what the service has told itself."""
    for envelope in [e for e in service.published if isinstance(e.data, AppLabelRenamed)]:
        await service.hear(envelope)


async def test_a_rename_reaches_every_app_that_carries_the_label(service: Labelled) -> None:
    for number in range(5):
        await service.do(at(make.assign_app(f"app-{number}", environment="qa"), 1))
    await service.do(at(make.assign_app("other", environment="production"), 1))
    await service.do(at(make.assign_app("class", data_classes=("qa",)), 1))

    await service.hear(at(renaming("qa", "quality", 1), 2))
    assert [each.app_id for each in service.events(AppLabelRenamed)] == [f"app-{n}" for n in range(5)]
    await follow(service)

    assert [(await service.app(f"app-{n}")).environment for n in range(5)] == ["quality"] * 5
    assert [(e.app.revision, e.app.label_revision) for e in service.events(AppReconfigured)] == [(2, 1)] * 5
    assert (await service.app("other")).revision == 1
    assert (await service.app("class")).data_classes == ("qa",)


async def test_what_comes_twice_changes_nothing_the_second_time(service: Labelled) -> None:
    await service.do(at(make.assign_app("app-1", environment="qa"), 1))
    event = at(renaming("qa", "quality", 1), 2)
    for _ in range(2):
        await service.hear(event)
        await follow(service)
    # In words of today again: not what the rename was about.
    await service.do(at(make.reconfigure_app("app-1", environment="qa"), 3))
    await follow(service)
    assert (await service.app("app-1")).environment == "qa"
    assert len(service.events(AppLabelRenamed)) == 1


async def test_who_says_the_old_name_again_means_it_though_the_app_has_it_still(service: Labelled) -> None:
    await service.do(at(make.assign_app("app-1", environment="qa"), 1))
    await service.hear(at(renaming("qa", "quality", 1), 2))
    # The message to the app is on its way; what is said is what the app is, and more: it was said after the rename.
    await service.do(at(make.reconfigure_app("app-1", environment="qa"), 3))
    await follow(service)
    assert (await service.app("app-1")).environment == "qa"
    # Nothing is on its way now.
    await service.do(at(make.reconfigure_app("app-1", environment="qa"), 4))
    assert (await service.app("app-1")).revision == 2


async def test_the_order_of_data_classes_stays_and_none_is_there_twice(service: Labelled) -> None:
    await service.do(at(make.assign_app("app-1", data_classes=("z", "pii", "a", "private")), 1))
    await service.hear(at(renaming("pii", "private", 1, kind="data_class"), 2))
    await follow(service)
    assert (await service.app("app-1")).data_classes == ("z", "private", "a")


async def test_what_was_asked_for_before_a_rename_ends_with_the_new_name(service: Labelled) -> None:
    await service.hear(at(renaming("qa", "quality", 1), 2))
    await service.do(at(make.assign_app("before", environment="qa"), 1))
    await service.do(at(make.assign_app("after", environment="qa"), 3))
    assert (await service.app("before")).environment == "quality"
    assert (await service.app("after")).environment == "qa"
    [before, _] = service.events(AppAssigned)
    assert before.app.environment == "quality"


async def test_a_rename_of_what_a_rename_led_to_is_not_lost(service: Labelled) -> None:
    await service.do(at(make.assign_app("app-1", environment="a"), 1))
    await service.hear(at(renaming("a", "b", 1), 2))
    # The app still carries `a`: nobody finds it under `b`.
    await service.hear(at(renaming("b", "c", 2), 3))
    await follow(service)
    assert (await service.app("app-1")).environment == "c"


async def test_a_label_that_comes_back_is_the_one_of_today(service: Labelled) -> None:
    await service.do(at(make.assign_app("app-1", environment="c"), 1))
    await service.hear(at(renaming("a", "b", 1), 2))
    await service.hear(at(renaming("c", "a", 2), 3))
    await follow(service)
    await follow(service)
    assert (await service.app("app-1")).environment == "a"


@pytest.mark.parametrize("dies_before", range(12))
async def test_a_process_that_dies_anywhere_goes_on_where_it_was(service: Labelled, dies_before: int) -> None:
    for number in range(5):
        await service.do(at(make.assign_app(f"app-{number}", environment="qa"), 1))
    left = dies_before

    async def before() -> None:
        nonlocal left
        left -= 1
        if left == -1:
            raise Death

    service.around.before = before
    event = at(renaming("qa", "quality", 1), 2)
    try:
        await service.hear(event)
    except Death:
        await service.hear(event)
    for told in [e for e in service.published if isinstance(e.data, AppLabelRenamed)]:
        try:
            await service.hear(told)
        except Death:
            await service.hear(told)
    assert [(await service.app(f"app-{n}")).environment for n in range(5)] == ["quality"] * 5
    assert len(service.events(AppReconfigured)) == 5


async def test_an_app_whose_process_died_after_it_was_saved_catches_up_when_its_command_comes_again(
    service: Labelled,
) -> None:
    command = at(make.assign_app("app-1", environment="qa"), 3)
    accesses = 0

    async def before() -> None:
        nonlocal accesses
        accesses += 1
        if accesses == 3:
            # Between what it read of renames and its save: nobody finds the app yet.
            service.around.before = unwatched
            await service.hear(at(renaming("qa", "quality", 1), 2))
            service.around.before = before
        if accesses == 4:
            raise Death

    async def unwatched() -> None:
        pass

    service.around.before = before
    with pytest.raises(Death):
        await service.hear(command)
    service.around.before = unwatched
    assert (await service.app("app-1")).environment == "qa"
    assert service.events(AppLabelRenamed) == []

    await service.hear(command)
    assert (await service.app("app-1")).environment == "quality"
    first, again = service.events(CommandOutcome)
    assert first == again


async def test_only_so_many_renames_are_kept_and_each_is_brought_by_its_message(service: Labelled) -> None:
    await service.do(at(make.assign_app("app-1", environment="qa"), 0))
    await service.hear(at(renaming("qa", "quality", 1), 1))
    known = KnownRenames()
    for revision in range(1, domain.RENAMES_KEPT + 5):
        event = at(renaming("x", "y", revision), revision)
        known = domain.note_rename(known, event.data, at=event.time) or known
    assert len(known.renames) == domain.RENAMES_KEPT
    assert known.rename_of(1) is None
    told = LabelRename(revision=1, kind="environment", name="qa", new_name="quality")
    followed = app_labels.follow(await service.app("app-1"), known, told)
    assert followed is not None
    assert followed.environment == "quality"


async def test_labels_are_counted(service: Labelled) -> None:
    await service.do(make.assign_app("app-1", name="one", environment="qa", data_classes=("pii", "pii")))
    await service.do(make.assign_app("app-2", name="two", kind="store", data_classes=("qa",)))
    await service.do(make.assign_app("app-3", name="three", environment="qa"))
    assert await usecases.count_labels(service.holders, make.ORG) == [
        LabelUse(kind="data_class", name="pii", sources=1, some=("one (source)",)),
        LabelUse(kind="data_class", name="qa", stores=1, some=("two (store)",)),
        LabelUse(kind="environment", name="qa", sources=2, some=("one (source)", "three (source)")),
    ]
