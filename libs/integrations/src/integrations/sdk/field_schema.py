"""JSON Schemas of configuration fields. All values are strings; secrets are marked with `x-secret`,
absolute paths with `x-path`: those are kept in their plain form."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

Schema = dict[str, JsonValue]

_SWITCH = "^([Tt]rue|[Ff]alse|)$"
_PORT = "^([0-9]{1,5}|)$"


def text(title: str, description: str, **others: JsonValue) -> Schema:
    """A field of text."""
    return {"type": "string", "title": title, "description": description, **others}


def secret(title: str, description: str, **others: JsonValue) -> Schema:
    """A field that is sealed when it arrives, and never shown in clear by Cairn itself."""
    return {**text(title, description, **others), "x-secret": True}


def switch(title: str, description: str, *, default: bool) -> Schema:
    """A field of `true` or `false`; empty means the default."""
    return text(title, description, pattern=_SWITCH, default=str(default).lower())


def port(title: str, description: str) -> Schema:
    """A field of a port number; empty means none."""
    return text(title, description, pattern=_PORT, examples=["9000"])


def passphrase() -> Schema:
    """The field that every protocol has, for each kind of app."""
    return secret(
        "Passphrase",
        "Encrypts what is kept in a store. Without it nothing can be read back: keep a copy in a safe place. "
        "A store needs one before it can be initialized; sources and destinations have no use for it.",
    )


def fields(properties: Mapping[str, Schema], *, required: Sequence[str]) -> Schema:
    """The schema of a protocol's fields, for one kind of app. Other fields are refused."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }
