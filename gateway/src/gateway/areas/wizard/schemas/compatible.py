"""Integrations that a connector can be made with."""

from collections.abc import Iterable

from contracts.queries.wizard import Compatibility, CompatibleIntegrations
from pydantic import Field

from gateway.http.answers import View
from gateway.http.examples import INTEGRATION, example

_CODES = (
    "`subclass_matches` (made for it), `class_matches` (the resource names no subclass), `kind_offered` (no resource "
    "was named); of a near miss `subclass_differs`, `gone` (no worker has it any more), `not_installed` or "
    "`kind_not_offered`"
)


class MatchReasonView(View):
    """Why an integration works with a resource, or does not."""

    code: str = Field(description=_CODES)
    reason: str = Field(description="The same for a person")
    class_: str | None = Field(alias="class", description="Class that the manifest names; null: no resource was named")
    subclass: str | None = Field(description="Subclass that it names with the class")
    made_for: bool = Field(description="Whether it names the resource's subclass")


class CompatibleIntegrationView(View):
    """An integration, and what is to be said of it here."""

    id: str
    name: str
    version: str
    display_name: str
    description: str
    protocols: list[str] = Field(description="Those that a connector of the type can have")
    supports: list[str] = Field(description="Types of connectors")
    match: MatchReasonView


_COMPATIBLE = {
    "id": INTEGRATION,
    "name": "fs",
    "version": "1.0.0",
    "display_name": "Directories",
    "description": "A directory that the workers can reach.",
    "protocols": ["fs"],
    "supports": ["source", "store", "destination"],
    "match": {
        "code": "subclass_matches",
        "reason": "Directories is made for resources of class file-storage, subclass posix.",
        "class": "file-storage",
        "subclass": "posix",
        "made_for": True,
    },
}


class CompatibleView(View):
    """Integrations that a connector can be made with, those made for the resource first."""

    model_config = example(total=1, items=[_COMPATIBLE], near_misses=[], chosen=INTEGRATION, reason=None)

    total: int
    items: list[CompatibleIntegrationView]
    near_misses: list[CompatibleIntegrationView] = Field(description="What one might expect, and why it cannot be used")
    chosen: str | None = Field(description="Id of the one that is chosen by itself; null: none is, or there are more")
    reason: str | None = Field(
        default=None, description="Why neither `items` nor `near_misses` has any, for a person; null: there are some"
    )


def nothing_compatible() -> CompatibleView:
    """The listing for an account that may read nothing."""
    return CompatibleView(total=0, items=[], near_misses=[], chosen=None)


def compatible_view(found: CompatibleIntegrations) -> CompatibleView:
    """The integrations for a resource."""
    items, near_misses = map(_compatibles, (found.items, found.near_misses))
    return CompatibleView(
        total=len(items), items=items, near_misses=near_misses, chosen=found.chosen, reason=found.reason
    )


def _compatibles(found: Iterable[Compatibility]) -> list[CompatibleIntegrationView]:
    return [_compatible(each) for each in found]


def _compatible(found: Compatibility) -> CompatibleIntegrationView:
    integration, match = found.integration, found.match
    kinds = dict.fromkeys(kind for protocol in integration.protocols for kind in protocol.kinds)
    return CompatibleIntegrationView(
        id=integration.id,
        name=integration.name,
        version=integration.version,
        display_name=integration.title,
        description=integration.help,
        protocols=list(found.protocols),
        supports=list(kinds),
        match=MatchReasonView(
            code=found.code,
            reason=found.reason,
            class_=match.class_ if match else None,
            subclass=match.subclass if match else None,
            made_for=found.made_for,
        ),
    )
