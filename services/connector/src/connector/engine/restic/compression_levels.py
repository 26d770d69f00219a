"""Levels of compression that not every restic knows."""

from collections.abc import Awaitable, Callable

from contracts.messages.connector.stores import Compression
from integrations.sdk.job_log import OnLog

from connector.engine.errors import EngineFailed

_LEVEL_UNKNOWN = "invalid compression mode"


async def at_a_known_level(run: Callable[[Compression], Awaitable[int]], level: Compression, on_log: OnLog) -> int:
    """What comes of a run at the level, or at restic's usual one: restic 0.17 has the levels `auto` and `max` only."""
    try:
        return await run(level)
    except EngineFailed as error:
        if _LEVEL_UNKNOWN not in error.detail:
            raise
        on_log("warning", f"This restic has no compression level {level!r}; it takes its usual one.")
        return await run("auto")
