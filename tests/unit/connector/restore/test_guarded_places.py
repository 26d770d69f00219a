"""Which places a restore keeps out of, by what the worker knows of stores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from connector.programs import open_program
from connector.restore.guarded_places import guarded_places
from contracts.values import OrganizationId
from integrations.fs.integration import FsIntegration
from integrations.s3.integration import S3Integration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.locations import StoreLocation
from integrations.sdk.ports.destination import GuardedPlace

from tests.unit.connector.parts import ORG, an_app
from tests.unit.connector.workshop import Workshop

ELSEWHERE = OrganizationId("elsewhere")
SEALED = {"sealed": {"key_id": "k", "data_key": "ZA==", "nonce": "bg==", "ciphertext": "Yw=="}}


class Integrations:
    """Those of a worker that may touch one directory."""

    def __init__(self, here: Path) -> None:
        environment = WorkerEnvironment(
            open_program=open_program, rclone="rclone", work_dir=here / "work", allowed_roots=(here,)
        )
        self._by_protocol: dict[str, Any] = {"fs": FsIntegration(environment), "s3": S3Integration(environment)}
        self.seen: list[AppConfiguration] = []

    def store(self, protocol: str) -> "Integrations":
        self._protocol = protocol
        return self

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        self.seen.append(configuration)
        location: StoreLocation = self._by_protocol[self._protocol].store_location(configuration)
        return location


class Worker:
    """A worker that is to restore from the store at `origin`."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self._workshop = Workshop(here)
        integrations: Any = Integrations(here)
        self.integrations = integrations
        self.noted: Any = self._workshop.store.repositories
        self._known: Any = self._workshop.store.stores
        settings = self._workshop.context.settings.model_copy(update={"hooks_dir": here / "hooks"})
        self._context = replace(self._workshop.context, integrations=integrations, settings=settings)
        self.knows("origin", str(here / "origin"))

    def knows(self, name: str, root: str, *, of: OrganizationId = ORG, protocol: str = "fs") -> None:
        """A store of an organization."""
        fields, endpoints = {"root": {"value": root}, "passphrase": SEALED}, ("https://s3.test",)
        app = an_app(name, fields=fields, protocol=protocol, endpoints=endpoints if protocol == "s3" else ())
        self._known.stores.append((of, app))

    async def guarded(self) -> tuple[GuardedPlace, ...]:
        origin = self.here / "origin"
        location = StoreLocation(address=str(origin), local_path=origin)
        return await guarded_places(self._context, ORG, store=an_app("origin"), location=location)

    async def whys(self) -> dict[str, str]:
        """Why more than the origin and the hooks is guarded, by path or address."""
        return {str(each.path or each.address): each.why for each in (await self.guarded())[2:]}


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def a_repository(place: Path) -> Path:
    """As much of one as is looked at."""
    place.mkdir(parents=True)
    (place / "config").write_bytes(b"sealed")
    return place


async def test_the_places_of_all_repositories_and_of_the_hooks_are_guarded(worker: Worker, tmp_path: Path) -> None:
    nightly, theirs = (a_repository(tmp_path / "disk" / name) for name in ("nightly", "theirs"))
    worker.knows("nightly", str(nightly))
    worker.knows("theirs", str(theirs), of=ELSEWHERE)
    worker.knows("forbidden", "/forbidden")

    origin, hooks, *_ = await worker.guarded()

    assert (origin.path, origin.why) == (tmp_path / "origin", "it belongs to the store that is restored from")
    assert (hooks.path, hooks.why) == (tmp_path / "hooks", "it belongs to the hooks that this worker runs")
    assert await worker.whys() == {
        str(nightly): "it belongs to the store 'nightly'",
        str(theirs): "it belongs to another organization's store",
    }
    assert all("passphrase" not in each.fields for each in worker.integrations.seen)


@pytest.mark.parametrize("root", ["", "srv", "srv/deeper", "not/there"])
@pytest.mark.parametrize("is_noted", [False, True])
async def test_a_directory_without_a_repository_is_no_store_whatever_was_assigned(
    worker: Worker, tmp_path: Path, root: str, *, is_noted: bool
) -> None:
    # One that is noted all the same is on the machine of another pool.
    (tmp_path / "srv" / "deeper" / "data").mkdir(parents=True)
    worker.knows("somewhere", str(tmp_path / root), of=ELSEWHERE)
    if is_noted:
        await worker.noted.note(ELSEWHERE, "somewhere", "r" * 64)

    assert await worker.whys() == {}


async def test_what_is_left_of_a_repository_is_guarded(worker: Worker, tmp_path: Path) -> None:
    for name in ("data", "keys", "snapshots"):
        (tmp_path / "left" / name).mkdir(parents=True)
    worker.knows("left", str(tmp_path / "left"))

    assert await worker.whys() == {str(tmp_path / "left"): "it belongs to the store 'left'"}


async def test_a_place_is_known_by_the_path_that_was_configured_too(worker: Worker, tmp_path: Path) -> None:
    a_repository(tmp_path / "disk" / "nightly")
    (tmp_path / "link").symlink_to("disk")
    worker.knows("nightly", str(tmp_path / "link" / "nightly"))

    [found] = (await worker.guarded())[2:]

    assert (found.path, found.named_path) == (tmp_path / "disk" / "nightly", tmp_path / "link" / "nightly")


async def test_a_bucket_is_guarded_where_a_repository_was_noted(worker: Worker) -> None:
    for name, root in (("made", "bucket/made"), ("assigned", "bucket")):
        worker.knows(name, root, protocol="s3")
    await worker.noted.note(ORG, "made", "r" * 64)

    assert await worker.whys() == {"s3:https://s3.test/bucket/made": "it belongs to the store 'made'"}
