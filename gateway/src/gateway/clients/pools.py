"""Which pool of workers does something about connectors."""

from contracts.errors import Conflict
from contracts.queries.assignment import ReachableApp
from contracts.topics import DEFAULT_POOL


def pool_of(*apps: ReachableApp) -> str:
    """The pool whose workers reach all of these. Raises `Conflict` (`no_common_pool`) where none does.

    With an app that no pool reaches it is the default pool, whose workers say in words why that is.
    """
    if not all(app.pools for app in apps):
        return DEFAULT_POOL
    # In the order of the first app, which has the default pool first: with one pool all goes where it always went.
    for pool in apps[0].pools:
        if all(pool in app.pools for app in apps):
            return pool
    where = "; ".join(f"{app.kind} {app.name!r}: {', '.join(app.pools)}" for app in apps)
    raise Conflict("no_common_pool", f"No pool of workers reaches all that the task works on ({where}).")
