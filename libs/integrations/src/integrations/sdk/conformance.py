"""What every integration must do, as tests: a subclass gives the fixtures of `IntegrationSuite` and is an integration.

Needs pytest with pytest-asyncio and jsonschema; nothing else of the kit imports this module.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Protocol

import pytest
from contracts.messages.assignment import AppKind
from contracts.messages.connector.connection_tests import Check
from contracts.messages.connector.offers import Integration as Manifest
from restic_reader import Node, seal_of
from restic_reader.errors import RepositoryNotFound

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.connection_test import TEST_SECONDS
from integrations.sdk.form_rules import form_faults
from integrations.sdk.ports import ConnectionTest, Destination, FileSource, Store
from integrations.sdk.ports.destination import NotWritten, OpenDestination, RestoredNode, RestoreRequest

FILES: Mapping[str, bytes] = {
    "file": b"content",
    "empty": b"",
    "deep/er/file": bytes(range(256)) * 100,
    "ümläut and space": b"named",
    "large": b"0123456789abcdef" * (640 << 10),
}
"""What is put into a source; 10 MiB in the largest, more than is sent at once."""
_MTIME = "2024-02-03T04:05:06Z"
_PORTS: Mapping[AppKind, type] = {"source": FileSource, "store": Store, "destination": Destination}


class Place(Protocol):
    """A place of the system that an integration is for, of a test's own."""

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Put files there, without the integration."""
        ...

    def configuration(self, kind: AppKind) -> AppConfiguration:
        """An app of this kind that is this place."""
        ...


class IntegrationSuite:
    """The promises of `integrations.sdk.ports`. A subclass has the fixtures `integration`, `place` and `other_place`,
    which are empty and may be written, and `unreachable`: the configuration of a source that does not answer.
    """

    @pytest.fixture
    def cancel(self) -> asyncio.Event:
        return asyncio.Event()

    def test_manifest_is_valid(self, integration: ConnectionTest) -> None:
        manifest = integration.manifest

        assert Manifest.model_validate_json(manifest.model_dump_json(by_alias=True)) == manifest
        assert manifest.protocols
        for protocol in manifest.protocols:
            for kind in protocol.kinds:
                assert protocol.schemas[kind]["additionalProperties"] is False
                assert isinstance(integration, _PORTS[kind])
                assert list(form_faults(protocol.schemas[kind])) == []

    async def test_a_place_that_is_there_passes_its_test(self, integration: ConnectionTest, place: Place) -> None:
        for kind in _kinds(integration):
            heard: list[Check] = []
            report = await integration.test(place.configuration(kind), on_check=heard.append)

            assert report.ok, report.checks
            assert heard == list(report.checks)

    async def test_a_place_that_is_not_there_fails_its_test_in_time(
        self, integration: ConnectionTest, unreachable: AppConfiguration
    ) -> None:
        began = monotonic()
        report = await integration.test(unreachable)

        assert not report.ok
        assert report.checks[-1].detail
        assert monotonic() - began < TEST_SECONDS + 1

    async def test_a_source_shows_its_files(self, integration: FileSource, place: Place, cancel: asyncio.Event) -> None:
        place.fill(FILES)

        assert await _files_of(integration, place, cancel) == FILES

    async def test_a_destination_writes_back_what_a_source_had(
        self, integration: "_Both", place: Place, other_place: Place, cancel: asyncio.Event
    ) -> None:
        place.fill(FILES)
        async with opened(integration, other_place, cancel) as destination:
            await asyncio.to_thread(write_all, destination, FILES)
            back = {path: await asyncio.to_thread(read_back, destination, path, data) for path, data in FILES.items()}

        assert back == FILES
        assert await _files_of(integration, other_place, cancel) == await _files_of(integration, place, cancel)

    async def test_a_destination_tells_what_is_there_and_replaces_it(
        self, integration: "_Both", place: Place, cancel: asyncio.Event
    ) -> None:
        place.fill({"file": b"before"})
        node = a_file("file", b"afterwards")
        async with opened(integration, place, cancel) as destination:
            before = await asyncio.to_thread(destination.existing, node)
            nothing = await asyncio.to_thread(destination.existing, a_file("missing/file", b""))
            await asyncio.to_thread(write_all, destination, {"file": b"afterwards"})
            after = await asyncio.to_thread(destination.existing, node)

        assert nothing is None
        assert before is not None
        assert before.size_bytes == len(b"before")
        assert after is not None
        assert (after.size_bytes, after.modified_ns) == (len(b"afterwards"), node.node.mtime_ns)
        assert await _files_of(integration, place, cancel) == {"file": b"afterwards"}

    async def test_what_breaks_off_leaves_what_was_there(
        self, integration: "_Both", place: Place, cancel: asyncio.Event
    ) -> None:
        place.fill({"file": b"before"})

        def breaks_off() -> Iterator[bytes]:
            yield FILES["large"]
            raise ConnectionResetError

        async with opened(integration, place, cancel) as destination:
            for path in ("file", "other"):
                with pytest.raises((ConnectionResetError, NotWritten)):
                    await asyncio.to_thread(destination.write, a_file(path, FILES["large"]), breaks_off())

        assert await _files_of(integration, place, cancel) == {"file": b"before"}

    def test_a_store_without_a_repository_is_told(self, integration: Store, place: Place) -> None:
        configuration = place.configuration("store")
        files = integration.repository_files(configuration)

        with pytest.raises(RepositoryNotFound):
            seal_of(files)
        files.close()
        assert integration.store_location(configuration).passphrase == configuration.text("passphrase")


class _Both(FileSource, Destination, Protocol):
    """A system that files come from and go to."""


def a_file(path: str, data: bytes) -> RestoredNode:
    """A file of a restore point."""
    node = Node(quoted_name=path.rpartition("/")[2], type="file", mode=0o640, mtime=_MTIME, size=len(data))
    return RestoredNode(path=path.encode(), node=node)


@asynccontextmanager
async def opened(integration: Destination, place: Place, cancel: asyncio.Event) -> AsyncIterator[OpenDestination]:
    """A place as the destination of a job."""
    configuration, restore = place.configuration("destination"), RestoreRequest(job_id="job")
    async with integration.open_destination(configuration, restore, on_log=_no_log, cancel=cancel) as destination:
        yield destination


def write_all(destination: OpenDestination, files: Mapping[str, bytes]) -> None:
    """Write files and the directories above them. Blocks."""
    for path, data in sorted(files.items()):
        for folder in reversed(Path(path).parents[:-1]):
            node = Node(quoted_name=folder.name, type="dir", mode=0o755 | 1 << 31, mtime=_MTIME)
            destination.make_directory(RestoredNode(path=str(folder).encode(), node=node), keep_attributes=False)
        destination.write(a_file(path, data), iter((data,) if data else ()))
    destination.finish()


def read_back(destination: OpenDestination, path: str, data: bytes) -> bytes:
    """A file as the destination has it. Blocks."""
    return b"".join(destination.read(a_file(path, data)))


async def _files_of(integration: FileSource, place: Place, cancel: asyncio.Event) -> dict[str, bytes]:
    configuration = place.configuration("source")
    async with integration.open_source(configuration, on_log=_no_log, cancel=cancel) as tree:
        assert not list(tree.problems)
        found = (path for path in tree.directory.rglob("*") if path.is_file())
        return {str(path.relative_to(tree.directory)): path.read_bytes() for path in found}


def _kinds(integration: ConnectionTest) -> set[AppKind]:
    return {kind for protocol in integration.manifest.protocols for kind in protocol.kinds}


def _no_log(*_: object) -> None:
    """Keeps no lines."""
