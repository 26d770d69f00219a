"""Kafka and MongoDB alone, for tests and benchmarks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cairn_local import supervisor_control
from cairn_local.infrastructure.servers import Addresses, prepare_servers
from cairn_local.paths import StateDir, find_cache_dir
from cairn_local.provision.cache import Cache
from cairn_local.provision.programs import provision_kafka_tools, provision_mongo_tools
from cairn_local.reporter_choice import open_reporter

__all__ = ["Addresses", "start"]


@contextmanager
def start(state_dir: Path, *, kafka: bool = True, mongodb: bool = True) -> Iterator[Addresses]:
    """Run Kafka and MongoDB with their data in `state_dir` until the block ends; ended too when this process dies.

    Fetches and builds them first where the cache does not hold them. The data stays, for another start.
    """
    state, cache, reporter = StateDir(state_dir.resolve()).create(), Cache(find_cache_dir(os.environ)), open_reporter()
    # A run that was killed may have left servers behind, which hold the locks of their data.
    supervisor_control.stop(state)
    servers = prepare_servers(
        state,
        provision_kafka_tools(cache, reporter) if kafka else None,
        provision_mongo_tools(cache, reporter) if mongodb else None,
        environ={name: value for name, value in os.environ.items() if not name.startswith("CAIRN_")},
    )
    supervisor_control.supervise(state, servers.specs, tied_to_caller=True)
    try:
        supervisor_control.wait_until_healthy(state, servers.specs)
        yield servers.addresses
    finally:
        supervisor_control.stop(state)
