"""Which integration and which protocol a resource is put to use with. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import Invalid
from contracts.messages.assignment import AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration, Protocol
from contracts.values import IntegrationId

from assignment.apps.domain.matching import (
    CLASS_OBSTACLES,
    Assessment,
    assess,
    class_of,
    listed,
    offering,
    preferred,
    preferred_protocols,
    works_with,
)
from assignment.apps.domain.offers import gone_in_words

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
    resource: Resource | None,
    *,
    kind: AppKind,
    integration_id: IntegrationId | None = None,
    protocol: str | None = None,
    uninstalled: Collection[IntegrationId] = (),
    gone: Collection[IntegrationId] = (),
    is_kept: bool = False,
) -> Choice:
    """The integration and protocol by which a resource is put to use. Raises `Invalid` naming what could be chosen.

    `is_kept`: they are what the app has already. It keeps them, though its resource got another class meanwhile.
    """
    assessed = [assess(each, resource, kind=kind, uninstalled=uninstalled, gone=gone) for each in integrations]
    if integration_id and is_kept:
        integration = _require_known(assessed, integration_id).integration
    elif integration_id:
        integration = require_usable(assessed, integration_id)
    else:
        integration = _by_itself(assessed, resource, kind=kind, protocol=protocol or None)
    return Choice(integration, choose_protocol(integration, kind=kind, wanted=protocol or None), kind)


def require_usable(assessed: Sequence[Assessment], wanted: IntegrationId) -> Integration:
    """The integration with an id. Raises `Invalid` with why it cannot be used."""
    found = _require_known(assessed, wanted)
    integration = found.integration
    if found.obstacle in CLASS_OBSTACLES:
        what = listed(works_with(integration))
        detail = f"Integration {integration.name} works with {what}, not with resources of {class_of(found.resource)}."
        raise Invalid("integration_incompatible", detail, fields={"integration.id": "does not fit the resource"})
    if found.obstacle == "gone":
        fields = {"integration.id": "is offered by no worker"}
        raise Invalid("integration_gone", gone_in_words(integration.name), fields=fields)
    if found.obstacle == "not_installed":
        detail = f"Integration {integration.name} is not installed."
        raise Invalid("integration_not_installed", detail, fields={"integration.id": "is not installed"})
    if found.obstacle == "kind_not_offered":
        raise _kind_not_offered(found.kind, integration.name)
    return integration


def choose_protocol(integration: Integration, *, kind: AppKind, wanted: str | None = None) -> Protocol:
    """The wanted protocol if it does the kind; else the one named like the integration, or the only one."""
    if wanted is not None:
        _require_protocol(integration, wanted)
    offered = offering(integration, kind)
    if not offered:
        raise _kind_not_offered(kind, integration.name)
    if wanted is not None:
        return _named(wanted, offered, kind)
    chosen = preferred_protocols(integration, kind)
    if len(chosen) > 1:
        raise _ambiguous(integration, kind, listed(p.name for p in offered))
    return chosen[0]


def _require_known(assessed: Sequence[Assessment], wanted: IntegrationId) -> Assessment:
    found = next((each for each in assessed if each.integration.id == wanted), None)
    if found is None:
        names = listed(each.integration.name for each in assessed)
        detail = f"There is no integration with this id; there are {names}, whose ids the list of integrations has."
        raise Invalid("integration_not_found", detail, fields={"integration.id": "is unknown"})
    return found


def _by_itself(
    assessed: Sequence[Assessment], resource: Resource | None, *, kind: AppKind, protocol: str | None
) -> Integration:
    """The only one that can be used, those made for the subclass before others.

    Several that match are told apart by the protocol, if one was named.
    """
    found = [each.integration for each in preferred(assessed, protocol=protocol)]
    if not found:
        raise _none_usable(assessed, resource, kind)
    if len(found) > 1:
        names = listed(i.name for i in found)
        detail = f"Several integrations work with resources of {class_of(resource)}: {names}. Name one of them."
        raise Invalid("integration_ambiguous", detail, fields={"integration": f"must be one of {names}"})
    return found[0]


def _none_usable(assessed: Sequence[Assessment], resource: Resource | None, kind: AppKind) -> Invalid:
    obstacles = {each.obstacle: each for each in assessed}
    if "kind_not_offered" in obstacles:
        return _kind_not_offered(kind, listed(a.integration.name for a in assessed if a.obstacle == "kind_not_offered"))
    if "not_installed" in obstacles:
        names = listed(each.integration.name for each in assessed if each.obstacle == "not_installed")
        detail = f"What works with resources of {class_of(resource)} is not installed: {names}."
        return Invalid("integration_not_installed", detail, fields={"integration": "none that fits is installed"})
    if "gone" in obstacles:
        detail = gone_in_words(listed(each.integration.name for each in assessed if each.obstacle == "gone"))
        return Invalid("integration_gone", detail, fields={"integration": "none that fits is offered by a worker"})
    detail = f"No integration works with resources of {class_of(resource)}."
    return Invalid("integration_incompatible", detail, fields={"integration": "none fits the resource"})


def _named(wanted: str, offered: Sequence[Protocol], kind: AppKind) -> Protocol:
    """The protocol of a name, from those that do the kind."""
    chosen = next((p for p in offered if p.name == wanted), None)
    if chosen is None:
        raise _kind_not_offered(kind, wanted)
    return chosen


def _ambiguous(integration: Integration, kind: AppKind, names: str) -> Invalid:
    detail = f"Integration {integration.name} reaches a {kind} in several ways: {names}. Name one of them."
    return Invalid("protocol_ambiguous", detail, fields={"protocol": f"must be one of {names}"})


def _require_protocol(integration: Integration, wanted: str) -> None:
    if not any(p.name == wanted for p in integration.protocols):
        names = listed(p.name for p in integration.protocols)
        detail = f"Integration {integration.name} has no such protocol; it has {names}."
        raise Invalid("protocol_not_found", detail, fields={"protocol": f"must be one of {names}"})


def _kind_not_offered(kind: AppKind, by: str) -> Invalid:
    return Invalid("kind_not_offered", f"{by} cannot be used as a {kind}.", fields={"type": "is not offered"})
