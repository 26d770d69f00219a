"""The JSON Schema of each message: what a reader accepts."""

from typing import Any

from contracts.messages.base import Command, Message

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(message: type[Message]) -> dict[str, Any]:
    """Schema of the data of a message, with its topic and key as extensions."""
    facts = {
        "$schema": DIALECT,
        "$id": f"urn:cairn:schema:{message.TYPE}",
        "x-kind": "command" if issubclass(message, Command) else "event",
        "x-topic": message.TOPIC,
        "x-key": message.KEY,
    }
    return {**facts, **message.model_json_schema(by_alias=True)}
