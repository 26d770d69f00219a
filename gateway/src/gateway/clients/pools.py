"""Which pool of workers does something about connectors."""

from contracts.errors import Conflict
from contracts.queries.assignment import ReachableApp
from contracts.topics import DEFAULT_POOL


def pool_of(*apps: ReachableApp) -> str:
    """The pool whose workers reach all of these. Raises `Conflict` (`no_common_pool`) where none does.

    Of what no pool says that it reaches it the workers of the default pool say in words why that is.
    """
    reached = [app.pools for app in apps if app.pools]
    # In the order of the first app, which has the default pool first: with one pool all goes where it always went.
    for pool in reached[0] if reached else (DEFAULT_POOL,):
        if all(pool in pools for pools in reached):
            return pool
    where = "; ".join(f"{app.kind} {app.name!r}: {', '.join(app.pools)}" for app in apps)
    raise Conflict("no_common_pool", f"No pool of workers reaches all that the task works on ({where}).")
