"""Directories as sources, stores and destinations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chassis.paths import normalized
from contracts.connector import Integration as Manifest
from contracts.connector import TestReport

from connector.engine.places import SourceTree, StoreLocation
from connector.engine.port import OnLog
from connector.integrations.checklist import Checklist, run_test
from connector.integrations.configuration import AppConfiguration
from connector.integrations.fs.manifest import MANIFEST
from connector.integrations.fs.roots import own_places_in, require_directory, resolve_root
from connector.integrations.fs.testing import list_entries, reach, write_probe
from connector.integrations.store_checks import check_repository
from connector.integrations.surroundings import Surroundings
from connector.repository import LocalFiles, RepositoryFiles


class FsIntegration:
    """See `Integration`."""

    manifest: Manifest = MANIFEST

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    async def test(self, configuration: AppConfiguration) -> TestReport:
        """See `Integration.test`."""
        return await run_test(
            lambda checklist: self._steps(checklist, configuration), is_store=configuration.kind == "store"
        )

    @asynccontextmanager
    async def open_source(
        self,
        configuration: AppConfiguration,
        *,
        on_log: OnLog,  # noqa: ARG002
        cancel: asyncio.Event,  # noqa: ARG002
    ) -> AsyncIterator[SourceTree]:
        """See `Integration.open_source`: the directory itself."""
        yield await asyncio.to_thread(self._tree, configuration)

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        """See `Integration.store_location`."""
        root = self._root(configuration)
        return StoreLocation(address=str(root), passphrase=configuration.text("passphrase"), local_path=root)

    def repository_files(self, configuration: AppConfiguration) -> RepositoryFiles:
        """See `Integration.repository_files`."""
        return LocalFiles(self._root(configuration))

    def _root(self, configuration: AppConfiguration) -> Path:
        return resolve_root(configuration.text("root"), self._surroundings)

    def _tree(self, configuration: AppConfiguration) -> SourceTree:
        root = self._root(configuration)
        require_directory(root, shown=configuration.text("root"))
        return SourceTree(
            directory=root,
            origin=normalized(configuration.text("root")),
            excludes=own_places_in(root, self._surroundings),
        )

    async def _steps(self, checklist: Checklist, configuration: AppConfiguration) -> None:
        written = configuration.kind != "source"

        def find() -> str:
            return reach(self._root(configuration), may_be_made=written, had=configuration.repository_id)

        await checklist.step("reachable", asyncio.to_thread(find))
        root = await asyncio.to_thread(self._root, configuration)
        await checklist.step("listable", asyncio.to_thread(list_entries, root))
        if written:
            await checklist.step("writable", asyncio.to_thread(write_probe, root))
        if configuration.kind == "store":
            await check_repository(checklist, LocalFiles(root), configuration)
