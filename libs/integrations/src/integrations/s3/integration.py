"""Buckets as sources, stores and destinations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import quote

from contracts.errors import CairnError
from contracts.messages.connector.connection_tests import TestReport
from contracts.messages.connector.offers import Integration as Manifest
from obstore.store import S3Store
from restic_reader import ObjectFiles, RepositoryFiles

from integrations.object_storage.object_source import ObjectSource, read_objects
from integrations.rclone.remote import Remote, engine_location
from integrations.s3 import connection_steps
from integrations.s3.address import S3Address, client_options, read_address, tls_context, within
from integrations.s3.bucket import open_objects
from integrations.s3.error_mapping import as_destination_error, as_source_error
from integrations.s3.guarded_keys import guarded_keys
from integrations.s3.manifest import MANIFEST
from integrations.s3.object_lock import read_object_lock
from integrations.s3.requests import PAUSE_SECONDS, open_requests
from integrations.s3.restored_objects import RestoredObjects
from integrations.s3.uploads import Uploads
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.connection_test import Checklist, OnCheck, heard_by_nobody, run_test
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import SourceRefused, SourceUnreachable
from integrations.sdk.job_log import OnLog
from integrations.sdk.locations import SourceTree, StoreLocation
from integrations.sdk.ports.destination import OpenDestination, RestoreRequest
from integrations.sdk.ports.retaining_store import Retention
from integrations.sdk.store_checks import check_repository


class S3Integration:
    """Buckets: see `integrations.sdk.ports`."""

    manifest: Manifest = MANIFEST

    def __init__(self, environment: WorkerEnvironment, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """`pause_seconds`: before the second try of a request; it doubles with each further one."""
        self._environment = environment
        self._pause_seconds = pause_seconds

    async def test(self, configuration: AppConfiguration, *, on_check: OnCheck = heard_by_nobody) -> TestReport:
        """See `ConnectionTest.test`."""
        return await run_test(
            lambda checklist: _steps(checklist, configuration),
            is_store=configuration.kind == "store",
            on_check=on_check,
        )

    @asynccontextmanager
    async def open_source(
        self, configuration: AppConfiguration, *, on_log: OnLog, cancel: asyncio.Event
    ) -> AsyncIterator[SourceTree]:
        """See `FileSource.open_source`: a mount of the bucket, or a copy kept for the next run."""
        address = read_address(configuration)
        await _reach_source(address)
        async with open_objects(address, pause_seconds=self._pause_seconds) as store:
            source = ObjectSource(
                store=store,
                remote=lambda: to_remote(address, escaped_listings=store.escapes_keys),
                origin=f"s3://{address.path}",
            )
            reading = read_objects(source, configuration, self._environment, on_log=on_log, cancel=cancel)
            try:
                async with reading as tree:
                    yield tree
            except (SourceRefused, SourceUnreachable):
                if address.scheme == "http" and await connection_steps.speaks_tls(address):
                    raise connection_steps.tls_misconfigured(speaks_tls=True) from None
                raise

    @asynccontextmanager
    async def open_destination(
        self,
        configuration: AppConfiguration,
        restore: RestoreRequest,
        *,
        on_log: OnLog,  # noqa: ARG002
        cancel: asyncio.Event,
    ) -> AsyncIterator[OpenDestination]:
        """See `Destination.open_destination`: objects below the prefix; links and devices have no place there."""
        address = within(read_address(configuration), restore.folder)
        off_limits = guarded_keys(address.path, to_location(address, passphrase="").address, restore.guarded)
        await _reach_destination(address)
        async with open_requests(address, pause_seconds=self._pause_seconds) as requests:
            uploads = Uploads(address, requests)
            await uploads.require_bucket()
            loop = asyncio.get_running_loop()
            yield RestoredObjects(
                uploads,
                names_of=restore.names_of,
                off_limits=off_limits,
                keeps_times=restore.keep.times,
                loop=loop,
                cancel=cancel,
            )

    def store_location(self, configuration: AppConfiguration) -> StoreLocation:
        """See `Store.store_location`."""
        address, passphrase = read_address(configuration), configuration.text("passphrase")
        remote = to_remote(address, escaped_listings=False)  # The names of a repository's files need no escapes.
        other = engine_location(self._environment.rclone, remote, passphrase=passphrase)
        return replace(to_location(address, passphrase=passphrase), alternative=other)

    async def retention(self, configuration: AppConfiguration) -> Retention | None:
        """See `RetainingStore.retention`: of a bucket with Object Lock."""
        return await read_object_lock(read_address(configuration), pause_seconds=self._pause_seconds)

    def repository_files(self, configuration: AppConfiguration) -> RepositoryFiles:
        """See `Store.repository_files`."""
        return _files(read_address(configuration), patient=True)


def to_location(address: S3Address, *, passphrase: str) -> StoreLocation:
    """The bucket as a store of the engine."""
    options = {
        "s3.bucket-lookup": "dns" if address.virtual_host else "path",
        "s3.region": address.region,
        "s3.storage-class": address.storage_class,
    }
    return StoreLocation(
        address=f"s3:{address.url}/{quote(address.path)}",
        passphrase=passphrase,
        credentials={"AWS_ACCESS_KEY_ID": address.access_key, "AWS_SECRET_ACCESS_KEY": address.secret_key},
        options={name: value for name, value in options.items() if value},
        insecure_tls=address.insecure,
    )


def to_remote(address: S3Address, *, escaped_listings: bool) -> Remote:
    """The bucket as a remote of rclone; `escaped_listings`: the server escapes keys in listings when asked to."""
    settings = {
        "type": "s3",
        "provider": "Other",
        "access_key_id": address.access_key,
        "secret_access_key": address.secret_key,
        "endpoint": address.url,
        "region": address.region,
        "force_path_style": str(not address.virtual_host).lower(),
        "no_check_bucket": "true",
        "list_url_encode": str(escaped_listings).lower(),
        "encoding": "Raw",  # A key means the same to the server, to rclone and to us.
    }
    return Remote(
        settings=settings,
        path=f"{address.path}/",  # Without it, an object beside the folder of that name would be taken for the source.
        origin=f"s3://{address.path}",
        secrets=(address.access_key, address.secret_key),
        insecure_tls=address.insecure,
    )


async def _reach_source(address: S3Address) -> None:
    """Raises what keeps the server from being reached, as the error of a source."""
    try:
        await connection_steps.reach(address)
    except CairnError as error:
        raise as_source_error(error) from None


async def _reach_destination(address: S3Address) -> None:
    try:
        await connection_steps.reach(address)
    except CairnError as error:
        raise as_destination_error(error) from None


async def _steps(checklist: Checklist, configuration: AppConfiguration) -> None:
    await checklist.step("reachable", _reach(configuration))
    address = read_address(configuration)
    await checklist.step("authenticated", connection_steps.authenticate(address))
    await checklist.step("listable", connection_steps.list_objects(address))
    if configuration.kind != "source":
        await checklist.step("writable", connection_steps.write_probe(address))
    if configuration.kind == "store":
        await check_repository(checklist, _files(address, patient=False), configuration)


async def _reach(configuration: AppConfiguration) -> str:
    return await connection_steps.reach(read_address(configuration))


def _files(address: S3Address, *, patient: bool) -> ObjectFiles:
    store = S3Store(address.bucket, **client_options(address, patient=patient))
    return ObjectFiles(store, address.prefix, tls=tls_context(address) if address.insecure else None)
