"""Directories that no restore writes to, wherever its destination is."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from connector.programs import open_program
from contracts.messages.assignment import AppKind
from contracts.values import AppId, OrganizationId
from integrations.fs.destination_directory import open_directory
from integrations.fs.integration import FsIntegration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.conformance import a_file
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import RootForbidden
from integrations.sdk.ports.destination import GuardedPlace, NotWritten, OpenDestination, RestoreRequest

STORE = "it belongs to the store 'nightly'"
HOOKS = "it belongs to the hooks that this worker runs"
both = pytest.mark.parametrize("dry_run", [False, True])


class Place:
    """A store and hooks, each with a link that leads to it."""

    def __init__(self, here: Path) -> None:
        self.here = here
        for name in ("stores/nightly/data", "programs", "target", "work"):
            (here / name).mkdir(parents=True)
        (here / "link").symlink_to(here / "stores")
        (here / "way").symlink_to("link")
        (here / "hooks").symlink_to("programs")
        self.environment = WorkerEnvironment(open_program=open_program, rclone="rclone", work_dir=here / "work")

    def open(self, root: str, folder: str = "", *, dry_run: bool) -> AbstractContextManager[OpenDestination]:
        found = FsIntegration(self.environment).store_location(self._app("store", "way/nightly"))
        guarded = (
            GuardedPlace(why=STORE, path=found.local_path, named_path=found.named_path),
            GuardedPlace(why=HOOKS, path=self.here / "hooks"),
        )
        restore = RestoreRequest(job_id="job", guarded=guarded, folder=folder, dry_run=dry_run)
        return open_directory(self._app("destination", root), restore, self.environment, on_log=lambda *_: None)

    def _app(self, kind: AppKind, root: str) -> AppConfiguration:
        return AppConfiguration(
            app_id=AppId("app"),
            organization_id=OrganizationId("org"),
            kind=kind,
            protocol="fs",
            fields={"root": f"{self.here}/{root}".rstrip("/")},
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@both
@pytest.mark.parametrize(
    ("root", "folder", "why"),
    [
        ("stores/nightly", "", STORE),
        ("stores/nightly/data", "", STORE),
        ("stores/nightly/not/there", "", STORE),
        ("link/nightly", "", STORE),
        ("target/../stores/nightly", "", STORE),
        ("stores", "nightly/data", STORE),
        ("", "link/nightly", STORE),
        ("programs", "", HOOKS),
        ("hooks/deeper", "", HOOKS),
    ],
)
def test_a_destination_in_a_guarded_place_is_refused_by_every_name(
    place: Place, root: str, folder: str, why: str, *, dry_run: bool
) -> None:
    before = sorted(place.here.rglob("*"))

    with pytest.raises(RootForbidden, match=why):
        place.open(root, folder, dry_run=dry_run)

    assert sorted(place.here.rglob("*")) == before


@both
@pytest.mark.parametrize(
    ("root", "path", "why"),
    [
        ("", "stores/nightly/config", STORE),
        ("", "stores/nightly", STORE),
        ("stores", "nightly/data/pack", STORE),
        ("link", "nightly/config", STORE),
        ("", "programs/script", HOOKS),
        ("", "hooks", HOOKS),
        ("", "way", STORE),
        ("", "link", STORE),
    ],
)
def test_of_a_destination_around_a_guarded_place_nothing_in_it_is_written(
    place: Place, root: str, path: str, why: str, *, dry_run: bool
) -> None:
    file, before = a_file(path, b"x"), sorted(place.here.rglob("*"))

    with place.open(root, dry_run=dry_run) as destination, pytest.raises(NotWritten, match=why):
        destination.existing(file) if dry_run else destination.write(file, iter((b"x",)))

    assert sorted(place.here.rglob("*")) == before
