"""Finds integrations: each is an entry point of the group `cairn.integrations`, ours and those of others alike."""

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import cast

from contracts.messages.connector.offers import Integration as Manifest
from contracts.messages.connector.offers import Reach

from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.errors import PortMissing, ProtocolUnknown
from integrations.sdk.ports import ConnectionTest, Destination, FileSource, LimitedReach, Store

GROUP = "cairn.integrations"
Maker = Callable[[WorkerEnvironment], ConnectionTest]
"""What an entry point of the group leads to: makes the integration for one worker."""


def installed() -> list[Maker]:
    """Makers of all integrations that are installed, sorted by the names of their entry points."""
    return [cast("Maker", each.load()) for each in sorted(entry_points(group=GROUP), key=lambda each: each.name)]


class Integrations:
    """All integrations that this worker can run. Raises `ValueError` where two of them claim the same protocol."""

    def __init__(self, environment: WorkerEnvironment, makers: Iterable[Maker] | None = None) -> None:
        self._all = tuple(make(environment) for make in (installed() if makers is None else makers))
        self._by_protocol: dict[str, ConnectionTest] = {}
        for each in self._all:
            for protocol in each.manifest.protocols:
                # A package of others must not take over a protocol in silence: it would get the secrets of its apps.
                if protocol.name in self._by_protocol:
                    raise ValueError(f"two integrations have the protocol {protocol.name!r}")
                self._by_protocol[protocol.name] = each

    def manifests(self) -> tuple[Manifest, ...]:
        """What to announce as on offer."""
        return tuple(each.manifest for each in self._all)

    def reach(self) -> tuple[Reach, ...]:
        """What limits this worker, over all integrations."""
        return tuple(limit for each in self._all if isinstance(each, LimitedReach) for limit in each.reach())

    def connection_test(self, protocol: str) -> ConnectionTest:
        """The integration that speaks a protocol. Raises `ProtocolUnknown`."""
        try:
            return self._by_protocol[protocol]
        except KeyError:
            raise ProtocolUnknown(protocol) from None

    def file_source(self, protocol: str) -> FileSource:
        """Reads sources of a protocol. Raises `ProtocolUnknown` or `PortMissing`."""
        found = self.connection_test(protocol)
        if isinstance(found, FileSource):
            return found
        raise PortMissing(protocol, "source")

    def store(self, protocol: str) -> Store:
        """Finds repositories of a protocol. Raises `ProtocolUnknown` or `PortMissing`."""
        found = self.connection_test(protocol)
        if isinstance(found, Store):
            return found
        raise PortMissing(protocol, "store")

    def destination(self, protocol: str) -> Destination:
        """Writes to destinations of a protocol. Raises `ProtocolUnknown` or `PortMissing`."""
        found = self.connection_test(protocol)
        if isinstance(found, Destination):
            return found
        raise PortMissing(protocol, "destination")
