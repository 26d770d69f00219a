"""What bundles give to the fields of an app. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from contracts.errors import Conflict
from contracts.field_values import FieldValue
from contracts.messages.assignment import AppKind
from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration, Protocol
from contracts.values import BundleId
from contracts.wording import listed

from assignment.bundles.domain.scope import Target, goes_before, is_for

PASSPHRASE = "passphrase"  # noqa: S105 - a name of a field


@dataclass(frozen=True)
class Filled:
    """A value that a bundle gives to a field."""

    value: FieldValue
    """With the id of the bundle; a secret is sealed for the bundle."""
    bundle_id: BundleId
    bundle_name: str


@dataclass(frozen=True)
class Filling:
    """What bundles give to an app."""

    fields: Mapping[str, Filled] = field(default_factory=dict)
    ties: Mapping[str, str] = field(default_factory=dict)
    """Fields that bundles give different values to, none of which counts; why, in words that name the bundles."""

    @property
    def values(self) -> dict[str, FieldValue]:
        """The values by field name."""
        return {name: filled.value for name, filled in self.fields.items()}

    def require_no_ties(self) -> None:
        """Raise `Conflict` (`bundles_tie`) naming the fields and the bundles."""
        if self.ties:
            words = "; ".join(f"{name}: {why}" for name, why in self.ties.items())
            fields = {f"fields.{name}": why for name, why in self.ties.items()}
            raise Conflict("bundles_tie", f"Bundles contradict each other. {words}.", fields=fields)


def fill(
    bundles: Iterable[Bundle],
    *,
    resource: Resource,
    environment: str,
    integration: Integration,
    protocol: Protocol,
    kind: AppKind,
    given: Collection[str],
) -> Filling:
    """What bundles give to the fields of an app that are not `given`, as far as its protocol has them for its kind.

    Of bundles that give a field something, those count that no other one goes before. If they differ, none does.
    """
    target = Target(resource, environment, integration.id)
    matching = [bundle for bundle in bundles if is_for(bundle, target)]
    fields, ties = dict[str, Filled](), dict[str, str]()
    for name in (name for name in fillable(protocol, kind) if name not in given):
        first = _first(matching, name)
        if len({_comparable(bundle.fields[name]) for bundle in first}) > 1:
            ties[name] = tie_in_words(first)
        elif first:
            chosen = first[0]
            value = chosen.fields[name].model_copy(update={"bundle_id": chosen.id})
            fields[name] = Filled(value, chosen.id, chosen.name)
    return Filling(fields, ties)


def fillable(protocol: Protocol, kind: AppKind) -> tuple[str, ...]:
    """The fields that a protocol has for a kind of app; a store always has a passphrase."""
    declared: Mapping[str, object] = protocol.schemas.get(kind, {}).get("properties", {})  # type: ignore[assignment]
    return tuple(dict.fromkeys([*declared, *([PASSPHRASE] if kind == "store" else [])]))


def is_given(value: FieldValue) -> bool:
    """Whether a field has a value; an empty text is none."""
    return value.keep or value.sealed is not None or bool(value.value)


def differ(one: FieldValue, other: FieldValue) -> bool:
    """Whether two values of a field differ. Secrets do: what is sealed cannot be compared here."""
    return _comparable(one) != _comparable(other)


def tie_in_words(bundles: Collection[Bundle]) -> str:
    """Why several bundles give a field nothing. Those of one name are told apart by their ids."""
    called = Counter(bundle.name for bundle in bundles)
    names = (f"{b.name!r} (id {b.id})" if called[b.name] > 1 else repr(b.name) for b in bundles)
    # They stand in one place: a bundle of the inventory goes before one of the organization.
    place = "organization" if all(bundle.inventory_id is None for bundle in bundles) else "inventory"
    return f"bundles {listed(sorted(names))} of the {place} give it different values, and none goes before the other"


def as_bundle_has_it(fault: str, name: str) -> str:
    """What is wrong with a value that a bundle gives, with the bundle."""
    return f"{fault} (as bundle {name!r} has it)"


def _first(matching: Iterable[Bundle], name: str) -> list[Bundle]:
    """The bundles whose value of a field counts, in the order of their ids."""
    giving = [bundle for bundle in matching if name in bundle.fields and is_given(bundle.fields[name])]
    first = [one for one in giving if not any(goes_before(other, one) for other in giving)]
    return sorted(first, key=lambda bundle: bundle.id)


def _comparable(value: FieldValue) -> tuple[str | None, str | None, str | None]:
    sealed = value.sealed.model_dump_json() if value.sealed else None
    return value.value, sealed, value.provider_id
