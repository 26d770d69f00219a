"""Finds the integration of a protocol. A new integration is one folder and one line here."""

from collections.abc import Callable

from contracts.connector import Integration as Manifest

from connector.integrations.errors import ProtocolUnknown
from connector.integrations.fs.integration import FsIntegration
from connector.integrations.port import Integration
from connector.integrations.s3.integration import S3Integration
from connector.integrations.surroundings import Surroundings

_INTEGRATIONS: tuple[Callable[[Surroundings], Integration], ...] = (FsIntegration, S3Integration)


class Integrations:
    """All integrations that this worker can run."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._all = tuple(make(surroundings) for make in _INTEGRATIONS)
        self._by_protocol = {protocol.name: each for each in self._all for protocol in each.manifest.protocols}

    def manifests(self) -> tuple[Manifest, ...]:
        """What to announce as on offer."""
        return tuple(each.manifest for each in self._all)

    def of(self, protocol: str) -> Integration:
        """The integration that speaks a protocol. Raises `ProtocolUnknown`."""
        try:
            return self._by_protocol[protocol]
        except KeyError:
            raise ProtocolUnknown(protocol) from None
