"""The clients of all services, and whether each service is ready."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.http.client import ServiceClient
from chassis.http.tokens import Tokens
from chassis.http.transport import Http
from chassis.runtime.health import Advisory, Check
from contracts.errors import TemporaryError

from gateway.clients.assignment import AssignmentClient
from gateway.clients.bundles import BundleClient
from gateway.clients.catalog import CatalogClient
from gateway.clients.connector import ConnectorClient
from gateway.clients.restore_index import RestoreIndexClient
from gateway.clients.scheduler import SchedulerClient
from gateway.clients.sealing import SealingClient
from gateway.settings import Settings


@dataclass(frozen=True)
class ServiceClients:
    """One client per service."""

    catalog: CatalogClient
    assignment: AssignmentClient
    scheduler: SchedulerClient
    restore_index: RestoreIndexClient
    connector: ConnectorClient
    bundles: BundleClient
    sealing: SealingClient


def build_clients(settings: Settings, http: Http, tokens: Tokens) -> ServiceClients:
    """Clients that find the services where the settings say."""

    def service(url: str) -> ServiceClient:
        return ServiceClient(url, http=http, tokens=tokens)

    assignment = AssignmentClient(service(settings.url_assignment), frozenset(settings.url_connector_pools))
    pools = {pool: service(url) for pool, url in settings.url_connector_pools.items()}
    return ServiceClients(
        CatalogClient(service(settings.url_catalog)),
        assignment,
        SchedulerClient(service(settings.url_scheduler)),
        RestoreIndexClient(service(settings.url_restore_index)),
        ConnectorClient(service(settings.url_connector), pools, assignment),
        BundleClient(service(settings.url_assignment)),
        # The catalog last: nothing hangs on the order between services.
        SealingClient(
            {"assignment": service(settings.url_assignment), "catalog": service(settings.url_catalog)},
            service(settings.url_connector),
        ),
    )


def readiness_checks(settings: Settings, http: Http) -> Mapping[str, Check]:
    """For each service, a check that fails while the service is not ready; those of further pools are advisory."""
    # A branch that is cut off must not take the gateway from those whose stores other workers reach.
    pools = {f"connector {pool}": Advisory(_is_ready(http, url)) for pool, url in settings.url_connector_pools.items()}
    return {
        **pools,
        "catalog": _is_ready(http, settings.url_catalog),
        "assignment": _is_ready(http, settings.url_assignment),
        "scheduler": _is_ready(http, settings.url_scheduler),
        "restore_index": _is_ready(http, settings.url_restore_index),
        "connector": _is_ready(http, settings.url_connector),
    }


def _is_ready(http: Http, url: str) -> Check:
    async def check() -> None:
        async with http.stream("GET", f"{url.rstrip('/')}/health/ready", headers={}) as answer:
            # Read to its end, so that the connection can be used again.
            await answer.aread()
        if answer.status_code >= 400:
            raise TemporaryError("service_not_ready", "A part of Cairn is not ready.")

    return check
