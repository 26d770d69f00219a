"""The resource that a connector is put to use with, also when the catalog has it no more."""

from contracts.errors import NotFound
from contracts.messages.assignment import App
from contracts.messages.catalog import Resource

from gateway.access.principal import Principal
from gateway.areas.connectors.preconditions import ConnectorRequest
from gateway.clients.catalog import CatalogClient


def keeps(asked: ConnectorRequest, app: App) -> bool:
    """Whether a change names the resource, the integration and the protocol that a connector has."""
    return app.has_already(
        kind=asked.kind, resource_id=asked.urn_id, integration_id=asked.integration_id, protocol=asked.protocol
    )


async def resource_of(
    catalog: CatalogClient, who: Principal, asked: ConnectorRequest, *, replaces: App | None
) -> Resource:
    """The resource that is asked for. Raises `NotFound`.

    One that is gone is as the connector (`replaces`) knew it last, where the change leaves the connector with it.
    """
    try:
        return await catalog.resource(who, asked.urn_id)
    except NotFound:
        if replaces is not None and keeps(asked, replaces):
            return replaces.resource
        raise
