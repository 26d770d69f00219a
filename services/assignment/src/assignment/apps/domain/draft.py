"""What is wrong with a description of an app: all faults at once, of whatever kind. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice

from chassis.kept_secrets import with_kept
from chassis.texts import fault_of
from contracts.errors import Conflict, Invalid, PermanentError
from contracts.field_values import FieldValue
from contracts.messages.assignment import App, AppDescription, AppKind
from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration
from contracts.messages.outcomes import FieldProblem
from contracts.resource_rules import address_fault
from contracts.values import IntegrationId

from assignment.apps.domain.choice import Choice, choose
from assignment.apps.domain.configuration import check_configuration
from assignment.bundles.domain.filling import PASSPHRASE, Filling, as_bundle_has_it, fill, is_given

LONGEST_TEXT = 255
MOST_LABELS = 200
MOST_FAULTS = 20


@dataclass(frozen=True)
class Examination:
    """A description looked at as a whole."""

    description: AppDescription
    """With the secrets that should stay as they are, as far as they are there, and what bundles give."""
    choice: Choice | None
    """None where integration and protocol could not be chosen; then the fields could not be checked either."""
    lacking: tuple[FieldProblem, ...]
    faults: tuple[PermanentError, ...]
    """What it is refused for, one for each kind of fault."""
    filling: Filling = field(default_factory=Filling)
    """What bundles give."""

    def require(self) -> Choice:
        """What was chosen. Raises what the description is refused with: `refusal`."""
        if refusal := self.refusal():
            raise refusal
        if self.choice is None:
            raise ValueError("a description without a choice has a fault that says why")
        return self.choice

    def refusal(self) -> PermanentError | None:
        """One kind of fault as it is; several as `app_invalid` with all fields at fault; None when there is none."""
        if len(self.faults) <= 1:
            return next(iter(self.faults), None)
        fields = {name: fault for each in self.faults for name, fault in each.fields.items()}
        return Invalid("app_invalid", " ".join(each.detail for each in self.faults), fields=fields)


def examine(
    description: AppDescription,
    resource: Resource | None,
    integrations: Sequence[Integration],
    *,
    current: App | None = None,
    uninstalled: Collection[IntegrationId] = (),
    gone: Collection[IntegrationId] = (),
    bundles: Iterable[Bundle] = (),
) -> Examination:
    """Look at everything, whatever was found before. `current`: the app that would be changed.

    `resource`: None while it is not named, which is a fault; a choice is then looked at where one is named.

    `bundles`: those of the organization and its inventories; they fill fields that are not given.
    """
    faults: list[PermanentError] = []
    kept, choice, lacking, filling = description.fields, None, tuple[FieldProblem, ...](), Filling()
    with _noting(faults):
        _check_kind(description.kind, current)
    with _noting(faults):
        kept = with_kept(kept, current.fields if current else {})
    described = description.model_copy(update={"fields": {n: value for n, value in kept.items() if not value.keep}})
    with _noting(faults):
        _check_labels(described, current)
    if resource is None:
        faults.append(Invalid("app_invalid", "A connector needs a resource.", fields={"urn_id": "is missing"}))
        if description.integration_id is None:
            # Which one it is, depends on the resource: that it cannot be told yet is no other fault.
            return Examination(described, None, (), tuple(faults))
    with _noting(faults):
        choice = choose(
            integrations,
            resource,
            kind=description.kind,
            integration_id=description.integration_id,
            protocol=description.protocol,
            uninstalled=uninstalled,
            gone=gone,
            is_kept=resource is not None and current is not None and _keeps(description, resource, current),
        )
        given = own_fields(described.fields, current)
        if resource is not None:
            filling = fill(
                bundles,
                resource=resource,
                environment=description.environment,
                integration=choice.integration,
                protocol=choice.protocol,
                kind=description.kind,
                given={name for name, value in given.items() if is_given(value)},
            )
        described = described.model_copy(update={"fields": {**given, **filling.values}})
        with _noting(faults):
            filling.require_no_ties()
        with _naming(filling):
            lacking = check_configuration(choice, described.fields)
    return Examination(described, choice, lacking, tuple(faults), filling)


def own_fields(fields: Mapping[str, FieldValue], current: App | None) -> dict[str, FieldValue]:
    """The fields of an app that no bundle gives: those that came from one are looked for anew.

    But for the passphrase of a store: with another one, what is in the store could not be read.
    """
    own = {name: value for name, value in fields.items() if value.bundle_id is None}
    former = current.fields.get(PASSPHRASE) if current is not None and current.kind == "store" else None
    if former is not None and former.bundle_id is not None and not is_given(own.get(PASSPHRASE, FieldValue())):
        own[PASSPHRASE] = former
    return own


def _keeps(description: AppDescription, resource: Resource, current: App) -> bool:
    return current.has_already(
        kind=description.kind,
        resource_id=resource.id,
        integration_id=description.integration_id,
        protocol=description.protocol,
    )


@contextmanager
def _naming(filling: Filling) -> Iterator[None]:
    """Say of a fault in a field that a bundle filled which bundle that is."""
    try:
        yield
    except Invalid as error:
        named = {f"fields.{name}": filled.bundle_name for name, filled in filling.fields.items()}
        if named.keys().isdisjoint(error.fields):
            raise
        fields = {path: _with_bundle(fault, named.get(path)) for path, fault in error.fields.items()}
        words = "; ".join(f"{path.removeprefix('fields.')} {fault}" for path, fault in fields.items())
        raise Invalid(error.code, f"The configuration does not fit: {words}.", fields=fields) from error


def _with_bundle(fault: str, name: str | None) -> str:
    return fault if name is None else as_bundle_has_it(fault, name)


@contextmanager
def _noting(faults: list[PermanentError]) -> Iterator[None]:
    """Go on after a fault."""
    try:
        yield
    except PermanentError as error:
        faults.append(error)


def _check_kind(kind: AppKind, current: App | None) -> None:
    if current is not None and kind != current.kind:
        detail = f"The type of a connector never changes; this one is a {current.kind}."
        raise Conflict("app_kind_fixed", detail, fields={"type": f"must be {current.kind}"})


def _check_labels(description: AppDescription, current: App | None) -> None:
    # Some of very many faults: the outcome is a message, and messages have a limit.
    faults = chain(_label_faults(description), _address_faults(description, current.endpoints if current else ()))
    found = dict(islice(faults, MOST_FAULTS))
    if found:
        words = "; ".join(f"{name} {fault}" for name, fault in found.items())
        raise Invalid("app_invalid", f"The connector cannot be described like this: {words}.", fields=found)


def _label_faults(description: AppDescription) -> Iterator[tuple[str, str]]:
    if fault := fault_of(description.name, longest=LONGEST_TEXT, empty=False):
        yield "name", fault
    if fault := fault_of(description.environment, longest=LONGEST_TEXT):
        yield "environment", fault
    yield from _hook_faults(description)
    for name, labels in (("endpoints", description.endpoints), ("data_classes", description.data_classes)):
        if len(labels) > MOST_LABELS:
            yield name, f"are more than {MOST_LABELS}"
    for place, label in enumerate(description.data_classes[:MOST_LABELS]):
        if fault := fault_of(label, longest=LONGEST_TEXT, empty=False):
            yield f"data_classes.{place}", fault


def _address_faults(description: AppDescription, kept: Collection[str]) -> Iterator[tuple[str, str]]:
    """As of a resource's own endpoints. Those that are `kept` stay: they were taken before this was looked at."""
    for place, address in enumerate(description.endpoints[:MOST_LABELS]):
        if address not in kept and (fault := address_fault(address)):
            yield f"endpoints.{place}", fault


def _hook_faults(description: AppDescription) -> Iterator[tuple[str, str]]:
    if description.hooks is None:
        return
    if description.kind == "store":
        # A backup runs those of its source, a restore those of what it goes to: a store's would never run.
        yield "hooks", "are for sources and destinations"
    for place, fault in description.hooks.faults():
        yield f"hooks.{place}", fault
