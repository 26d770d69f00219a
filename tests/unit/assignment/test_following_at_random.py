"""Bundles, resources and apps in random sequences: whatever is heard late or twice, apps are what a model says."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from assignment.bundles.domain.filling import fill
from contracts.messages.assignment import App
from contracts.messages.catalog import Resource
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders as make
from tests.support.builders import clear
from tests.support.random_cases import random_cases
from tests.unit.assignment.bundled import BUCKET, Bundled, assign, bundled, reconfigure

pytestmark = pytest.mark.fuzz
S3 = make.s3_integration()
NAMES = ("root", "access_key", "use_tls")
VALUES = st.sampled_from(["true", "false"])
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
SCOPES = st.fixed_dictionaries(
    {
        "environment": st.sampled_from(["", "production"]),
        "tags": st.sampled_from([(), ("red",), ("blue",), ("red", "blue")]),
        "resource_classes": st.sampled_from([(), ("object-storage",), ("database",)]),
    }
)
BUNDLES, APPS = st.sampled_from(["b1", "b2", "b3"]), st.sampled_from(["app-0", "app-1"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("describe"), BUNDLES, st.sampled_from([None, "inv-1"]), SCOPES, FIELDS),
        st.tuples(st.just("remove"), BUNDLES),
        st.tuples(st.just("tag"), st.sets(st.sampled_from(["red", "blue"]))),
        st.tuples(st.just("put_to_use"), APPS, st.sampled_from(["", "production"]), FIELDS),
        st.tuples(st.just("hear"), st.integers(0, 8), st.booleans()),
    ),
    max_size=30,
)


@dataclass
class World:
    """The service, and what a model says of it."""

    service: Bundled
    resource: Resource = BUCKET
    places: dict[str, str | None] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    environments: dict[str, str] = field(default_factory=dict)

    async def describe(self, bundle: str, inventory: str | None, scope: Any, fields: dict[str, str]) -> None:
        said: dict[str, Any] = {**scope, "fields": {name: clear(value) for name, value in fields.items()}}
        # Ids of bundles that are gone are not used again.
        if bundle in self.places:
            await self.service.do(make.change_bundle(bundle, **said))
        else:
            await self.service.do(make.create_bundle(bundle, inventory_id=inventory, **said))
            self.places[bundle] = inventory

    async def remove(self, bundle: str) -> None:
        await self.service.do(make.remove_bundle(bundle))

    async def tag(self, tags: set[str]) -> None:
        changed = {"tags": tuple(sorted(tags)), "revision": self.resource.revision + 1}
        self.resource = self.resource.model_copy(update=changed)
        await self.service.hear(make.resource_changed(self.resource))

    async def put_to_use(self, app: str, environment: str, fields: dict[str, str]) -> None:
        said: Any = {"environment": environment, "fields": {name: clear(value) for name, value in fields.items()}}
        # The resource as it was when somebody began to describe it.
        command = (reconfigure if app in self.own else assign)(app, resource=BUCKET, **said)
        if (await self.service.do(command)).accepted:
            self.own[app], self.environments[app] = fields, environment

    async def hear(self, place: int, again: bool) -> None:
        """One of the messages that wait; those for one key come in order, others in any."""
        waiting = self.service.collect()
        if not waiting:
            return
        chosen = waiting[place % len(waiting)]
        first = next(e for e in waiting if e.data.key == chosen.data.key)
        if not again:
            waiting.remove(first)
        await self.service.hear(first)

    async def check(self) -> None:
        await self.service.settle()
        bundles = await self.service.bundles.bundles_of(make.ORG)
        for name in self.own:
            app = await self.service.app(name)
            assert {n: v.value for n, v in app.fields.items()} == self.expected(app, bundles)
            own = {n for n, value in app.fields.items() if value.bundle_id is None}
            assert own == self.own[name].keys()
            self.check_lacking(app)

    def expected(self, app: App, bundles: Any) -> dict[str, str | None]:
        """What the app has of its own, and what a look at all bundles as they are now gives to the rest."""
        own = self.own[app.id]
        found = fill(
            bundles,
            resource=self.resource,
            environment=self.environments[app.id],
            integration=S3,
            protocol=S3.protocols[0],
            kind="source",
            given=own,
        )
        self.ties = set(found.ties)
        return {**own, **{name: value.value for name, value in found.values.items()}}

    def check_lacking(self, app: App) -> None:
        lacking = {lack.field.removeprefix("fields.") for lack in app.lacking}
        required = {"root", "access_key", "secret_access_key"} - app.fields.keys()
        assert lacking == required | self.ties


async def run(steps: list[Any]) -> None:
    world = World(await bundled())
    for what, *facts in steps:
        await getattr(world, what)(*facts)
    await world.check()


@random_cases(60)
@given(STEPS)
def test_apps_end_where_the_model_does(steps: list[Any]) -> None:
    asyncio.run(run(steps))
