"""What workers offer: noted as they announce it, and read as an organization has it."""

import asyncio
import logging

from chassis.telemetry.tracing import span
from contracts.envelope import Envelope
from contracts.errors import TemporaryError
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import Integration, IntegrationOffered, PoolOffered
from contracts.queries.installations import KnownIntegration
from contracts.values import IntegrationId, OrganizationId

from assignment.apps.domain import choice, offers
from assignment.apps.domain.choice import Choice
from assignment.apps.domain.offers import Offering
from assignment.apps.domain.pools import Pool, offers_of
from assignment.apps.store import AssignmentStore, Offer

log = logging.getLogger(__name__)


async def note_integration(store: AssignmentStore, event: Envelope[IntegrationOffered]) -> None:
    """Keep an integration that workers offer, unless a newer version is known."""
    offered = event.data.integration
    with span("assignment.note_integration"):
        offers.check_offer(offered)
        aggregate, current = await store.load_offer(offered.id, cause=event)
        newer = offers.supersedes(offered, current)
        kept = offered if newer or current is None else current
        await store.offers.save(aggregate, Offer.of(kept, announced_at=store.clock()), cause=event)
        if newer:
            log.info("integration known", extra={"integration": offered.name, "version": offered.version})


async def note_pool(store: AssignmentStore, event: Envelope[PoolOffered]) -> None:
    """Keep what the workers of a pool can reach, and when they said so; the latest announcement counts."""
    with span("assignment.note_pool"):
        aggregate = await store.pools.load(EVERYBODY, event.data.pool, cause=event)
        known = aggregate.value
        # The time of this machine, not of the event: clocks of workers may differ, and an event that waited in Kafka
        # is no silence of the pool.
        now = store.clock()
        offered = offers_of(known, event.data.integrations, now, silence=store.pool_silence)
        pool = Pool(name=event.data.pool, reach=event.data.reach, announced_at=now, offers=offered)
        await store.pools.save(aggregate, pool, cause=event)
        if known is None or known.reach != pool.reach:
            log.info("pool known", extra={"pool": pool.name})


async def list_integrations(store: AssignmentStore) -> list[Integration]:
    """All integrations on offer, by name."""
    with span("assignment.list_integrations"):
        return await store.integrations()


async def list_known_integrations(store: AssignmentStore, org: OrganizationId) -> list[KnownIntegration]:
    """All integrations that workers offer or offered, by name, as an organization has them."""
    offering, pools = await asyncio.gather(store.offering(org), store.present_pools())
    return [
        KnownIntegration(
            integration=integration,
            # Until it is decided it stays installed: connectors that use it may keep it so.
            installed=offering.absent.get(integration.id) != "uninstalled",
            offered=integration.id not in offering.gone,
            versions=offers.offered_versions(integration, pools),
        )
        for integration in offering.integrations
    ]


async def known_integrations(store: AssignmentStore) -> list[Integration]:
    """All integrations. Raises `TemporaryError` while there are none: nothing fits, but only until a worker starts."""
    return list((await known_offering(store, None)).integrations)


async def known_offering(store: AssignmentStore, org: OrganizationId | None) -> Offering:
    """All integrations as an organization has them. Raises `TemporaryError` as `known_integrations` does."""
    found = await store.offering(org) if org else Offering(await store.integrations())
    if not found.integrations:
        raise TemporaryError("integrations_unknown", "No worker has announced an integration yet.")
    return found


async def choose(
    store: AssignmentStore,
    org: OrganizationId,
    resource: Resource | None,
    *,
    kind: AppKind,
    integration_id: IntegrationId | None,
    protocol: str | None,
    in_use: IntegrationId | None = None,
    is_kept: bool = False,
) -> Choice:
    """The integration and protocol an app would get; what it has already (`in_use`) it may keep, and does if `is_kept`.

    Raises `Invalid`, and `TemporaryError` when none is known yet.
    """
    with span("assignment.choose"):
        offering = await known_offering(store, org)
        return choice.choose(
            offering.integrations,
            resource,
            kind=kind,
            integration_id=integration_id,
            protocol=protocol,
            uninstalled=offering.uninstalled,
            gone=offering.gone_for(in_use),
            is_kept=is_kept,
        )
