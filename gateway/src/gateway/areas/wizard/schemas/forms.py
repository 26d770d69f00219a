"""What a person fills in for a connector."""

from contracts.queries.wizard import Form, ProtocolForm
from pydantic import Field, JsonValue

from gateway.areas.wizard.schemas.prefilled import (
    PrefilledFieldView,
    PrefilledTextsView,
    PrefilledTextView,
    prefilled_view,
    text_view,
    texts_view,
)
from gateway.http.answers import ProblemFieldView, View
from gateway.http.examples import INTEGRATION, example


class ConditionView(View):
    """When a field matters: another one has one of these values; the empty one: it is left out."""

    field: str
    values: list[str]


class DescriptorView(View):
    """A field of a form. All values are strings."""

    name: str
    display_name: str
    description: str
    type: str = Field(description="`text`, `secret`, `switch` (`true`, `false`), `port`, `path` or `choice`")
    required: bool
    sensitive: bool
    default: str | None
    enum: list[str]
    pattern: str | None = Field(description="Regular expression of JSON Schema")
    examples: list[str]
    inventory_value: str | None = Field(description="Proposed from what is known of the resource")
    when: ConditionView | None = Field(description="Null: the field always matters")


class FormProtocolView(View):
    """A protocol, and the form of its fields."""

    name: str
    display_name: str
    form: dict[str, JsonValue] = Field(description="JSON Schema 2020-12 of the fields, in their order")


class ConnectorFormView(View):
    """What a person fills in for a connector."""

    model_config = example(
        id=INTEGRATION,
        name="fs",
        version="1.0.0",
        display_name="Directories",
        description="A directory that the workers can reach.",
        type="source",
        protocols=[{"name": "fs", "display_name": "Directory", "form": {"type": "object"}}],
        protocol="fs",
        fields={"fs": []},
        prefilled={"root": {"value": "/srv/data", "origin": {"kind": "tag", "name": "path=/srv/data"}}},
        environment={"value": "production", "origin": {"kind": "tag", "name": "environment=production"}},
        data_classes={"values": ["pii"], "origin": {"kind": "tag", "name": "data_class=pii"}},
        endpoints={"values": ["files.example.org"], "origin": {"kind": "resource", "name": "files"}},
        names=[{"value": "files", "origin": {"kind": "resource", "name": "files"}}],
        faults=[],
        complete=True,
    )

    id: str
    name: str
    version: str
    display_name: str
    description: str
    type: str = Field(description="Type of the connector")
    protocols: list[FormProtocolView]
    protocol: str | None = Field(description="The one that is named or chosen by itself; null: a person has to choose")
    fields: dict[str, list[DescriptorView]] = Field(description="By protocol, in the order of the form")
    prefilled: dict[str, PrefilledFieldView] = Field(description="By field of the protocol that is chosen")
    environment: PrefilledTextView | None
    data_classes: PrefilledTextsView | None
    endpoints: PrefilledTextsView | None
    names: list[PrefilledTextView] = Field(description="Suggestions that are free on the resource, the best first")
    faults: list[ProblemFieldView] = Field(
        description="Fields for which bundles have what cannot be used: contradictions, or values that do not fit"
    )
    complete: bool = Field(description="Whether the values that are filled in are all that is required")


def form_view(form: Form) -> ConnectorFormView:
    """A form."""
    integration = form.integration
    return ConnectorFormView(
        id=integration.id,
        name=integration.name,
        version=integration.version,
        display_name=integration.title,
        description=integration.help,
        type=form.kind,
        protocols=[FormProtocolView(name=p.name, display_name=p.title, form=p.form) for p in form.protocols],
        protocol=form.protocol,
        fields={protocol.name: _descriptors(protocol) for protocol in form.protocols},
        prefilled={name: prefilled_view(each) for name, each in form.fields.items()},
        environment=text_view(form.environment) if form.environment else None,
        data_classes=texts_view(form.data_classes) if form.data_classes else None,
        endpoints=texts_view(form.endpoints) if form.endpoints else None,
        names=[text_view(each) for each in form.names],
        faults=[ProblemFieldView(field=each.field, detail=each.detail) for each in form.faults],
        complete=form.complete,
    )


def _descriptors(protocol: ProtocolForm) -> list[DescriptorView]:
    return [DescriptorView.model_validate(each.model_dump()) for each in protocol.fields]
