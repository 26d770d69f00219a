"""What work is done with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chassis.publisher import Publisher
from chassis.sealing import Sealer
from contracts.assignment import App
from contracts.connector import Integration as Manifest
from contracts.values import OrganizationId

from connector.engine.port import Engine
from connector.integrations.configuration import AppConfiguration
from connector.integrations.port import Integration
from connector.repository import Repository
from connector.settings import Settings
from connector.store import Store
from connector.usecases.apps import open_fields
from connector.usecases.blob_tables import blob_table_dir
from connector.usecases.index_client import IndexClient
from connector.usecases.listing import Lister
from connector.usecases.queueing import Bells
from connector.usecases.stores import OpenRepository, OpenStores
from connector.usecases.watching import Watch


class AllIntegrations(Protocol):
    """Knows the integrations of this worker."""

    def manifests(self) -> tuple[Manifest, ...]:
        """What to announce as on offer."""
        ...

    def of(self, protocol: str) -> Integration:
        """The integration that speaks a protocol. Raises `ProtocolUnknown`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Equipment:
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
    bells: Bells
    watch: Watch

    def configuration(self, org: OrganizationId, app: App) -> AppConfiguration:
        """An app with its secrets in clear, to be dropped after use. Raises like `open_fields`."""
        return configuration_of(self.sealer, org, app)


def configuration_of(sealer: Sealer, org: OrganizationId, app: App) -> AppConfiguration:
    """See `Equipment.configuration`."""
    return AppConfiguration(
        app_id=app.id,
        organization_id=org,
        kind=app.kind,
        protocol=app.protocol,
        name=app.name,
        endpoints=app.endpoints,
        fields=open_fields(sealer, org, app),
    )


def repository_opener(
    sealer: Sealer, integrations: AllIntegrations, *, cache_bytes: int, work_dir: Path
) -> OpenRepository:
    """How repositories are opened for reading; what memory is too small for is kept in `work_dir`."""

    def open_repository(org: OrganizationId, app: App) -> Repository:
        configuration, integration = configuration_of(sealer, org, app), integrations.of(app.protocol)
        passphrase = integration.store_location(configuration).passphrase
        files = integration.repository_files(configuration)
        return Repository.open(
            files,
            passphrase,
            cache_bytes=cache_bytes,
            scratch=work_dir / "scratch",
            cache_dir=blob_table_dir(work_dir, org, app.id),
        )

    return open_repository
