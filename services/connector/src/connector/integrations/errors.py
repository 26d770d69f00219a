"""How an integration can fail. No text here ever holds a secret."""

from chassis.errors import Forbidden, Invalid, NotFound, PermanentError

from connector.engine.errors import Cancelled, SourceMissing

__all__ = [
    "Cancelled",
    "ConfigurationUnusable",
    "IntegrationError",
    "ProtocolUnknown",
    "RootForbidden",
    "RootUnresolvable",
    "ScratchFull",
    "SourceMissing",
    "SourceRefused",
    "SourceUnreachable",
]


class IntegrationError(PermanentError):
    """A system outside could not be used."""


class ProtocolUnknown(IntegrationError, NotFound):
    """No integration of this worker has the protocol."""

    def __init__(self, protocol: str) -> None:
        super().__init__("protocol_unknown", f"This worker knows no protocol {protocol!r}.")


class ConfigurationUnusable(IntegrationError, Invalid):
    """The configuration cannot be right; the field at fault is named."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__("configuration_invalid", detail, fields={field: detail})


class RootForbidden(IntegrationError, Forbidden):
    """The root is outside what workers may touch, part of Cairn's own state, or in what the kernel makes up."""

    def __init__(self, root: str, why: str) -> None:
        super().__init__("root_forbidden", f"{root} may not be used: {why}.", fields={"fields.root": why})


class RootUnresolvable(IntegrationError):
    """The links in a root lead to a place that the worker may not look at."""

    def __init__(self, root: str, why: str) -> None:
        super().__init__("root_unresolvable", f"{root} cannot be followed to where it leads: {why}.")


class SourceRefused(IntegrationError):
    """The source does not accept the credentials or denies access."""

    def __init__(self, detail: str) -> None:
        super().__init__("source_refused", detail)


class SourceUnreachable(IntegrationError):
    """The source does not answer. Trying later may help."""

    kind = "unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__("source_unreachable", detail)


class ScratchFull(IntegrationError):
    """The worker has no room for its copy of a source."""

    def __init__(self, why: str) -> None:
        super().__init__("scratch_full", f"The worker cannot keep its copy of the source: {why.lower()}.")
