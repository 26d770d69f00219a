"""Which places a restore keeps out of, by what the worker knows of stores."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from connector.programs import open_program
from connector.restore.guarded_places import guarded_places
from connector.stores.place_looks import PlaceLooks
from contracts.values import OrganizationId
from integrations.fs.integration import FsIntegration
from integrations.s3.integration import S3Integration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import RootForbidden
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
        self.silent: dict[str, Event] = {}
        self.reach = self._by_protocol["fs"].reach

    def store(self, _: str) -> "Integrations":
        return self

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        self.seen.append(configuration)
        if (answers := self.silent.get(configuration.app_id)) is not None:
            assert answers.wait(10)
        location: StoreLocation = self._by_protocol[configuration.protocol].store_location(configuration)
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
        self._context = replace(
            self._workshop.context, integrations=integrations, settings=settings, looks=PlaceLooks(seconds=0.5)
        )
        self.knows("origin", str(here / "origin"))

    def knows(self, name: str, root: str, *, of: OrganizationId = ORG, protocol: str = "fs") -> None:
        """A store of an organization."""
        fields, endpoints = {"root": {"value": root}, "passphrase": SEALED}, ("https://s3.test",)
        app = an_app(name, fields=fields, protocol=protocol, endpoints=endpoints if protocol == "s3" else ())
        self._known.stores.append((of, app))

    async def guarded(self, root: str = "target", folder: str = "") -> tuple[GuardedPlace, ...]:
        """Of a restore into a folder of a destination."""
        origin = self.here / "origin"
        location = StoreLocation(address=str(origin), local_path=origin)
        target = an_app("target", kind="destination", fields={"root": {"value": str(self.here / root)}})
        return await guarded_places(
            self._context, ORG, store=an_app("origin"), location=location, target=target, folder=folder
        )

    async def whys(self) -> dict[str, str]:
        """Why more than the origin and the hooks is guarded, by path or, for a bucket, address."""
        places = (await self.guarded())[2:]
        return {str(each.path or each.address): each.why for each in places if each.path or "s3:" in each.address}


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


async def test_links_to_a_repository_that_is_not_there_now_stay(worker: Worker, tmp_path: Path) -> None:
    worker.knows("away", str(tmp_path / "link" / "repo"))
    await worker.noted.note(ORG, "away", "r" * 64)

    [found] = (await worker.guarded())[2:]

    assert (found.path, found.named_path) == (None, tmp_path / "link" / "repo")


@pytest.fixture
def mount(worker: Worker) -> Iterator[Event]:
    """Set once the mount with the store `dead` answers."""
    worker.knows("dead", str(worker.here / "mnt" / "repo"), of=ELSEWHERE)
    answers = worker.integrations.silent["dead"] = Event()
    yield answers
    answers.set()


@pytest.mark.usefixtures("mount")
async def test_a_place_that_does_not_answer_holds_up_no_restore_elsewhere(worker: Worker, tmp_path: Path) -> None:
    nightly = a_repository(tmp_path / "nightly")
    worker.knows("nightly", str(nightly))

    for _ in range(3):
        assert list(await worker.whys()) == [str(nightly)]

    # Nobody asks again what hangs already.
    assert [each.app_id for each in worker.integrations.seen].count("dead") == 1


@pytest.mark.usefixtures("mount")
@pytest.mark.parametrize(
    ("root", "folder"), [("mnt", ""), ("mnt/repo", ""), ("mnt", "repo/deeper"), ("x/../mnt", ""), ("link", "repo")]
)
async def test_a_restore_that_may_meet_a_place_that_does_not_answer_is_refused(
    worker: Worker, tmp_path: Path, root: str, folder: str
) -> None:
    (tmp_path / "link").symlink_to("mnt")

    with pytest.raises(RootForbidden, match="may belong to another organization's store, whose directory does not"):
        await worker.guarded(root, folder)


async def test_a_place_that_answers_again_is_looked_at_again(worker: Worker, mount: Event, tmp_path: Path) -> None:
    assert await worker.whys() == {}
    a_repository(tmp_path / "mnt" / "repo")
    mount.set()

    async with asyncio.timeout(10):
        while not await worker.whys():
            pass
