"""What every integration does with an app of its protocols."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from contracts.messages.connector import Integration as Manifest
from contracts.messages.connector import TestReport
from restic_reader import RepositoryFiles

from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation


class Integration(Protocol):
    """A plug-in. All calls take an app of one of the manifest's protocols and may run at the same time."""

    @property
    def manifest(self) -> Manifest:
        """What the integration offers; always the same."""
        ...

    async def test(self, configuration: AppConfiguration) -> TestReport:
        """Connect for real and report each step, within 20 seconds. Never raises: what fails is in the report."""
        ...

    def open_source(
        self, configuration: AppConfiguration, *, on_log: OnLog, cancel: asyncio.Event
    ) -> AbstractAsyncContextManager[SourceTree]:
        """The files of a source, as a directory that is there until the context is left.

        Raises `SourceUnreachable`, `SourceRefused`, `SourceMissing`, `RootForbidden` or `Cancelled`.
        """
        ...

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        """Where the engine finds a store's repository. Raises `RootForbidden`, `ConfigurationUnusable`."""
        ...

    def repository_files(self, configuration: AppConfiguration) -> RepositoryFiles:
        """A store's repository for reading in process. Raises like `store_location`; reaches nothing yet."""
        ...
