"""Which pool of workers does something about connectors."""

from contracts.errors import Conflict
from contracts.queries.assignment import ReachableApp, common_pool


def pool_of(*apps: ReachableApp) -> str:
    """The pool whose workers reach all of these; see `common_pool`. Raises `Conflict` (`no_common_pool`)."""
    pool = common_pool(*apps)
    if pool is None:
        where = "; ".join(f"{app.kind} {app.name!r}: {', '.join(app.pools)}" for app in apps)
        raise Conflict("no_common_pool", f"No pool of workers reaches all that the task works on ({where}).")
    return pool
