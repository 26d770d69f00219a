"""Which pools of workers can reach what an app is made of."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.messages.assignment import App
from contracts.messages.connector.offers import Reach
from contracts.topics import DEFAULT_POOL
from contracts.values import Moment, Value


class Pool(Value):
    """A pool of workers, as one of them announced it last."""

    name: str
    reach: tuple[Reach, ...]
    announced_at: Moment | None = None
    """When the last announcement was handled; None for pools that were kept before this was noted."""

    def is_silent(self, now: datetime, *, silence: timedelta) -> bool:
        """Whether nothing was heard of the pool for so long that it was given up, or has another name by now."""
        # Workers of the version that noted no time announce only as they start: their silence means nothing.
        return self.announced_at is not None and now - self.announced_at > silence


def pools_for(app: App, pools: Iterable[Pool]) -> tuple[str, ...]:
    """The pools that can reach an app, the default one first, the others by name."""
    names = [pool.name for pool in pools if _reaches(pool, app)]
    return tuple(sorted(names, key=lambda name: (name != DEFAULT_POOL, name)))


def _reaches(pool: Pool, app: App) -> bool:
    values = {name: field.value for name, field in app.fields.items()}
    return all(limit.admits(app.protocol, values.get(limit.field)) for limit in pool.reach)
