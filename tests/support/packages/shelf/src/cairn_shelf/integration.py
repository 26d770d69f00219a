"""Directories by two protocols: by their path, or as a numbered board of a shelf.

It works with what `fs` works with, and with a class of its own, so that people have to choose, or need not.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import PurePosixPath

from contracts.file_properties import FILE_PROPERTIES
from contracts.messages.assignment import AppKind
from contracts.messages.connector.connection_tests import TestReport
from contracts.messages.connector.offers import Integration, Match, Protocol, Reach
from contracts.values import IntegrationId
from integrations.fs.integration import FsIntegration
from integrations.sdk import field_schema
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.connection_test import OnCheck, heard_by_nobody
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation
from integrations.sdk.ports.destination import OpenDestination, RestoreRequest
from restic_reader import RepositoryFiles

FOLDER, BOARD = "shelf+folder", "shelf+board"
_FOLDER_KINDS: tuple[AppKind, ...] = ("source", "store", "destination")
_BOARD_KINDS: tuple[AppKind, ...] = ("source", "destination")


def _path(title: str, description: str, *known_from: str) -> field_schema.Schema:
    field = field_schema.text(title, description, pattern="^/", examples=["/srv/shelf"], **{"x-path": True})
    return field_schema.proposed_from(field, *known_from)


_FOLDER_FIELDS = field_schema.fields(
    {
        "root": _path("Folder", "The folder, as an absolute path.", "endpoint.identifier", "tag.path"),
        "passphrase": field_schema.passphrase(),
    },
    required=["root"],
)
_BOARD_FIELDS = field_schema.fields(
    {
        "base": _path("Shelf", "The directory that the boards are in.", "tag.shelf"),
        "layout": field_schema.text(
            "Layout", "Whether a board is meant, or the shelf as a whole.", enum=["whole", "numbered"], default="whole"
        ),
        "number": field_schema.only_when(
            field_schema.text(
                "Board", "The number of the board, from the floor.", pattern="^[0-9]{1,3}$", examples=["7"]
            ),
            "layout",
            "numbered",
        ),
        "passphrase": field_schema.passphrase(),
    },
    required=["base"],
    rules=[field_schema.required_when("layout", "numbered", required=["number"])],
)
MANIFEST = Integration(
    id=IntegrationId("5e1f0000-6c1d-5a53-9d0a-3f1f6f3f0001"),
    name="shelf",
    version="1.2.0",
    title="Shelves",
    matches=(
        Match(class_="file-storage", subclass="posix"),
        Match(class_="shelving", subclass="steel"),
    ),
    protocols=(
        Protocol(
            name=FOLDER, title="Folder", kinds=_FOLDER_KINDS, schemas=dict.fromkeys(_FOLDER_KINDS, _FOLDER_FIELDS)
        ),
        Protocol(
            name=BOARD,
            title="Board of a shelf",
            kinds=_BOARD_KINDS,
            schemas=dict.fromkeys(_BOARD_KINDS, _BOARD_FIELDS),
        ),
    ),
    keeps=FILE_PROPERTIES,
    help="A directory on the worker's machine, or a numbered directory in one.",
)


class ShelfIntegration:
    """See `integrations.sdk.ports`. The work is that of `fs`: only where a directory is, is said in another way."""

    manifest: Integration = MANIFEST

    def __init__(self, environment: WorkerEnvironment) -> None:
        self._directories = FsIntegration(environment)
        self._allowed_roots = environment.allowed_roots

    async def test(self, configuration: AppConfiguration, *, on_check: OnCheck = heard_by_nobody) -> TestReport:
        """See `ConnectionTest.test`."""
        return await self._directories.test(_as_directory(configuration), on_check=on_check)

    def open_source(
        self, configuration: AppConfiguration, *, on_log: OnLog, cancel: asyncio.Event
    ) -> AbstractAsyncContextManager[SourceTree]:
        """See `FileSource.open_source`."""
        return self._directories.open_source(_as_directory(configuration), on_log=on_log, cancel=cancel)

    def open_destination(
        self, configuration: AppConfiguration, restore: RestoreRequest, *, on_log: OnLog, cancel: asyncio.Event
    ) -> AbstractAsyncContextManager[OpenDestination]:
        """See `Destination.open_destination`."""
        directory = _as_directory(configuration)
        return self._directories.open_destination(directory, restore, on_log=on_log, cancel=cancel)

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        """See `Store.store_location`."""
        return self._directories.store_location(_as_directory(configuration))

    def repository_files(self, configuration: AppConfiguration) -> RepositoryFiles:
        """See `Store.repository_files`."""
        return self._directories.repository_files(_as_directory(configuration))

    def reach(self) -> tuple[Reach, ...]:
        """See `LimitedReach`: as for `fs`."""
        within = tuple(map(str, self._allowed_roots))
        return (
            Reach(protocol=FOLDER, field="root", within=within),
            Reach(protocol=BOARD, field="base", within=within),
        )


def _as_directory(configuration: AppConfiguration) -> AppConfiguration:
    """The same place as `fs` takes it."""
    if configuration.protocol == FOLDER:
        return configuration
    base, number = configuration.text("base"), configuration.text("number")
    is_numbered = configuration.text("layout", "whole") == "numbered"
    root = str(PurePosixPath(base) / number) if is_numbered else base
    return replace(configuration, fields={**configuration.fields, "root": root})
