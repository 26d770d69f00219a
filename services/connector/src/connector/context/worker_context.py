"""The worker context: everything that work needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chassis.messaging.publisher import Publisher
from chassis.security.sealing import Sealer
from contracts.errors import NotFound
from contracts.messages.assignment import App
from contracts.messages.connector.base import ConnectorCommand
from contracts.messages.connector.offers import Integration as Manifest
from contracts.messages.connector.offers import Reach
from contracts.values import OrganizationId
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.errors import PassphraseMissing
from integrations.sdk.ports import ConnectionTest, Destination, FileSource
from integrations.sdk.ports import Store as StorePort
from restic_reader import Access, KeyRing, Repository, RepositoryFiles

from connector.context.apps import await_app, check_complete, open_fields
from connector.engine.port import Engine
from connector.queue.intake import WakeUps
from connector.settings import Settings
from connector.store.ports import Store
from connector.stores.blob_tables import blob_table_dir
from connector.stores.directory_sender import Lister
from connector.stores.index_client import IndexClient
from connector.stores.known_losses import KnownLosses
from connector.stores.open_stores import OpenRepository, OpenStores
from connector.stores.place_looks import PlaceLooks
from connector.stores.watch import Watch

OpenAccess = Callable[[OrganizationId, App], Access]
"""Unlocks the repository of a store without loading its index; called in a thread. Raises what `Access.open` raises."""


OpenFiles = Callable[[OrganizationId, App], RepositoryFiles]
"""The files of a store's repository, to be closed after use; called in a thread. Raises `PassphraseMissing`."""


class AllIntegrations(Protocol):
    """Knows the integrations of this worker."""

    def reach(self) -> tuple[Reach, ...]:
        """What limits this worker, over all integrations."""
        ...

    def manifests(self) -> tuple[Manifest, ...]:
        """What to announce as on offer."""
        ...

    def connection_test(self, protocol: str) -> ConnectionTest:
        """Tests apps of a protocol. Raises `ProtocolUnknown`."""
        ...

    def file_source(self, protocol: str) -> FileSource:
        """Reads sources of a protocol. Raises `ProtocolUnknown` or `PortMissing`."""
        ...

    def store(self, protocol: str) -> StorePort:
        """Finds repositories of a protocol. Raises `ProtocolUnknown` or `PortMissing`."""
        ...

    def destination(self, protocol: str) -> Destination:
        """Writes to destinations of a protocol. Raises `ProtocolUnknown` or `PortMissing`."""
        ...


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """Handed to every use case that does work."""

    settings: Settings
    store: Store
    sealer: Sealer
    engine: Engine
    integrations: AllIntegrations
    publisher: Publisher
    stores: OpenStores
    lister: Lister
    index: IndexClient
    wake_ups: WakeUps
    watch: Watch
    access: OpenAccess
    files: OpenFiles
    losses: KnownLosses = field(default_factory=KnownLosses)
    looks: PlaceLooks = field(default_factory=PlaceLooks)

    def configuration(self, org: OrganizationId, app: App) -> AppConfiguration:
        """An app with its secrets in clear. Raises like `check_complete` and `open_fields`."""
        # Made for each use and never kept, so that secrets stay in memory no longer than they are needed (decision
        # 0006).
        return configuration_of(self.sealer, org, app)

    async def app_of(self, command: ConnectorCommand) -> App:
        """What a command is about. Raises `app_not_found` or `app_unknown`."""
        patience = self.settings.app_patience_seconds
        return await await_app(self.store, command.organization_id, command.app, patience_seconds=patience)

    async def store_of(self, command: ConnectorCommand) -> App:
        """The store that a command is about. Raises `app_not_found` or `app_unknown`."""
        app = await self.app_of(command)
        if app.kind != "store":
            raise NotFound("app_not_found", f"{app.name!r} is no store.")
        return app


def configuration_of(sealer: Sealer, org: OrganizationId, app: App) -> AppConfiguration:
    """See `WorkerContext.configuration`."""
    check_complete(app)
    return with_fields(org, app, open_fields(sealer, org, app))


def with_fields(org: OrganizationId, app: App, fields: Mapping[str, str]) -> AppConfiguration:
    """An app as its integration gets it, with these values of its fields."""
    return AppConfiguration(
        app_id=app.id,
        organization_id=org,
        kind=app.kind,
        protocol=app.protocol,
        name=app.name,
        endpoints=app.endpoints,
        fields=fields,
    )


def access_opener(sealer: Sealer, integrations: AllIntegrations, *, ring: KeyRing) -> OpenAccess:
    """How repositories are unlocked; their keys are kept in `ring`."""

    def open_access(org: OrganizationId, app: App) -> Access:
        return Access.open(*_repository_access(sealer, integrations, org, app=app), ring=ring)

    return open_access


def files_opener(sealer: Sealer, integrations: AllIntegrations) -> OpenFiles:
    """How the files of repositories are reached."""
    return lambda org, app: _repository_access(sealer, integrations, org, app=app)[0]


def _repository_access(
    sealer: Sealer, integrations: AllIntegrations, org: OrganizationId, *, app: App
) -> tuple[RepositoryFiles, str]:
    """The files of a store's repository, and its passphrase. Raises `PassphraseMissing`."""
    configuration, integration = configuration_of(sealer, org, app), integrations.store(app.protocol)
    passphrase = integration.store_location(configuration).passphrase
    # The engine gets the passphrase by its environment, which cannot hold a NUL.
    if not passphrase or "\0" in passphrase:
        raise PassphraseMissing
    return integration.repository_files(configuration), passphrase


def repository_opener(
    sealer: Sealer, integrations: AllIntegrations, *, cache_bytes: int, work_dir: Path, ring: KeyRing
) -> OpenRepository:
    """How repositories are opened for reading; what memory is too small for is kept in `work_dir`."""

    def open_repository(org: OrganizationId, app: App) -> Repository:
        return Repository.open(
            *_repository_access(sealer, integrations, org, app=app),
            ring=ring,
            cache_bytes=cache_bytes,
            scratch=work_dir / "scratch",
            cache_dir=blob_table_dir(work_dir, org, app.id),
        )

    return open_repository
