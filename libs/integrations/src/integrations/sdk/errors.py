"""How the use of an external system can fail. No text here ever holds a secret."""

from contracts.errors import Conflict, Forbidden, Invalid, NotFound, PermanentError

TLS_FIELD = {"fields.use_tls": "does not go with the endpoint"}


def tls_advice(*, speaks_tls: bool) -> str:
    """What to change where an endpoint speaks TLS and is not asked to, or the other way round."""
    if speaks_tls:
        return "The endpoint speaks HTTPS, not plain HTTP: set the field `use_tls` to true."
    return "The endpoint speaks plain HTTP, not HTTPS: set the field `use_tls` to false."


class WorkFailed(PermanentError):
    """Work for a source or a store could not be done; what an engine or an integration raises is one of these."""


class Cancelled(WorkFailed):
    """The work was stopped on request."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The work was stopped on request.")


class PassphraseMissing(WorkFailed, Invalid):
    """The store has no passphrase."""

    def __init__(self) -> None:
        super().__init__("passphrase_missing", "The store has no passphrase.", fields={"fields.passphrase": "missing"})


class PassphraseWrong(WorkFailed, Invalid):
    """The passphrase opens no key of the repository."""

    def __init__(self) -> None:
        super().__init__(
            "passphrase_wrong",
            "The passphrase does not open the repository of this store.",
            fields={"fields.passphrase": "does not open the repository"},
        )


class RepositoryGone(WorkFailed, Conflict):
    """The repository that a store had is not at its place."""

    def __init__(self, store: str, noted: str, *, has_data: bool = False) -> None:
        self.has_data = has_data
        found = "its file `config` is gone, other files of it are there" if has_data else "which is not there"
        detail = (
            f"The store{named(store)} had the repository {noted[:8]}, {found}. Bring it back (is its disk mounted,"
            " is its bucket there?). To begin anew without it, create the storage with `force`: the restore points that"
            " are known of it are then forgotten."
        )
        super().__init__("repository_missing", detail)


class RepositoryChanged(WorkFailed, Conflict):
    """Another repository than before is at the place of a store."""

    def __init__(self, store: str, noted: str, *, found: str) -> None:
        detail = (
            f"The store{named(store)} holds another repository than before: {found[:8]} in place of {noted[:8]}."
            " Bring that one back, or take this one over by creating the storage with `force`: what is known of the"
            " other is then forgotten."
        )
        super().__init__("repository_changed", detail)


class StoreHalfMade(WorkFailed, Conflict):
    """There are keys at the place, but no configuration: no key opens anything there."""

    def __init__(self, address: str) -> None:
        detail = (
            "The store has files of a repository but no file `config`: an initialization was cut off, or the file"
            " was lost. Put the file back, or, if nothing in `snapshots` and `data` is worth keeping, remove `keys`"
            f" and these in {address}."
        )
        super().__init__("store_half_initialized", detail)


def named(store: str) -> str:
    """The name of a store as it goes on in a sentence; nothing where it is not known."""
    return f" {store!r}" if store else ""


class SourceMissing(WorkFailed, NotFound):
    """What should be backed up is not there."""

    def __init__(self, detail: str) -> None:
        super().__init__("source_missing", detail)


class SourceReplaced(WorkFailed):
    """The directory of a source is not what it was when the work began."""

    def __init__(self, source: str) -> None:
        detail = (
            f"Another directory took the place of {source} while it was read (was it moved, mounted over, or replaced"
            " by a link?), so that no restore point is kept."
        )
        super().__init__("source_replaced", detail)


class IntegrationError(WorkFailed):
    """An external system could not be used."""


class ProtocolUnknown(IntegrationError, NotFound):
    """No integration of this worker has the protocol."""

    def __init__(self, protocol: str) -> None:
        super().__init__("protocol_unknown", f"This worker knows no protocol {protocol!r}.")


class PortMissing(IntegrationError, NotFound):
    """An integration has the protocol, but not for this kind of app."""

    def __init__(self, protocol: str, kind: str) -> None:
        super().__init__("protocol_unknown", f"This worker cannot use the protocol {protocol!r} for a {kind}.")


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


class DestinationMissing(IntegrationError, NotFound):
    """The place that files should be restored to is not there and cannot be made."""

    def __init__(self, detail: str) -> None:
        super().__init__("destination_missing", detail)


class DestinationRefused(IntegrationError):
    """The destination does not accept the credentials, or may not be written."""

    def __init__(self, detail: str) -> None:
        super().__init__("destination_refused", detail)


class DestinationUnreachable(IntegrationError):
    """The destination does not answer. Trying later may help."""

    kind = "unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__("destination_unreachable", detail)


class DestinationFull(IntegrationError):
    """No space is left at the destination."""

    def __init__(self, why: str) -> None:
        super().__init__("destination_full", f"The destination takes nothing more: {why.lower()}.")
        self.why = why
