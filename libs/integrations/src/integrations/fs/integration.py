"""Directories as sources, stores and destinations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from contracts.messages.connector.connection_tests import TestReport
from contracts.messages.connector.offers import Integration as Manifest
from contracts.messages.connector.offers import Reach
from contracts.paths import normalized
from restic_reader import LocalFiles, RepositoryFiles

from integrations.fs.connection_steps import list_entries, reach, write_probe
from integrations.fs.destination_directory import Opening, open_directory
from integrations.fs.exclusions import guarded, is_still_guarded, is_surely_own, left_out_of
from integrations.fs.manifest import MANIFEST
from integrations.fs.mounts import Mounts
from integrations.fs.roots import hold_directory, require_directory, resolve_root
from integrations.sdk.cancellation import unless_cancelled
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.connection_test import Checklist, OnCheck, heard_by_nobody, run_test
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import SourceReplaced
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation
from integrations.sdk.ports.destination import OpenDestination, RestoreRequest
from integrations.sdk.store_checks import check_repository


class FsIntegration:
    """Directories of this machine: see `integrations.sdk.ports`."""

    manifest: Manifest = MANIFEST

    def __init__(self, environment: WorkerEnvironment) -> None:
        self._environment = environment

    async def test(self, configuration: AppConfiguration, *, on_check: OnCheck = heard_by_nobody) -> TestReport:
        """See `ConnectionTest.test`."""
        return await run_test(
            lambda checklist: self._steps(checklist, configuration),
            is_store=configuration.kind == "store",
            on_check=on_check,
        )

    @asynccontextmanager
    async def open_source(
        self,
        configuration: AppConfiguration,
        *,
        on_log: OnLog,
        cancel: asyncio.Event,  # noqa: ARG002
    ) -> AsyncIterator[SourceTree]:
        """See `FileSource.open_source`: the directory itself. What is left out of it on purpose is logged."""
        with ExitStack() as stack:
            yield await asyncio.to_thread(self._tree, configuration, on_log, stack=stack)

    @asynccontextmanager
    async def open_destination(
        self,
        configuration: AppConfiguration,
        restore: RestoreRequest,
        *,
        on_log: OnLog,
        cancel: asyncio.Event,
    ) -> AsyncIterator[OpenDestination]:
        """See `Destination.open_destination`: the directory, made where only it is missing."""
        opening = Opening(partial(open_directory, configuration, restore, self._environment, on_log=on_log))
        try:
            yield await unless_cancelled(asyncio.to_thread(opening.open), cancel)
        finally:
            opening.close()

    def reach(self) -> tuple[Reach, ...]:
        """See `LimitedReach`: roots outside the allowed ones are for other workers."""
        return (Reach(protocol="fs", field="root", within=tuple(map(str, self._environment.allowed_roots))),)

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        """See `Store.store_location`."""
        root = self._root(configuration)
        return StoreLocation(
            address=str(root),
            passphrase=configuration.text("passphrase"),
            local_path=root,
            named_path=Path(configuration.text("root")),
        )

    def repository_files(self, configuration: AppConfiguration) -> RepositoryFiles:
        """See `Store.repository_files`."""
        return LocalFiles(self._root(configuration))

    def _root(self, configuration: AppConfiguration) -> Path:
        return resolve_root(configuration.text("root"), self._environment)

    def _tree(self, configuration: AppConfiguration, on_log: OnLog, *, stack: ExitStack) -> SourceTree:
        root, named = self._root(configuration), configuration.text("root")
        require_directory(root, shown=named)
        held = stack.enter_context(hold_directory(root, shown=named))
        # Links may have been changed before the directory was held; from here on its inode counts.
        if self._root(configuration) != root:
            raise SourceReplaced(named)
        left_out, own = left_out_of(root, self._environment, Mounts.read()), guarded(self._environment)
        for line in left_out.in_words(root):
            on_log("info", line)
        return SourceTree(
            directory=root,
            held=held,
            origin=normalized(configuration.text("root")),
            excludes=left_out.whole,
            hollow=tuple(point for point, _ in left_out.pseudo),
            guarded=own.identities,
            is_still_guarded=partial(is_still_guarded, environment=self._environment, since=own.looked_at),
            is_surely_own=partial(is_surely_own, environment=self._environment),
            guarded_first=own.is_linked,
            is_surveyed=True,
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
