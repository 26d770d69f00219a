"""What must hold before something is done with a connector, and what a client says about one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.errors import Conflict, Invalid, NotFound
from contracts.hooks import Hooks
from contracts.messages.assignment import App, AppKind, Temperature
from contracts.messages.catalog import Resource
from contracts.queries.assignment import ReachableApp
from contracts.queries.restore_index import IndexedRestorePoint
from contracts.queries.scheduler import Job

PASSPHRASE = "passphrase"  # noqa: S105 - the name of a field


@dataclass(frozen=True)
class BundleName:
    """A bundle that a value came from."""

    id: str
    name: str


@dataclass(frozen=True)
class GivenField:
    """A configuration field as a client gives it and reads it back."""

    value: str
    provider_id: str | None = None
    masked: bool = False
    """The value is kept, and not shown. Given by a client: it stays as it is."""
    bundle: BundleName | None = None
    """Read only: where the value came from."""

    def is_same(self, other: "GivenField") -> bool:
        """Whether both are the same value, wherever they came from."""
        return (self.value, self.provider_id, self.masked) == (other.value, other.provider_id, other.masked)


@dataclass(frozen=True)
class ConnectorRequest:
    """What a client says about a connector."""

    kind: AppKind
    name: str
    urn_id: str
    integration_id: str | None = None
    protocol: str | None = None
    fields: Mapping[str, GivenField] = field(default_factory=dict)
    endpoints: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    environment: str = ""
    temperature: Temperature | None = None
    hooks: Hooks | None = None


def check_providers(fields: Mapping[str, GivenField], *, known: Collection[str] = (), within: str = "fields") -> None:
    """Raise `Invalid` naming each field that refers to a secret provider which is not there. None can be set up yet.

    `within`: what a client calls the fields.
    """
    faults = {
        f"{within}.{name}.provider.id": f"there is no secret provider {given.provider_id}"
        for name, given in fields.items()
        if given.provider_id and given.provider_id not in known
    }
    if faults:
        words = "; ".join(f"{place}: {fault}" for place, fault in faults.items())
        raise Invalid(
            "provider_not_found", f"Fields refer to secret providers that are not there: {words}.", fields=faults
        )


def check_complete(app: App) -> None:
    """Raise `Conflict` with what a connector lacks of its configuration, before anything is done with it."""
    # A worker would refuse it as well (0028); here the answer to the request says so.
    if app.lacking:
        faults = {lack.field: lack.detail for lack in app.lacking}
        raise Conflict("connector_incomplete", f"{app.lacking_in_words}.", fields=faults)


def check_offered(app: ReachableApp) -> None:
    """Raise `Conflict` where no worker offers the integration of a connector."""
    if not app.is_offered:
        raise Conflict("integration_gone", not_offered(app))


def not_offered(app: App) -> str:
    """Why nothing can be done with a connector whose integration is gone."""
    return f"No worker offers the integration {app.integration.name} of {app.name} any more."


def check_store(app: App) -> None:
    """Raise `Conflict` when the app is no store."""
    if app.kind != "store":
        raise Conflict("not_a_store", f"{app.name} is a {app.kind}, not a store.")


def check_not_held(store: App, points: Iterable[IndexedRestorePoint]) -> None:
    """Raise `Conflict` when restore points of a store are under legal hold."""
    held = sum(point.legal_hold is not None for point in points)
    if held:
        raise Conflict(
            "store_has_holds", f"Store {store.name} has restore points under legal hold: {held}. Lift the holds first."
        )


def check_not_in_use(app: App, jobs: Sequence[Job]) -> None:
    """Raise `Conflict` naming jobs that run or wait and use a connector."""
    if jobs:
        shown = ", ".join(f"{job.task.type} {job.id} ({job.status})" for job in jobs[:3])
        more = f" and {len(jobs) - 3} more" if len(jobs) > 3 else ""
        raise Conflict(
            "connector_in_use",
            f"The {app.kind} {app.name} is used by jobs: {shown}{more}. Wait for them or cancel them; removed with "
            "force=true, they are canceled.",
        )


def check_initializable(app: App, fields: Mapping[str, GivenField]) -> None:
    """Raise `Conflict` when the app is no store or incomplete, `Invalid` without a passphrase to encrypt with."""
    check_store(app)
    check_complete(app)
    passphrase = fields.get(PASSPHRASE)
    if passphrase is None or not (passphrase.masked or passphrase.provider_id or passphrase.value.strip()):
        raise Invalid(
            "passphrase_missing",
            f"Store {app.name} has no passphrase, and what is backed up is never stored unencrypted.",
            fields={"fields.passphrase": "a store needs one to be initialized"},
        )


def resource_gone(app: App) -> NotFound:
    """Why nothing can be done with a connector whose resource the catalog has no more."""
    return NotFound("resource_not_found", f"The resource {app.resource.name} of {app.name} is gone.")


def check_unlocked(resources: Iterable[Resource]) -> None:
    """Raise `Conflict` naming a resource whose tasks an operator has blocked."""
    for resource in resources:
        if resource.locked:
            raise Conflict(
                "resource_locked", f"Resource {resource.name} is locked; tasks of its connectors are blocked."
            )


def check_unused(apps: Iterable[App], *, code: str, what: str) -> None:
    """Raise `Conflict` naming the apps that still use what is to be removed."""
    names = sorted({f"{a.name} ({a.kind})" for a in apps})
    if names:
        # Some of them: an inventory may have thousands, and this is a sentence for a person.
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise Conflict(code, f"{what} is still used by connectors: {shown}. Remove them first.")
