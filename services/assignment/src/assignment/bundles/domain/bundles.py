"""What a bundle is, and what is refused about one. Pure; no text here ever quotes a value."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from chassis.kept_secrets import printable, with_kept, with_resealed
from chassis.texts import fault_of, is_storable
from contracts.errors import Conflict, Invalid, NotFound, PreconditionFailed
from contracts.field_values import FieldValue
from contracts.messages.bundles import Bundle, BundleDescription, ChangeBundle, CreateBundle
from contracts.messages.connector.offers import Integration
from contracts.messages.resealing import Resealed
from contracts.queries.bundles import BundleQuestion
from contracts.values import IntegrationId

from assignment.bundles.domain.filling import PASSPHRASE, differ, is_given, tie_in_words
from assignment.bundles.domain.scope import can_meet, goes_before

LONGEST_TEXT = 255
LONGEST_VALUE = 65_536
MOST_LABELS = 200
MOST_FIELDS = 200
MOST_FAULTS = 20
# Databases keep no keys with a dot or a dollar sign.
_FIELD_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create(
    command: CreateBundle,
    others: Iterable[Bundle],
    integrations: Sequence[Integration],
    *,
    known: bool,
    now: datetime,
) -> Bundle:
    """A new bundle beside the others of its organization. `known`: its id was used before."""
    if known:
        raise Conflict("bundle_exists", "There is, or was, a bundle with this id.")
    place = {"id": command.bundle_id, "inventory_id": command.inventory_id, "revision": 1, "updated_at": now}
    return _checked(command.description, {}, others, integrations, place=place)


def change(
    current: Bundle | None,
    command: ChangeBundle,
    others: Iterable[Bundle],
    integrations: Sequence[Integration],
    *,
    now: datetime,
) -> Bundle:
    """The bundle as it is described now; the same revision when nothing is said that was not said before."""
    current = require(current, expected_revision=command.expected_revision)
    place = {
        "id": current.id,
        "inventory_id": current.inventory_id,
        "revision": current.revision + 1,
        "updated_at": now,
        "label_revision": current.label_revision,
    }
    others = [other for other in others if other.id != current.id]
    changed = _checked(command.description, current.fields, others, integrations, place=place)
    same = changed.model_copy(update={"revision": current.revision, "updated_at": current.updated_at})
    return current if same == current else changed


def reseal(current: Bundle | None, resealed: Iterable[Resealed]) -> Bundle:
    """The bundle in a new revision with secrets under other keys; the same one where none took its place."""
    bundle = require(current)
    fields = with_resealed(bundle.fields, resealed)
    if fields == bundle.fields:
        return bundle
    # It says what it said: for its readers it was not changed since.
    return bundle.model_copy(update={"fields": fields, "revision": bundle.revision + 1})


def require(current: Bundle | None, *, expected_revision: int | None = None) -> Bundle:
    """The bundle. Raises `NotFound` when there is none, `PreconditionFailed` when it is in another revision."""
    if current is None:
        raise NotFound("bundle_not_found", "There is no such bundle.")
    if expected_revision not in (None, current.revision):
        raise PreconditionFailed(
            "revision_changed", f"The bundle {current.name!r} was changed since it was read; read it again."
        )
    return current


def clear_fields(integrations: Iterable[Integration], integration_id: IntegrationId | None) -> frozenset[str]:
    """The fields of bundles that hold no secret: some integration has them, and to none they are secret.

    `integration_id`: only that one can use the bundle.
    """
    asked = [i for i in integrations if integration_id in (None, i.id)]
    known, secret = set[str](), {PASSPHRASE}
    for name, rules in _properties(asked):
        known.add(name)
        if rules.get("x-secret"):
            secret.add(name)
    return frozenset(known - secret)


def answers(bundle: Bundle, question: BundleQuestion) -> bool:
    """Whether a bundle has all that is asked for in its own scope."""
    return (
        bundle.inventory_id == question.inventory_id
        and question.integration_id in (None, bundle.integration_id)
        and question.environment in ("", bundle.environment)
        and set(question.tags) <= set(bundle.tags)
        and question.search.casefold() in bundle.name.casefold()
    )


def _checked(
    description: BundleDescription,
    present: Mapping[str, FieldValue],
    others: Iterable[Bundle],
    integrations: Sequence[Integration],
    *,
    place: Mapping[str, object],
) -> Bundle:
    _check_description(description, integrations)
    fields = with_kept(description.fields, present)
    bundle = Bundle.model_validate({**dict(description), "fields": fields, **place})
    _check_ties(bundle, others)
    return bundle


def _check_description(description: BundleDescription, integrations: Sequence[Integration]) -> None:
    # Some of very many faults: the outcome is a message, and messages have a limit.
    found = dict(islice(_faults(description, integrations), MOST_FAULTS))
    if found:
        words = "; ".join(f"{name.removeprefix('fields.')} {fault}" for name, fault in found.items())
        raise Invalid("bundle_invalid", f"The bundle cannot be described like this: {words}.", fields=found)


def _faults(description: BundleDescription, integrations: Sequence[Integration]) -> Iterator[tuple[str, str]]:
    if fault := fault_of(description.name, longest=LONGEST_TEXT, empty=False):
        yield "name", fault
    if fault := fault_of(description.environment, longest=LONGEST_TEXT):
        yield "environment", fault
    if description.resource_subclasses and not description.resource_classes:
        yield "resource_subclasses", "need at least one class that they belong to"
    yield from _label_faults(description)
    wanted = description.integration_id
    if wanted is not None and all(i.id != wanted for i in integrations):
        yield "integration_id", "is not the id of an integration"
        return
    yield from _field_faults(description, integrations)


def _label_faults(description: BundleDescription) -> Iterator[tuple[str, str]]:
    for name in ("resource_classes", "resource_subclasses", "tags"):
        labels: tuple[str, ...] = getattr(description, name)
        if len(labels) > MOST_LABELS:
            yield name, f"are more than {MOST_LABELS}"
        for place, label in enumerate(labels[:MOST_LABELS]):
            if fault := fault_of(label, longest=LONGEST_TEXT, empty=False):
                yield f"{name}.{place}", fault


def _field_faults(description: BundleDescription, integrations: Sequence[Integration]) -> Iterator[tuple[str, str]]:
    clear = clear_fields(integrations, description.integration_id)
    known = {
        PASSPHRASE,
        *(name for name, _ in _properties(i for i in integrations if i.id == description.integration_id)),
    }
    if len(description.fields) > MOST_FIELDS:
        yield "fields", f"are more than {MOST_FIELDS}"
    for name, value in islice(description.fields.items(), MOST_FIELDS):
        place = f"fields.{printable(name)}"
        if not _FIELD_NAME.fullmatch(name):
            yield place, "cannot be the name of a field"
        elif description.integration_id and name not in known:
            yield place, f"is not among the fields of the integration ({', '.join(sorted(known))})"
        elif value.provider_id is None and value.value and name not in clear:
            yield place, "may be secret and must be sealed on its way"
        elif value.value and (not is_storable(value.value) or len(value.value) > LONGEST_VALUE):
            yield place, f"holds a NUL character or more than {LONGEST_VALUE} characters"


def _check_ties(bundle: Bundle, others: Iterable[Bundle]) -> None:
    """Raise `Conflict` (`bundles_tie`) naming another bundle that gives a field another value for the same apps."""
    ties = {f"fields.{printable(name)}": why for name, why in islice(_ties(bundle, others), MOST_FAULTS)}
    if ties:
        words = "; ".join(f"{name.removeprefix('fields.')}: {why}" for name, why in ties.items())
        raise Conflict("bundles_tie", f"The bundle contradicts another one. {words}.", fields=ties)


def _ties(bundle: Bundle, others: Iterable[Bundle]) -> Iterator[tuple[str, str]]:
    for other in others:
        if not can_meet(bundle, other) or goes_before(bundle, other) or goes_before(other, bundle):
            continue
        for name, value in bundle.fields.items():
            against = other.fields.get(name)
            if against and is_given(value) and is_given(against) and differ(value, against):
                yield name, tie_in_words([bundle, other])


def _properties(integrations: Iterable[Integration]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Fields and their rules, of all protocols and kinds."""
    for integration in integrations:
        for protocol in integration.protocols:
            for schema in protocol.schemas.values():
                declared: Mapping[str, Mapping[str, object]] = schema.get("properties", {})  # type: ignore[assignment]
                yield from declared.items()
