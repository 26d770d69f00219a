"""JSON Schemas of configuration fields. All values are strings.

Keywords beside those of JSON Schema tell a form what to do: `x-secret` (sealed when it arrives), `x-path` (an absolute
path, kept in its plain form), `x-order` (place in the form), `x-type` (`switch`, `port`), `x-from` (what of the
resource may be proposed), `x-when` (the field matters only beside certain values of another one).
"""

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
    return text(title, description, pattern=_SWITCH, default=str(default).lower(), **{"x-type": "switch"})


def port(title: str, description: str) -> Schema:
    """A field of a port number; empty means none. Proposed is that of the resource's endpoint."""
    field = text(title, description, pattern=_PORT, examples=["9000"], **{"x-type": "port"})
    return proposed_from(field, "endpoint.port")


def passphrase() -> Schema:
    """The field that every protocol has, for each kind of app."""
    return secret(
        "Passphrase",
        "Encrypts what is kept in a store. Without it nothing can be read back: keep a copy in a safe place. "
        "A store needs one before it can be initialized; sources and destinations have no use for it.",
    )


def proposed_from(schema: Schema, *sources: str) -> Schema:
    """A field whose value may be known already: the first of these that there is and that fits is proposed.

    Sources: `endpoint.host`, `endpoint.port`, `endpoint.identifier`, `resource.name`, `tag.<key>`.
    """
    return {**schema, "x-from": list(sources)}


def only_when(schema: Schema, field: str, *values: str) -> Schema:
    """A field that matters only beside these values of another one; the empty value: it is left out."""
    return {**schema, "x-when": {"field": field, "values": list(values)}}


def required_when(field: str, *values: str, required: Sequence[str]) -> Schema:
    """A rule for `fields`: beside these values of a field, others are required."""
    condition: Schema = {"required": [field], "properties": {field: {"enum": list(values)}}}
    return {"if": condition, "then": {"required": list(required)}}


def fields(properties: Mapping[str, Schema], *, required: Sequence[str], rules: Sequence[Schema] = ()) -> Schema:
    """The schema of a protocol's fields, for one kind of app, in the order of the form. Other fields are refused."""
    conditions: Schema = {"allOf": list(rules)} if rules else {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: {**each, "x-order": place} for place, (name, each) in enumerate(properties.items(), 1)},
        "required": list(required),
        "additionalProperties": False,
        **conditions,
    }
