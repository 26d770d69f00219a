"""Makes messages and values for tests: everything has a default, tests name what matters to them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chassis.ids import new_id
from chassis.messaging.envelopes import envelope
from contracts.envelope import Envelope
from contracts.field_values import FieldValue, SealedValue
from contracts.messages.assignment import AppDescription, AssignApp, ReconfigureApp, RemoveApp
from contracts.messages.base import Message
from contracts.messages.bundles import Bundle, BundleDescription, ChangeBundle, CreateBundle, RemoveBundle
from contracts.messages.catalog import (
    ChangeInventory,
    ChangeResource,
    CreateInventory,
    FlagResource,
    Inventory,
    RegisterResource,
    RemoveInventory,
    RemoveResource,
    Resource,
    ResourceChanged,
    ResourceDescription,
    ResourceRemoved,
)
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import Integration, IntegrationOffered
from contracts.messages.imports import RemovedResource, ResourcesChanged
from contracts.values import AppId, BundleId, InventoryId, OrganizationId, ResourceId

ORG = OrganizationId("0190-org")


def wrap(message: Message) -> Envelope[Any]:
    """The message in an envelope, as the gateway would send it."""
    return envelope(message, service="test")


def a_description(**changes: Any) -> ResourceDescription:
    """A directory on a file server."""
    facts: dict[str, Any] = {"urn": "urn:files:1", "name": "files", "class": "file-storage", "subclass": "posix"}
    return ResourceDescription.model_validate(facts | changes)


def an_inventory(**changes: Any) -> Inventory:
    """A self-managed inventory."""
    facts: dict[str, Any] = {"id": "inv-1", "name": "cellar", "type": "self-managed", "revision": 1}
    return Inventory.model_validate(facts | changes)


def a_resource(**changes: Any) -> Resource:
    """A directory on a file server, in inventory `inv-1`."""
    facts: dict[str, Any] = {
        "id": "res-1",
        "inventory_id": "inv-1",
        "urn": "urn:files:1",
        "name": "files",
        "class": "file-storage",
        "subclass": "posix",
        "service": "",
        "endpoints": (),
        "tags": (),
        "excluded_from_coverage": False,
        "revision": 1,
    }
    return Resource.model_validate(facts | changes)


def create_inventory(
    inventory_id: str | None = None,
    *,
    name: str = "cellar",
    kind: Any = "self-managed",
    configuration: Mapping[str, FieldValue] | None = None,
    org: OrganizationId = ORG,
) -> CreateInventory:
    """A command; the id is fresh unless given."""
    return CreateInventory(
        organization_id=org,
        inventory_id=InventoryId(inventory_id or new_id()),
        name=name,
        type=kind,
        configuration=dict(configuration or {}),
    )


def change_inventory(
    inventory_id: str,
    *,
    name: str = "attic",
    kind: Any = "self-managed",
    configuration: Mapping[str, FieldValue] | None = None,
    org: OrganizationId = ORG,
) -> ChangeInventory:
    """A command."""
    return ChangeInventory(
        organization_id=org,
        inventory_id=InventoryId(inventory_id),
        name=name,
        type=kind,
        configuration=dict(configuration or {}),
    )


def remove_inventory(inventory_id: str, *, org: OrganizationId = ORG) -> RemoveInventory:
    """A command."""
    return RemoveInventory(organization_id=org, inventory_id=InventoryId(inventory_id))


def register_resource(
    inventory_id: str, resource_id: str | None = None, *, org: OrganizationId = ORG, **description: Any
) -> RegisterResource:
    """A command; the id is fresh unless given."""
    return RegisterResource(
        organization_id=org,
        inventory_id=InventoryId(inventory_id),
        resource_id=ResourceId(resource_id or new_id()),
        description=a_description(**description),
    )


def change_resource(
    inventory_id: str, resource_id: str, *, org: OrganizationId = ORG, **description: Any
) -> ChangeResource:
    """A command."""
    return ChangeResource(
        organization_id=org,
        inventory_id=InventoryId(inventory_id),
        resource_id=ResourceId(resource_id),
        description=a_description(**description),
    )


def flag_resource(
    inventory_id: str, resource_id: str, *, org: OrganizationId = ORG, **flags: bool | None
) -> FlagResource:
    """A command."""
    facts = {"inventory_id": InventoryId(inventory_id), "resource_id": ResourceId(resource_id)}
    return FlagResource(organization_id=org, **facts, **flags)


def remove_resource(inventory_id: str, resource_id: str, *, org: OrganizationId = ORG) -> RemoveResource:
    """A command."""
    return RemoveResource(
        organization_id=org, inventory_id=InventoryId(inventory_id), resource_id=ResourceId(resource_id)
    )


def a_schema(*required: str, **properties: Any) -> dict[str, Any]:
    """A JSON Schema of fields: each is text unless said otherwise."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: {"type": "string", **rules} for name, rules in properties.items()},
        "required": list(required),
        "additionalProperties": False,
    }


PASSPHRASE_RULES = {"x-secret": True, "minLength": 1, "description": "Opens and encrypts the store"}
ROOT_RULES = {"pattern": "^/", "x-path": True, "minLength": 1, "description": "an absolute path"}
FS_SCHEMA = a_schema("root", root=ROOT_RULES, passphrase=PASSPHRASE_RULES)
S3_SCHEMA = a_schema(
    "root",
    "access_key",
    "secret_access_key",
    root={"minLength": 1},
    access_key={},
    secret_access_key={"x-secret": True, "minLength": 8},
    use_tls={"enum": ["true", "false"]},
    passphrase=PASSPHRASE_RULES,
)


def a_protocol(name: str = "fs", *kinds: str, schema: dict[str, Any] = FS_SCHEMA) -> dict[str, Any]:
    """A protocol with the same schema for each of its kinds; for sources and stores unless said otherwise."""
    chosen = kinds or ("source", "store")
    return {"name": name, "title": name.upper(), "kinds": chosen, "schemas": dict.fromkeys(chosen, schema)}


def an_integration(name: str = "fs", *, matches: Any = "file-storage/posix", **changes: Any) -> Integration:
    """An integration with id `int-<name>` for a class and subclass, or several, with one protocol of its own name."""
    if isinstance(matches, str):
        class_, subclass = matches.split("/")
        matches = [{"class": class_, "subclass": subclass}]
    facts: dict[str, Any] = {
        "id": f"int-{name}",
        "name": name,
        "version": "1.0.0",
        "title": name.upper(),
        "matches": matches,
        "protocols": [a_protocol(name)],
    }
    return Integration.model_validate(facts | changes)


def fs_integration(**changes: Any) -> Integration:
    """Directories."""
    return an_integration("fs", **changes)


def s3_integration(**changes: Any) -> Integration:
    """Buckets."""
    protocols = [a_protocol("s3", "source", "store", "destination", schema=S3_SCHEMA)]
    return an_integration("s3", matches="object-storage/s3", **{"protocols": protocols, **changes})


def clear(value: str | None) -> FieldValue:
    """A field in clear."""
    return FieldValue(value=value)


def sealed() -> FieldValue:
    """A field whose value nobody here can read."""
    return FieldValue(sealed=SealedValue(key_id="k", data_key="ZGF0YQ==", nonce="bm9uY2U=", ciphertext="Y2lwaGVy"))


def provided(path: str = "kv/backup") -> FieldValue:
    """A reference into a secret provider."""
    return FieldValue(value=path, provider_id="provider-1")


def an_app_description(**changes: Any) -> AppDescription:
    """A source in `/srv`."""
    return AppDescription.model_validate(
        {"kind": "source", "name": "files", "fields": {"root": clear("/srv")}} | changes
    )


def assign_app(
    app_id: str | None = None, *, resource: Resource | None = None, org: OrganizationId = ORG, **description: Any
) -> AssignApp:
    """A command; the id is fresh unless given."""
    return AssignApp(
        organization_id=org,
        app_id=AppId(app_id or new_id()),
        resource=resource or a_resource(),
        description=an_app_description(**description),
    )


def reconfigure_app(
    app_id: str,
    *,
    resource: Resource | None = None,
    org: OrganizationId = ORG,
    expected_revision: int | None = None,
    **description: Any,
) -> ReconfigureApp:
    """A command."""
    return ReconfigureApp(
        organization_id=org,
        app_id=AppId(app_id),
        resource=resource or a_resource(),
        description=an_app_description(**description),
        expected_revision=expected_revision,
    )


def remove_app(app_id: str, *, org: OrganizationId = ORG, expected_revision: int | None = None) -> RemoveApp:
    """A command."""
    return RemoveApp(organization_id=org, app_id=AppId(app_id), expected_revision=expected_revision)


def integration_offered(integration: Integration) -> IntegrationOffered:
    """An event."""
    return IntegrationOffered(organization_id=EVERYBODY, integration_id=integration.id, integration=integration)


def resource_changed(resource: Resource, *, org: OrganizationId = ORG) -> ResourceChanged:
    """An event."""
    return ResourceChanged(organization_id=org, resource_id=resource.id, resource=resource)


def resources_changed(
    *changed: Resource, removed: Sequence[RemovedResource] = (), inventory_id: str = "inv-1", org: OrganizationId = ORG
) -> ResourcesChanged:
    """An event."""
    return ResourcesChanged(
        organization_id=org, inventory_id=InventoryId(inventory_id), changed=changed, removed=tuple(removed)
    )


def resource_removed(resource_id: str, *, revision: int, org: OrganizationId = ORG) -> ResourceRemoved:
    """An event."""
    return ResourceRemoved(organization_id=org, resource_id=ResourceId(resource_id), revision=revision)


def a_bundle_description(**changes: Any) -> BundleDescription:
    """A bundle for every connector that gives nothing."""
    return BundleDescription.model_validate({"name": "defaults"} | changes)


def a_bundle(bundle_id: str = "bundle-1", **changes: Any) -> Bundle:
    """A bundle of the organization for every connector that gives nothing."""
    facts: dict[str, Any] = {
        "id": bundle_id,
        "name": bundle_id,
        "revision": 1,
        "updated_at": datetime(2026, 11, 23, 12, tzinfo=UTC),
    }
    return Bundle.model_validate(facts | changes)


def create_bundle(
    bundle_id: str | None = None, *, inventory_id: str | None = None, org: OrganizationId = ORG, **description: Any
) -> CreateBundle:
    """A command; the id is fresh unless given."""
    return CreateBundle(
        organization_id=org,
        bundle_id=BundleId(bundle_id or new_id()),
        inventory_id=InventoryId(inventory_id) if inventory_id else None,
        description=a_bundle_description(**description),
    )


def change_bundle(
    bundle_id: str, *, expected: int | None = None, org: OrganizationId = ORG, **description: Any
) -> ChangeBundle:
    """A command."""
    return ChangeBundle(
        organization_id=org,
        bundle_id=BundleId(bundle_id),
        description=a_bundle_description(**description),
        expected_revision=expected,
    )


def remove_bundle(bundle_id: str, *, expected: int | None = None, org: OrganizationId = ORG) -> RemoveBundle:
    """A command."""
    return RemoveBundle(organization_id=org, bundle_id=BundleId(bundle_id), expected_revision=expected)
