"""Lists and apps in random sequences: the catalog and the assignment service end where a plain model does."""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from catalog.classification import handlers as catalog_handlers
from catalog.classification.store import ClassificationStore
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.envelope import Envelope
from contracts.messages.classification import (
    AddLabel,
    AppLabelRenamed,
    Classification,
    LabelKind,
    LabelRenamed,
    RemoveLabel,
    RenameLabel,
)
from contracts.messages.outcomes import CommandOutcome
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders as make
from tests.support.killed_services import Death
from tests.support.memory import MemoryDoor
from tests.support.random_cases import random_cases
from tests.unit.assignment.labelled import Labelled, at, renaming

pytestmark = pytest.mark.fuzz
NAMES = st.sampled_from("abcd")
KINDS: st.SearchStrategy[LabelKind] = st.sampled_from(["environment", "data_class"])
APPS = st.sampled_from(["app-0", "app-1", "app-2"])
CLASSES = st.lists(NAMES, max_size=3, unique=True).map(tuple)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KINDS, NAMES),
        st.tuples(st.just("remove"), KINDS, NAMES),
        st.tuples(st.just("rename"), KINDS, NAMES, NAMES, st.booleans()),
        st.tuples(st.just("describe"), APPS, st.sampled_from(["", *"abcd"]), CLASSES),
        st.tuples(st.just("hear_rename"), st.booleans(), st.integers(0, 8)),
        st.tuples(st.just("hear_app"), APPS, st.booleans(), st.integers(0, 8)),
    ),
    max_size=40,
)


def once(labels: Any) -> list[str]:
    return list(dict.fromkeys(labels))


@dataclass
class Described:
    """An app in the model: its labels, and up to which rename they are of today."""

    environment: str
    data_classes: list[str]

    def rename(self, kind: LabelKind, name: str, new_name: str) -> None:
        if kind == "environment" and self.environment == name:
            self.environment = new_name
        if kind == "data_class" and name in self.data_classes:
            self.data_classes = once(new_name if label == name else label for label in self.data_classes)


@dataclass
class World:
    """Both services, what is on its way between them, and the model."""

    service: Labelled
    second: int = 0
    lists: dict[str, list[str]] = field(default_factory=dict)
    renames: list[tuple[int, LabelKind, str, str]] = field(default_factory=list)
    noted: int = 0
    apps: dict[str, Described] = field(default_factory=dict)
    events: deque[Envelope[Any]] = field(default_factory=deque)
    queues: dict[str, deque[Envelope[Any]]] = field(default_factory=lambda: defaultdict(deque))
    seen: int = 0

    def __post_init__(self) -> None:
        self.catalog = MemoryDoor("catalog")
        self.store = ClassificationStore(MemoryAggregates(Classification, published=self.catalog.published))
        catalog_handlers.register_handlers(self.catalog.dispatcher, self.store)

    async def step(self, what: str, *facts: Any) -> None:
        self.second += 1
        await getattr(self, what)(*facts)

    async def add(self, kind: LabelKind, name: str) -> None:
        labels = self.lists[kind]
        accepted = await self.command(AddLabel(organization_id=make.ORG, kind=kind, name=name))
        assert accepted == (name not in labels)
        if accepted:
            labels.append(name)

    async def remove(self, kind: LabelKind, name: str) -> None:
        labels = self.lists[kind]
        accepted = await self.command(RemoveLabel(organization_id=make.ORG, kind=kind, name=name))
        assert accepted == (name in labels)
        if accepted:
            labels.remove(name)

    async def rename(self, kind: LabelKind, name: str, new_name: str, merge: bool) -> None:
        labels = self.lists[kind]
        command = RenameLabel(
            organization_id=make.ORG, kind=kind, name=name, new_name=new_name, merge=merge, in_use=name in "ab"
        )
        accepted = await self.command(command)
        taken = new_name in labels and new_name != name and not merge
        assert accepted == ((name in labels or name in "ab") and not taken)
        if not accepted or name == new_name:
            return
        if name not in labels and new_name not in labels:
            labels.append(new_name)
        elif new_name in labels:
            self.lists[kind] = [label for label in labels if label != name]
        else:
            self.lists[kind] = [new_name if label == name else label for label in labels]
        self.renames.append((self.second, kind, name, new_name))

    async def command(self, command: Any) -> bool:
        before = len(self.catalog.published)
        outcome = await self.catalog.do(at(command, self.second))
        told = [e for e in self.catalog.published[before:] if isinstance(e.data, LabelRenamed)]
        self.events.extend(at(event.data, self.second) for event in told)
        return outcome.accepted

    async def describe(self, app_id: str, environment: str, data_classes: tuple[str, ...]) -> None:
        known = app_id in self.apps or any(self.queues[app_id])
        make_command = make.reconfigure_app if known else make.assign_app
        command = make_command(app_id, environment=environment, data_classes=data_classes)
        self.queues[app_id].append(at(command, self.second))

    async def hear_rename(self, again: bool, dies: int) -> None:
        if not self.events:
            return
        event = self.events.popleft()
        await self.deliver(event, again=again, dies=dies)
        _, kind, name, new_name = self.renames[self.noted]
        self.noted += 1
        # Whatever was described before the service heard of it.
        for app in self.apps.values():
            app.rename(kind, name, new_name)

    async def hear_app(self, app_id: str, again: bool, dies: int) -> None:
        if not self.queues[app_id]:
            return
        message = self.queues[app_id].popleft()
        await self.deliver(message, again=again, dies=dies)
        if isinstance(message.data, AppLabelRenamed):
            return
        described = message.data.description
        app = Described(described.environment, list(described.data_classes))
        for second, kind, name, new_name in self.renames[: self.noted]:
            if at(message.data, second).time > message.time:
                app.rename(kind, name, new_name)
        self.apps[app_id] = app

    async def deliver(self, message: Envelope[Any], *, again: bool, dies: int) -> None:
        """Once or twice, the first time perhaps to a process that dies before one of its accesses."""
        left = dies

        async def before() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Death

        self.service.around.before = before
        try:
            await self.service.hear(message)
        except Death:
            again = True
        self.service.around.before = nothing
        if again:
            await self.service.hear(message)
        for told in self.service.published[self.seen :]:
            if isinstance(told.data, AppLabelRenamed):
                self.queues[told.data.app_id].append(told)
        self.seen = len(self.service.published)

    async def settle(self) -> None:
        while self.events:
            await self.hear_rename(again=False, dies=0)
        for app_id in list(self.queues):
            while self.queues[app_id]:
                await self.hear_app(app_id, again=False, dies=0)


async def nothing() -> None:
    pass


@given(STEPS)
@random_cases(100)
def test_lists_and_apps_end_where_the_model_does(steps: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        world = World(await Labelled().ready())
        begun = await world.store.get(make.ORG)
        world.lists = {"environment": list(begun.environments), "data_class": list(begun.data_classes)}
        for step in steps:
            await world.step(*step)
            lists = await world.store.get(make.ORG)
            assert list(lists.environments) == world.lists["environment"]
            assert list(lists.data_classes) == world.lists["data_class"]
        await world.settle()
        for app_id, expected in world.apps.items():
            app = await world.service.app(app_id)
            assert (app.environment, list(app.data_classes)) == (expected.environment, expected.data_classes)
        outcomes = [e.causation_id for e in world.service.published if isinstance(e.data, CommandOutcome)]
        contents = {e.id: e.data for e in world.service.published if isinstance(e.data, CommandOutcome)}
        assert len(contents) == len(set(outcomes))

    asyncio.run(run())


@given(st.lists(st.tuples(KINDS, NAMES, NAMES), max_size=5), st.lists(st.tuples(APPS, NAMES, CLASSES)), st.data())
@random_cases(50)
def test_whatever_runs_side_by_side_what_was_asked_for_before_has_the_new_names(
    renames: list[tuple[LabelKind, str, str]], described: list[tuple[str, str, tuple[str, ...]]], data: st.DataObject
) -> None:
    """The renames of the organization in their order, the messages of each app in theirs, all at the same time."""

    async def run() -> None:
        service = await Labelled().ready()
        waits = iter(data.draw(st.lists(st.integers(0, 3), min_size=64, max_size=64)) * 64)

        async def before() -> None:
            for _ in range(next(waits)):
                await asyncio.sleep(0)

        service.around.before = before
        commands: dict[str, list[Envelope[Any]]] = defaultdict(list)
        for second, (app_id, environment, classes) in enumerate(described):
            make_command = make.reconfigure_app if commands[app_id] else make.assign_app
            command = make_command(app_id, environment=environment, data_classes=classes)
            commands[app_id].append(at(command, second))

        async def in_order(messages: list[Envelope[Any]]) -> None:
            for message in messages:
                await service.hear(message)

        events = [
            at(renaming(name, new_name, number, kind=kind), 1000 + number)
            for number, (kind, name, new_name) in enumerate(renames, start=1)
        ]
        await asyncio.gather(in_order(events), *map(in_order, commands.values()))
        await in_order([e for e in service.published if isinstance(e.data, AppLabelRenamed)])

        for app_id, sent in commands.items():
            last = sent[-1].data.description
            expected = Described(last.environment, list(last.data_classes))
            for kind, name, new_name in renames:
                expected.rename(kind, name, new_name)
            app = await service.app(app_id)
            assert (app.environment, list(app.data_classes)) == (expected.environment, expected.data_classes)

    asyncio.run(run())
