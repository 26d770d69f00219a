"""Integrations that an organization does without, takes back, and uses in newer versions, over the memory store."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from assignment.apps import handlers as apps_handlers
from assignment.apps import wizard
from assignment.apps.domain.apps import KnownResource, upgraded
from assignment.apps.domain.pools import Pool
from assignment.apps.store import AssignmentStore, Offer, app_keys
from assignment.apps.usecases import offers, reads
from assignment.installations import handlers, usecases
from assignment.installations.domain import Installation, installation_id
from assignment.installations.store import InstallationStore, KnownParts, absent
from assignment.settings import POOL_SILENCE
from chassis.persistence.memory_aggregates import MemoryAggregates
from contracts.errors import Invalid, TemporaryError
from contracts.messages.assignment import App, AppReconfigured
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import IntegrationVersion, PoolOffered
from contracts.messages.installations import (
    AppUpgradeDue,
    InstallIntegration,
    IntegrationInstalled,
    IntegrationUninstalled,
    IntegrationUsed,
    UninstallIntegration,
    UpgradeIntegration,
)
from contracts.queries.installations import KnownIntegration
from contracts.queries.wizard import CompatibilityQuestion
from contracts.values import AppId, IntegrationId, OrganizationId

from tests.support import builders as make
from tests.support.memory import MemoryDoor

FS = IntegrationId("int-fs")
OTHER_ORG = OrganizationId("0190-other")


class Assignment(MemoryDoor):
    """An assignment service in memory, with the areas of apps and installations."""

    def __init__(self) -> None:
        super().__init__("assignment")
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        installations = MemoryAggregates(Installation, published=self.published)
        self.apps = AssignmentStore(
            MemoryAggregates(App, keys=app_keys, published=self.published),
            MemoryAggregates(Offer, published=self.published),
            MemoryAggregates(KnownResource, published=self.published),
            MemoryAggregates(Pool, published=self.published),
            clock=lambda: self.now,
            absences=partial(absent, installations),
        )
        parts = KnownParts(
            integrations=partial(offers.list_known_integrations, self.apps),
            apps=lambda org: self.apps.apps_of(org, None),
            upgraded=upgraded,
        )
        self.installations = InstallationStore(installations, parts)
        apps_handlers.register_handlers(self.dispatcher, self.apps)
        handlers.register_handlers(self.dispatcher, self.installations)

    async def known(self, org: OrganizationId = make.ORG) -> dict[str, KnownIntegration]:
        return {each.integration.name: each for each in await usecases.list_known(self.installations, org)}

    async def tell_itself(self, *kinds: type[Any]) -> None:
        """Deliver what the service has told itself, twice."""
        for _ in range(2):
            for envelope in [e for e in self.published if isinstance(e.data, kinds)]:
                await self.hear(envelope)

    async def app(self, app_id: str) -> App:
        return await reads.get_app(self.apps, make.ORG, AppId(app_id))

    async def offer_pool(self, *versions: tuple[str, str], pool: str = "default") -> None:
        integrations = tuple(IntegrationVersion(id=IntegrationId(i), version=v) for i, v in versions)
        await self.hear(PoolOffered(organization_id=EVERYBODY, pool=pool, integrations=integrations))


def uninstall(org: OrganizationId = make.ORG, integration: str = FS) -> UninstallIntegration:
    return UninstallIntegration(organization_id=org, integration_id=IntegrationId(integration))


def install(integration: str = FS) -> InstallIntegration:
    return InstallIntegration(organization_id=make.ORG, integration_id=IntegrationId(integration))


def upgrade(version: str = "") -> UpgradeIntegration:
    return UpgradeIntegration(organization_id=make.ORG, integration_id=FS, version=version)


@pytest.fixture
async def assignment() -> Assignment:
    made = Assignment()
    await made.hear(make.integration_offered(make.fs_integration()))
    await made.hear(make.integration_offered(make.s3_integration()))
    return made


async def test_an_integration_that_is_uninstalled_is_neither_chosen_nor_assigned(assignment: Assignment) -> None:
    command = make.wrap(uninstall())
    assert await assignment.do(command) == await assignment.do(command)
    assert len(assignment.events(IntegrationUninstalled)) == 1
    known = await assignment.known()
    assert {name: each.installed for name, each in known.items()} == {"fs": False, "s3": True}
    assert (await assignment.rejection(make.assign_app())).code == "integration_not_installed"
    wanted = await assignment.rejection(make.assign_app(integration_id=FS))
    assert (wanted.code, [f.field for f in wanted.fields]) == ("integration_not_installed", ["integration.id"])
    with pytest.raises(Invalid, match="integration_not_installed"):
        await offers.choose(
            assignment.apps, make.ORG, make.a_resource(), kind="source", integration_id=FS, protocol=None
        )


async def test_other_organizations_keep_it(assignment: Assignment) -> None:
    await assignment.do(uninstall())
    assert (await assignment.known(OTHER_ORG))["fs"].installed
    assert (await assignment.do(make.assign_app(org=OTHER_ORG))).accepted


async def test_it_can_be_installed_again(assignment: Assignment) -> None:
    await assignment.do(uninstall())
    assert (await assignment.do(install())).result == {"id": FS}
    assert [event.app_id for event in assignment.events(IntegrationInstalled)] == [None]
    assert (await assignment.do(make.assign_app())).accepted
    assert (await assignment.do(install())).accepted
    assert len(assignment.events(IntegrationInstalled)) == 1


async def test_one_that_connectors_use_stays_and_they_are_named(assignment: Assignment) -> None:
    for number in range(7):
        await assignment.do(make.assign_app(f"app-{number}", name=f"files {number}"))
    refused = await assignment.rejection(uninstall())
    assert (refused.code, refused.kind) == ("integration_in_use", "conflict")
    assert "files 0 (source)" in refused.detail
    assert "and 2 more" in refused.detail
    assert (await assignment.known())["fs"].installed
    assert (await assignment.do(make.assign_app("later"))).accepted
    for app_id in (*(f"app-{number}" for number in range(7)), "later"):
        await assignment.do(make.remove_app(app_id))
    assert (await assignment.do(uninstall())).accepted


async def test_what_nobody_offers_is_not_found(assignment: Assignment) -> None:
    for command in (uninstall(integration="other"), install("other")):
        assert (await assignment.rejection(command)).code == "integration_not_found"


async def test_an_app_waits_while_it_is_decided(assignment: Assignment) -> None:
    place = await assignment.installations.installations.load(make.ORG, installation_id(make.ORG, FS))
    await assignment.installations.installations.save(place, Installation(integration_id=FS, state="leaving"))
    with pytest.raises(TemporaryError, match="integration_unsettled"):
        await assignment.hear(make.assign_app())
    assert (await assignment.known())["fs"].installed


async def test_an_app_that_was_assigned_meanwhile_brings_its_integration_back(assignment: Assignment) -> None:
    """Its integration was looked up before the uninstallation, and it was saved after the look for apps."""
    await assignment.do(make.assign_app("app-1"))
    place = await assignment.installations.installations.load(make.ORG, installation_id(make.ORG, FS))
    await assignment.installations.installations.save(place, Installation(integration_id=FS, state="uninstalled"))
    await assignment.tell_itself(IntegrationUsed)
    assert (await assignment.known())["fs"].installed
    assert [event.app_id for event in assignment.events(IntegrationInstalled)] == ["app-1"]


async def test_an_app_that_is_gone_again_brings_nothing_back(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    await assignment.do(make.remove_app("app-1"))
    await assignment.do(uninstall())
    await assignment.tell_itself(IntegrationUsed)
    assert not (await assignment.known())["fs"].installed


async def test_an_upgrade_takes_connectors_to_the_version_on_offer(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    await assignment.do(make.assign_app("bucket", integration_id="int-s3", **bucket()))
    await assignment.hear(make.integration_offered(make.fs_integration(version="1.1.0")))
    [use] = [use for use in await usecases.list_use(assignment.installations, make.ORG) if use.integration_id == FS]
    assert (use.connectors, [(v.version, v.connectors) for v in use.versions]) == ({"source": 1}, [("1.0.0", 1)])
    outcome = await assignment.do(upgrade("1.1.0"))
    assert outcome.result == {"id": FS, "version": "1.1.0", "connectors": 1, "misfits": [], "misfits_total": 0}
    await assignment.tell_itself(AppUpgradeDue)
    app = await assignment.app("app-1")
    assert (app.integration.version, app.revision, app.lacking) == ("1.1.0", 2, ())
    assert [event.app_id for event in assignment.events(AppReconfigured)] == ["app-1"]
    assert (await assignment.app("bucket")).revision == 1
    assert (await assignment.do(upgrade())).result["connectors"] == 0


def bucket() -> dict[str, Any]:
    fields = {"root": "b", "access_key": "k"}
    return {
        "kind": "store",
        "resource": make.a_resource(**{"class": "object-storage", "subclass": "s3"}),
        "fields": {name: make.clear(value) for name, value in fields.items()} | {"secret_access_key": make.sealed()},
    }


async def test_what_does_not_fit_the_newer_version_is_named_and_incomplete(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1"))
    await assignment.do(make.assign_app("store", kind="store"))
    narrow = make.a_schema("root", "owner", root={"pattern": "^/data"}, owner={})
    protocols = [make.a_protocol("fs", "source", schema=narrow)]
    await assignment.hear(make.integration_offered(make.fs_integration(version="2.0.0", protocols=protocols)))
    assert not (await assignment.app("app-1")).lacking
    result = (await assignment.do(upgrade())).result
    assert (result["version"], result["connectors"], result["misfits_total"]) == ("2.0.0", 2, 2)
    await assignment.tell_itself(AppUpgradeDue)
    app = await assignment.app("app-1")
    assert {lack.field for lack in app.lacking} == {"fields.root", "fields.owner"}
    assert "/srv" not in app.lacking_in_words
    assert [lack.field for lack in (await assignment.app("store")).lacking] == ["protocol"]


async def test_another_version_than_the_one_on_offer_is_not_found(assignment: Assignment) -> None:
    assert (await assignment.rejection(upgrade("9.9"))).code == "integration_version_not_found"


async def test_versions_are_known_by_pool(assignment: Assignment) -> None:
    await assignment.hear(make.integration_offered(make.fs_integration(version="1.1.0")))
    await assignment.offer_pool((FS, "1.1.0"), ("int-s3", "1.0.0"))
    await assignment.offer_pool((FS, "1.0.0"), pool="branch")
    await assignment.offer_pool((FS, "1.1.0"), pool="branch")
    versions = (await assignment.known())["fs"].versions
    assert [(each.version, each.pools) for each in versions] == [
        ("1.1.0", ("branch", "default")),
        ("1.0.0", ("branch",)),
    ]


async def test_an_integration_that_no_worker_offers_any_more_is_for_no_new_connector(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", integration_id=FS))
    for _ in range(3):
        assignment.now += POOL_SILENCE / 2
        await assignment.offer_pool(("int-s3", "1.0.0"))
    known = await assignment.known()
    assert {name: each.offered for name, each in known.items()} == {"fs": False, "s3": True}
    problem = await assignment.rejection(make.assign_app(integration_id=FS))
    assert (problem.code, problem.kind) == ("integration_gone", "invalid")
    assert "No worker has offered integration fs" in problem.detail
    # By itself it is not chosen either, and whatever else is wrong is told with it.
    problem = await assignment.rejection(make.assign_app(name="", integration_id=None))
    assert (problem.code, [each.field for each in problem.fields]) == ("app_invalid", ["name", "integration"])
    assert "No worker has offered integration fs" in problem.detail
    assert (await assignment.rejection(upgrade())).code == "integration_not_found"
    offered = await wizard.compatible(
        assignment.apps, make.ORG, CompatibilityQuestion(kind="source", resource=make.a_resource())
    )
    assert (offered.items, offered.chosen) == ((), None)
    assert [(each.integration.name, each.code) for each in offered.near_misses] == [("fs", "gone")]
    # What uses it may still be described anew.
    assert (await assignment.do(make.reconfigure_app("app-1", integration_id=FS, name="renamed"))).accepted
    await assignment.offer_pool((FS, "1.0.0"), pool="branch")
    assert (await assignment.do(make.assign_app(integration_id=FS))).accepted


async def test_work_goes_to_pools_that_run_the_integration(assignment: Assignment) -> None:
    await assignment.do(make.assign_app("app-1", integration_id=FS))
    await assignment.offer_pool(("int-s3", "1.0.0"))
    await assignment.offer_pool((FS, "1.0.0"), ("int-s3", "1.0.0"), pool="branch")
    assert (await reads.get_reachable_app(assignment.apps, make.ORG, AppId("app-1"))).pools == ("branch",)
    # Workers of before that was said may run anything.
    await assignment.offer_pool(pool="former")
    found = await reads.get_reachable_app(assignment.apps, make.ORG, AppId("app-1"))
    assert found.pools == ("branch", "former")


async def test_while_no_pool_says_what_it_offers_nothing_is_gone(assignment: Assignment) -> None:
    aggregate = await assignment.apps.offers.load(EVERYBODY, FS)
    assert aggregate.value is not None
    await assignment.apps.offers.save(aggregate, aggregate.value.model_copy(update={"announced_at": None}))
    assignment.now += 10 * POOL_SILENCE
    assert (await assignment.known())["fs"].offered
    await assignment.offer_pool(("int-s3", "1.0.0"))
    assert not (await assignment.known())["fs"].offered


async def test_a_worker_that_starts_offers_its_integration_again(assignment: Assignment) -> None:
    assignment.now += POOL_SILENCE + timedelta(seconds=1)
    assert not (await assignment.known())["fs"].offered
    await assignment.hear(make.integration_offered(make.fs_integration()))
    assert (await assignment.known())["fs"].offered
