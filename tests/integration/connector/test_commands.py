"""Connection tests and initializations: one outcome each, also when asked for twice."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from contracts.field_values import FieldValue
from contracts.messages.assignment import App
from contracts.messages.connector.connection_tests import ConnectionChecked, ConnectionTested
from contracts.messages.connector.offers import IntegrationOffered
from contracts.messages.connector.stores import RestorePointCreated, StoreInitialized
from contracts.messages.connector.task_events import TaskSucceeded
from contracts.messages.outcomes import CommandOutcome
from contracts.messages.restore_index import RestorePointBrowsable

from tests.integration.connector.worker_fixture import WorkerFixture, connection_test, initialize, write_tree
from tests.support import builders as make
from tests.support.kafka import header

pytestmark = pytest.mark.usefixtures("app")


def outcomes(ground: WorkerFixture, command_id: str) -> list[Any]:
    return [e for e in ground.asker.heard(CommandOutcome) if e.data.command_id == command_id]


async def test_a_worker_offers_its_integrations_before_it_works(ground: WorkerFixture) -> None:
    offered = await ground.asker.ear.message(IntegrationOffered, lambda data: data.integration.name == "fs")

    assert offered.data.integration.protocols[0].name == "fs"


class TestConnections:
    async def test_a_test_that_succeeds(self, ground: WorkerFixture) -> None:
        source = await ground.assign("source", write_tree(ground.files("good"), {"a": b"a"}))

        outcome = await ground.asker.ask(connection_test(source))

        tested = await ground.asker.ear.message(ConnectionTested, lambda data: data.app_id == source.id)
        assert outcome.accepted
        assert outcome.result["ok"] is True
        assert outcome.result["initialized"] is None
        assert tested.data.report.model_dump(mode="json") == outcome.result
        assert tested.data.command_id == outcome.command_id

    async def test_each_step_is_announced_before_the_report(self, ground: WorkerFixture) -> None:
        store = await ground.assign("store", ground.files("announced"))
        await ground.asker.ask(initialize(store))

        outcome = await ground.asker.ask(connection_test(store))

        await ground.asker.ear.message(ConnectionTested, lambda data: data.command_id == outcome.command_id)
        checked = [e.data for e in ground.asker.heard(ConnectionChecked) if e.data.command_id == outcome.command_id]
        assert [data.check.model_dump(mode="json") for data in checked] == outcome.result["checks"]
        assert [data.number for data in checked] == list(range(1, len(checked) + 1))
        types = [header(raw, "ce_type") for raw in ground.asker.ear.heard if raw.key == store.id.encode()]
        last = [n for n, of in enumerate(types) if of == ConnectionChecked.TYPE][-1]
        assert types.index(ConnectionTested.TYPE) > last

    async def test_a_test_that_fails_is_a_result_too(self, ground: WorkerFixture) -> None:
        source = await ground.assign("source", ground.folder / "nothing here")

        outcome = await ground.asker.ask(connection_test(source))

        assert outcome.accepted
        assert outcome.result["ok"] is False

    async def test_a_store_tells_whether_it_has_a_repository(self, ground: WorkerFixture) -> None:
        bare = await ground.assign("store", ground.files("untouched"))
        before = await ground.asker.ask(connection_test(bare))
        await ground.asker.ask(initialize(bare))

        after = await ground.asker.ask(connection_test(bare))

        assert (before.result["initialized"], after.result["initialized"]) == (False, True)

    async def test_a_secret_that_cannot_be_had_fails_the_test_in_words(self, ground: WorkerFixture) -> None:
        fields = {"passphrase": FieldValue(value="kv/p", provider_id="vault")}
        store = await ground.assign("store", ground.files("vaulted"), fields=fields)

        outcome = await ground.asker.ask(connection_test(store))

        assert outcome.accepted
        assert outcome.result["ok"] is False
        assert "secret providers are not configured" in str(outcome.result["checks"])

    async def test_an_app_nobody_heard_of_is_refused(self, ground: WorkerFixture) -> None:
        source = await ground.assign("source", ground.files("good"))

        problem = await ground.asker.rejection(connection_test(source.model_copy(update={"revision": 7})))

        assert problem.code == "app_unknown"


class TestStores:
    async def test_a_store_is_initialized_once_and_repeats_bring_the_same_outcome(self, ground: WorkerFixture) -> None:
        store = await ground.assign("store", ground.folder / "stores" / "new")
        command = make.wrap(initialize(store))

        first = await ground.asker.ask(command)
        await ground.asker.wire.publish(command)
        await ground.asker.ear.until(lambda _: len(outcomes(ground, command.id)) == 2)

        again = outcomes(ground, command.id)
        assert first.accepted
        assert first.result["adopted"] is False
        assert len({e.id for e in again}) == 1
        assert again[0].data == again[1].data
        initialized = [e for e in ground.asker.heard(StoreInitialized) if e.data.app_id == store.id]
        assert [e.data.repository_id for e in initialized] == [first.result["repository_id"]]

    async def test_a_repository_that_was_there_is_adopted_with_its_restore_points(
        self, ground: WorkerFixture, http: httpx.AsyncClient
    ) -> None:
        store = await ground.store_made_by_hand("shared")
        source = await ground.assign("source", write_tree(ground.files("kept"), {"a": b"a", "b/c": b"c"}))
        for label in ("one", "two"):
            await ground.ending(await ground.request(source, store, labels=(label,)), TaskSucceeded)
        other = await ground.assign("store", Path(store.fields["root"].value or ""))

        outcome = await ground.asker.ask(initialize(other))

        assert outcome.result["adopted"] is True
        await ground.asker.ear.until(lambda _: len(browsable(ground, other)) == 2, 30)
        points = [e.data.restore_point for e in ground.asker.heard(RestorePointCreated) if e.data.store_id == other.id]
        assert [(p.tags, p.source_id) for p in points] == [(("one",), source.id), (("two",), source.id)]
        where = f"/internal/stores/{other.id}/snapshots/{points[0].snapshot_id}/content"
        assert (await http.get(where, params={"path": "/b/c"})).content == b"c"

    async def test_a_wrong_passphrase_is_refused(self, ground: WorkerFixture) -> None:
        store = await ground.store_made_by_hand("locked")
        root = Path(store.fields["root"].value or "")
        wrong = await ground.assign("store", root, id=store.id, fields={"passphrase": ground.sealed(store.id, "x")})

        problem = await ground.asker.rejection(initialize(wrong))

        assert problem.code == "passphrase_wrong"

    async def test_a_root_outside_what_workers_may_touch_is_refused(
        self, ground: WorkerFixture, tmp_path: Path
    ) -> None:
        outside = await ground.assign("store", Path("/nowhere/store"))
        own = await ground.assign("store", ground.folder / "state" / "store")

        assert (await ground.asker.rejection(initialize(outside))).code == "root_forbidden"
        assert (await ground.asker.rejection(initialize(own))).code == "root_forbidden"

    async def test_what_is_no_store_is_refused(self, ground: WorkerFixture) -> None:
        source = await ground.assign("source", ground.files("good"))

        assert (await ground.asker.rejection(initialize(source))).code == "app_not_found"


def browsable(ground: WorkerFixture, store: App) -> list[Any]:
    return [e for e in ground.asker.heard(RestorePointBrowsable) if e.data.store_id == store.id]
