"""The bases of commands and events: who owns a type, on which topic it travels, by which key."""

from typing import ClassVar

from pydantic import Field

from contracts.values import OrganizationId, Value


class Message(Value):
    """One fact or one request. Subclasses set `TYPE`, `TOPIC` and `KEY`, the field whose value is the Kafka key."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    KEY: ClassVar[str]

    organization_id: OrganizationId = Field(description="Organization that everything in the message belongs to")

    @property
    def topic(self) -> str:
        """Where it is sent: the topic of its type; what is for one pool of workers has a topic of that pool."""
        return self.TOPIC

    @property
    def key(self) -> str:
        """Id of the aggregate: equal keys are handled in order, by one consumer at a time."""
        return str(getattr(self, self.KEY))


class Command(Message):
    """A request, named imperatively. Its handler publishes exactly one `CommandOutcome`."""


class Event(Message):
    """A fact, named in the past tense, without instructions to its readers."""
