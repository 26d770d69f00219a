"""Our own services: the one table of what `cairn up` starts after Kafka and MongoDB."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cairn_local.process_plan import Check, ProcessSpec

GATEWAY = "gateway"
GATEWAY_PORT = 8080


@dataclass(frozen=True)
class Service:
    """A service, run as `python -m <module> serve`.

    The others find it in the variable `url_variable`; of the generated keys it gets the files of `keys` only.
    A `proxied` one gets the caller's proxies: it reaches out of the machine. It listens at `usual_port`, where
    it has one and that is free.
    """

    name: str
    module: str
    url_variable: str
    keys: tuple[str, ...] = ("service",)
    proxied: bool = False
    usual_port: int | None = None


SERVICES: Sequence[Service] = (
    Service(GATEWAY, "gateway", "CAIRN_URL_GATEWAY", keys=("service", "master", "badge"), usual_port=GATEWAY_PORT),
    Service("catalog", "catalog", "CAIRN_URL_CATALOG"),
    Service("assignment", "assignment", "CAIRN_URL_ASSIGNMENT"),
    Service("connector", "connector", "CAIRN_URL_CONNECTOR", keys=("service", "master"), proxied=True),
    Service("scheduler", "scheduler", "CAIRN_URL_SCHEDULER"),
    Service("restore-index", "restore_index", "CAIRN_URL_RESTORE_INDEX"),
)


def service_spec(service: Service, *, address: str, env: dict[str, str], after: tuple[str, ...]) -> ProcessSpec:
    """The process of a service that answers HTTP at `address` (host:port)."""
    return ProcessSpec(
        name=service.name,
        # -P: no module is taken from the folder that happens to be the current one.
        argv=(sys.executable, "-P", "-m", service.module, "serve"),
        env=env,
        check=Check("http", address),
        address=f"http://{address}",
        after=after,
        # Java takes as long to start as our modules take to be loaded; publishers wait for Kafka.
        beside=("kafka",),
    )
