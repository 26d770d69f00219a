"""Which pools of workers can reach what an app is made of."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.messages.assignment import App
from contracts.messages.connector.offers import IntegrationVersion, Reach
from contracts.topics import DEFAULT_POOL
from contracts.values import IntegrationId, Moment, Value


class PoolOffer(Value):
    """An integration that a worker of a pool can run, and when one said so last."""

    integration_id: IntegrationId
    version: str
    announced_at: Moment


class Pool(Value):
    """A pool of workers, as one of them announced it last."""

    name: str
    reach: tuple[Reach, ...]
    announced_at: Moment | None = None
    """When the last announcement was handled; None for pools that were kept before this was noted."""
    offers: tuple[PoolOffer, ...] = ()

    def is_silent(self, now: datetime, *, silence: timedelta) -> bool:
        """Whether nothing was heard of the pool for so long that it was given up, or has another name by now."""
        # Workers of the version that noted no time announce only as they start: their silence means nothing.
        return self.announced_at is not None and now - self.announced_at > silence


def offers_of(
    known: Pool | None, announced: Iterable[IntegrationVersion], now: datetime, *, silence: timedelta
) -> tuple[PoolOffer, ...]:
    """What the workers of a pool offer after one of them has said what it can run.

    Of the others it is not known that they are gone: an older worker may run beside a newer one for a while.
    """
    before = {(offer.integration_id, offer.version): offer for offer in (known.offers if known else ())}
    said = {(i.id, i.version): PoolOffer(integration_id=i.id, version=i.version, announced_at=now) for i in announced}
    return tuple(offer for offer in (before | said).values() if now - offer.announced_at <= silence)


def pools_for(app: App, pools: Iterable[Pool]) -> tuple[str, ...]:
    """The pools that run an app's integration and reach it, the default one first, the others by name."""
    names = [pool.name for pool in pools if _runs(pool, app.integration.id) and _reaches(pool, app)]
    return tuple(sorted(names, key=lambda name: (name != DEFAULT_POOL, name)))


def _runs(pool: Pool, integration_id: IntegrationId) -> bool:
    # A pool whose workers are of before they said what they run: they may run it.
    return not pool.offers or any(offer.integration_id == integration_id for offer in pool.offers)


def _reaches(pool: Pool, app: App) -> bool:
    values = {name: field.value for name, field in app.fields.items()}
    return all(limit.admits(app.protocol, values.get(limit.field)) for limit in pool.reach)
