"""Bundles: what requests say of them, and how they are shown."""

from typing import Annotated

from pydantic import Field, JsonValue

from gateway.areas.bundles.service import BundleRequest, ReadBundle
from gateway.areas.connectors.schemas.answers import FieldView, field_view
from gateway.areas.connectors.schemas.requests import Fields
from gateway.http.answers import Stamp, View
from gateway.http.body_fields import LONGEST_AUDITED_TEXT, Body, Labels, LabelText, Line, MaybeId, none_is
from gateway.http.examples import BUNDLE, example

_SCOPE = {
    "name": "buckets in production",
    "environment": "production",
    "resource_classes": ["object-storage"],
    "resource_subclasses": ["s3"],
    "tags": ["team=red"],
    "integration_id": None,
}


class BundleBody(Body):
    """What is said about a bundle. A connector must meet all conditions; one that is empty is met by all."""

    model_config = example(**_SCOPE, fields={"use_tls": {"value": "true"}, "access_key": {"value": "AKIAEXAMPLE"}})

    name: LabelText
    environment: Line = Field(default="", description="Environment of the connector")
    resource_classes: Labels = Field(default=(), description="Class of its resource: one of these")
    resource_subclasses: Labels = Field(
        default=(), description="Subclass of its resource: one of these; only with classes"
    )
    tags: Labels = Field(default=(), description="Tags of its resource: all of these")
    integration_id: MaybeId = Field(default=None, description="Integration of the connector; missing: any")
    fields: Annotated[Fields, none_is({}, Fields)] = Field(
        default={}, description="Values for fields of these names that a connector is not given"
    )

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it: no values."""
        return {"name": self.name[:LONGEST_AUDITED_TEXT]}

    def request(self) -> BundleRequest:
        """The body as the use cases take it."""
        fields = {name: field.given() for name, field in self.fields.items() if field}
        return BundleRequest(
            name=self.name,
            environment=self.environment,
            resource_classes=self.resource_classes,
            resource_subclasses=self.resource_subclasses,
            tags=self.tags,
            integration_id=self.integration_id,
            fields={name: given for name, given in fields.items() if given},
        )


class BundleView(View):
    """Values that fill the fields of connectors within a scope."""

    model_config = example(
        id=BUNDLE,
        inventory_id=None,
        **_SCOPE,
        fields={"use_tls": {"value": "true"}, "access_key": {"value": "AKIAEXAMPLE"}},
        revision=1,
        updated_at="2026-11-23T08:00:00.000Z",
    )

    id: str
    name: str
    inventory_id: str | None = Field(description="The inventory that it belongs to; null: the organization")
    environment: str
    resource_classes: list[str]
    resource_subclasses: list[str]
    tags: list[str]
    integration_id: str | None
    fields: dict[str, FieldView]
    revision: int = Field(description="Grows by one with each change")
    updated_at: Stamp


def bundle_view(read: ReadBundle) -> BundleView:
    """A bundle as its client reads it back: lists in the order they were sent."""
    bundle = read.bundle
    return BundleView(
        id=bundle.id,
        name=bundle.name,
        inventory_id=bundle.inventory_id,
        environment=bundle.environment,
        resource_classes=list(bundle.resource_classes),
        resource_subclasses=list(bundle.resource_subclasses),
        tags=list(bundle.tags),
        integration_id=bundle.integration_id,
        fields={name: field_view(given) for name, given in read.fields.items()},
        revision=bundle.revision,
        updated_at=bundle.updated_at,
    )
