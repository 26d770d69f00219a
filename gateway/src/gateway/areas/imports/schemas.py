"""Imports of resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, JsonValue

from gateway.areas.imports.lists import Difference
from gateway.areas.imports.service import MOST_NAMED, UsedResource
from gateway.http.answers import View
from gateway.http.examples import CONNECTOR, INVENTORY, RESOURCE, example


class UserView(View):
    """A connector that uses a resource."""

    id: str
    name: str
    type: str


class UsedResourceView(View):
    """A resource that the list lacks although connectors use it."""

    urn_id: str
    urn: str
    name: str
    connectors: list[UserView]


class ImportView(View):
    """What a list changed; of a dry run, what it would change."""

    model_config = example(
        id=INVENTORY,
        import_id=None,
        dry_run=True,
        added=2,
        changed=1,
        unchanged=40,
        removed=1,
        in_use_total=1,
        in_use=[
            {
                "urn_id": RESOURCE,
                "urn": "urn:example:nas",
                "name": "NAS",
                "connectors": [{"id": CONNECTOR, "name": "files", "type": "source"}],
            }
        ],
    )

    id: str = Field(description="The inventory")
    import_id: str | None = Field(description="The import; of a dry run null")
    dry_run: bool
    added: int = Field(description="Resources that are new")
    changed: int = Field(description="Resources with another name, class or endpoints")
    unchanged: int = Field(description="Resources that the list describes as they are")
    removed: int = Field(description="Resources that the list lacks")
    in_use_total: int = Field(default=0, description="Of a dry run: how many of them connectors use")
    in_use: list[UsedResourceView] = Field(default=[], description=f"Of a dry run: these, {MOST_NAMED} at most")


def preview_view(inventory_id: str, difference: Difference, used: Sequence[UsedResource]) -> ImportView:
    """What a list would change."""
    return ImportView(
        id=inventory_id,
        import_id=None,
        dry_run=True,
        added=difference.added,
        changed=difference.changed,
        unchanged=difference.unchanged,
        removed=difference.removed,
        in_use_total=len(used),
        in_use=[_used(each) for each in used[:MOST_NAMED]],
    )


def import_view(inventory_id: str, result: Mapping[str, JsonValue]) -> ImportView:
    """What a list changed."""
    facts: dict[str, Any] = dict(result)
    return ImportView(id=inventory_id, dry_run=False, **facts)


def _used(used: UsedResource) -> UsedResourceView:
    connectors = [UserView(id=app.id, name=app.name, type=app.kind) for app in used.connectors]
    resource = used.resource
    return UsedResourceView(urn_id=resource.id, urn=resource.urn, name=resource.name, connectors=connectors)
