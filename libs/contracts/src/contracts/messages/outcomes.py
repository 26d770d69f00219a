"""What became of a command."""

from typing import ClassVar

from pydantic import Field, JsonValue

from contracts import topics
from contracts.messages.base import Event
from contracts.values import CommandId, Value


class FieldProblem(Value):
    """One field of a request that was refused."""

    field: str = Field(description="Path of the field, parts joined by dots, e.g. `fields.root`")
    detail: str = Field(description="Why, in words, without the value of a secret")


class Problem(Value):
    """Why something was refused or went wrong. Never carries a secret."""

    code: str = Field(description="Stable name, e.g. `resource_not_found`")
    kind: str = Field(
        default="invalid",
        description="Like an HTTP status: `invalid`, `unauthorized`, `forbidden`, `not_found`, `conflict`, "
        "`precondition_failed`, `failed`, `unavailable` or `internal`",
    )
    detail: str = Field(description="One or two sentences for a person")
    fields: tuple[FieldProblem, ...] = Field(default=(), description="The fields at fault, if any")


class CommandOutcome(Event):
    """A command was carried out (accepted, with its result) or refused (with a problem); one per command."""

    TYPE: ClassVar[str] = "cairn.command.outcome.v1"
    TOPIC: ClassVar[str] = topics.OUTCOMES
    KEY: ClassVar[str] = "command_id"

    command_id: CommandId = Field(description="Id of the command's envelope")
    command_type: str = Field(description="CloudEvents type of the command")
    accepted: bool = Field(description="True when the command was carried out")
    result: dict[str, JsonValue] = Field(default={}, description="What the sender needs to know, by command type")
    problem: Problem | None = Field(default=None, description="Set when not accepted")
