"""What all commands to and events of the connector workers have in common."""

from typing import ClassVar

from pydantic import Field

from contracts import topics
from contracts.messages.assignment import AppRef
from contracts.messages.base import Command, Event
from contracts.values import AppId, OrganizationId

EVERYBODY = OrganizationId("")
"""Organization of messages that concern the whole installation."""


class ConnectorCommand(Command):
    """Keyed by app."""

    TOPIC: ClassVar[str] = topics.CONNECTOR_COMMANDS
    KEY: ClassVar[str] = "app_id"

    app_id: AppId = Field(description="App to act on")
    app: AppRef = Field(description="The app in the revision that the sender knew")
    pool: str = Field(
        default=topics.DEFAULT_POOL, description="Pool of workers that can reach the app; part of the topic's name"
    )

    @property
    def topic(self) -> str:
        """The commands of the pool."""
        return topics.connector_commands(self.pool)


class ConnectorEvent(Event):
    """All connector events share a topic; the key is the id of what the event is about."""

    TOPIC: ClassVar[str] = topics.CONNECTOR_EVENTS
