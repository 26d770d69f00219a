"""Which integration and which protocol a resource is put to use with. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import Invalid
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration, Protocol
from contracts.values import IntegrationId

PASSPHRASE = "passphrase"  # noqa: S105 - a name of a field
"""A secret field that apps of every kind and protocol may have: it opens and encrypts stores."""


@dataclass(frozen=True)
class Choice:
    """The integration and the protocol for an app of a kind."""

    integration: Integration
    protocol: Protocol
    kind: AppKind

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the fields."""
        return self.protocol.schemas.get(self.kind, {})

    @property
    def properties(self) -> Mapping[str, Any]:
        """Schema of each field, by name; the passphrase always among them."""
        # First, so that a manifest which declares a passphrase itself says more of it.
        declared = self.schema.get("properties", {})
        return {PASSPHRASE: {"x-secret": True}, **declared}

    def secret_fields(self, asked: Iterable[str] = ()) -> tuple[str, ...]:
        """Fields that must be sealed, in order; of those asked about also unknown ones, which may hold anything."""
        secret = {name for name, rules in self.properties.items() if rules.get("x-secret")} | {PASSPHRASE}
        return tuple(sorted(secret | {name for name in asked if name not in self.properties}))


def choose(
    integrations: Sequence[Integration],
    resource: Resource,
    *,
    kind: AppKind,
    integration_id: IntegrationId | None = None,
    protocol: str | None = None,
) -> Choice:
    """The integration and protocol by which a resource is put to use. Raises `Invalid` naming what could be chosen."""
    integration = choose_integration(
        integrations, resource, kind=kind, wanted=integration_id or None, protocol=protocol or None
    )
    return Choice(integration, choose_protocol(integration, kind=kind, wanted=protocol or None), kind)


def choose_integration(
    integrations: Sequence[Integration],
    resource: Resource,
    *,
    kind: AppKind,
    wanted: IntegrationId | None = None,
    protocol: str | None = None,
) -> Integration:
    """The wanted integration if it works with the resource; else the only one that does.

    An integration matches a class and subclass; a resource without subclass, if no integration is made for that, is
    matched by its class alone. Several that match are told apart by the protocol, if one was named.
    """
    if wanted is not None:
        return _wanted_integration(integrations, resource, wanted)
    fitting = _with_protocol(_fitting(integrations, resource), protocol)
    offering = [i for i in fitting if any(kind in p.kinds for p in i.protocols)]
    if not offering:
        raise _kind_not_offered(kind, _listed(i.name for i in fitting))
    if len(offering) > 1:
        listed = _listed(i.name for i in offering)
        detail = f"Several integrations work with resources of {_class_of(resource)}: {listed}. Name one of them."
        raise Invalid("integration_ambiguous", detail, fields={"integration": f"must be one of {listed}"})
    return offering[0]


def _fitting(integrations: Sequence[Integration], resource: Resource) -> list[Integration]:
    """Those that are made for the class and subclass of a resource, else those that work with it."""
    fitting = [i for i in integrations if _is_made_for(i, resource)] or [i for i in integrations if fits(i, resource)]
    if not fitting:
        detail = f"No integration works with resources of {_class_of(resource)}."
        raise Invalid("integration_incompatible", detail, fields={"integration": "none fits the resource"})
    return fitting


def _with_protocol(integrations: list[Integration], protocol: str | None) -> list[Integration]:
    """Those that have the protocol; all of them when none has it."""
    # A protocol that none of them has is refused by `choose_protocol`, which can say which there are.
    return [i for i in integrations if any(p.name == protocol for p in i.protocols)] or integrations


def choose_protocol(integration: Integration, *, kind: AppKind, wanted: str | None = None) -> Protocol:
    """The wanted protocol if it does the kind; else the one named like the integration, or the only one."""
    if wanted is not None:
        _require_protocol(integration, wanted)
    offered = [p for p in integration.protocols if kind in p.kinds]
    if not offered:
        raise _kind_not_offered(kind, integration.name)
    chosen = _named(wanted, offered, kind) if wanted is not None else _by_default(integration, offered)
    if len(chosen) > 1:
        raise _ambiguous(integration, kind, _listed(p.name for p in offered))
    return chosen[0]


def _named(wanted: str, offered: Sequence[Protocol], kind: AppKind) -> Sequence[Protocol]:
    """The protocol of a name, from those that do the kind."""
    chosen = [p for p in offered if p.name == wanted]
    if not chosen:
        raise _kind_not_offered(kind, wanted)
    return chosen


def _by_default(integration: Integration, offered: Sequence[Protocol]) -> Sequence[Protocol]:
    """Those that come into question when no protocol is named."""
    # Clients of the API leave the protocol out and mean the one that is called like its integration: `s3` of `s3`.
    return [p for p in offered if p.name == integration.name] or offered


def _ambiguous(integration: Integration, kind: AppKind, names: str) -> Invalid:
    detail = f"Integration {integration.name} reaches a {kind} in several ways: {names}. Name one of them."
    return Invalid("protocol_ambiguous", detail, fields={"protocol": f"must be one of {names}"})


def _require_protocol(integration: Integration, wanted: str) -> None:
    if not any(p.name == wanted for p in integration.protocols):
        listed = _listed(p.name for p in integration.protocols)
        detail = f"Integration {integration.name} has no such protocol; it has {listed}."
        raise Invalid("protocol_not_found", detail, fields={"protocol": f"must be one of {listed}"})


def fits(integration: Integration, resource: Resource) -> bool:
    """Whether an integration can work with a resource, by class and subclass, or by class if there is no more."""
    by_class = any(match.class_ == resource.class_ for match in integration.matches)
    return _is_made_for(integration, resource) or (by_class and not resource.subclass)


def _is_made_for(integration: Integration, resource: Resource) -> bool:
    return any((m.class_, m.subclass) == (resource.class_, resource.subclass) for m in integration.matches)


def _wanted_integration(integrations: Sequence[Integration], resource: Resource, wanted: IntegrationId) -> Integration:
    found = next((i for i in integrations if i.id == wanted), None)
    if found is None:
        names = _listed(i.name for i in integrations)
        detail = f"There is no integration with this id; there are {names}, whose ids the list of integrations has."
        raise Invalid("integration_not_found", detail, fields={"integration.id": "is unknown"})
    if not fits(found, resource):
        works_with = _listed(f"{m.class_}/{m.subclass}" for m in found.matches)
        detail = f"Integration {found.name} works with {works_with}, not with resources of {_class_of(resource)}."
        raise Invalid("integration_incompatible", detail, fields={"integration.id": "does not fit the resource"})
    return found


def _kind_not_offered(kind: AppKind, by: str) -> Invalid:
    return Invalid("kind_not_offered", f"{by} cannot be used as a {kind}.", fields={"type": "is not offered"})


def _class_of(resource: Resource) -> str:
    return f"class {resource.class_}" + (f", subclass {resource.subclass}" if resource.subclass else "")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
