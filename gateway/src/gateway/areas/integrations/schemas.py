"""Integrations."""

from contracts.file_properties import FileProperty
from contracts.messages.connector.offers import Integration
from pydantic import Field, JsonValue

from gateway.http.answers import View
from gateway.http.body_fields import Body, Id, Text
from gateway.http.examples import INTEGRATION, example


class Installation(Body):
    """An integration to install."""

    model_config = example(name="fs", version="1.0.0")

    name: Id
    version: Text = Field(default="", description="Empty: whichever is offered")


class MatchView(View):
    """A kind of resource that an integration works with."""

    class_: str = Field(alias="class")
    subclass: str


class ProtocolView(View):
    """One way an integration reaches a system."""

    name: str
    title: str
    kinds: list[str]
    schemas: dict[str, JsonValue] = Field(description="JSON Schema of the fields, by type of connector")


class IntegrationView(View):
    """A plug-in for a kind of system."""

    model_config = example(
        id=INTEGRATION,
        name="fs",
        version="1.0.0",
        title="Directory",
        matches=[{"class": "file-storage", "subclass": "posix"}],
        protocols=[{"name": "fs", "title": "Directory", "kinds": ["source", "store"], "schemas": {"source": {}}}],
        help="A directory that the workers can reach.",
        keeps=["links", "owner", "mode", "times"],
    )

    id: str
    name: str
    version: str
    title: str
    matches: list[MatchView]
    protocols: list[ProtocolView]
    help: str
    keeps: list[FileProperty] = Field(
        description="What a destination gives back of files beside their names and contents"
    )


def integration_view(integration: Integration) -> IntegrationView:
    """An integration."""
    return IntegrationView.model_validate(integration.model_dump(by_alias=True))
