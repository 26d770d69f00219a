"""What makes a schema of fields a form that people can fill in: checked by the conformance suite."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

SOURCES = re.compile(r"endpoint\.(host|port|identifier)|resource\.name|tag\.[A-Za-z0-9._-]+")
"""What `x-from` may name: see `field_schema.text`."""
TYPES = frozenset({"text", "switch", "port"})
"""What `x-type` may say; secrets, paths and choices say it otherwise."""


def form_faults(schema: Mapping[str, Any]) -> Iterator[str]:
    """What a person would stumble over in the form of a schema, in words; nothing of a good one."""
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    for name, rules in properties.items():
        yield from (f"{name} {fault}" for fault in _field_faults(rules, properties))
    orders = [rules.get("x-order") for rules in properties.values()]
    if len(set(orders)) < len(orders):
        yield "two fields have the same x-order"
    for name in schema.get("required", ()):
        if name not in properties:
            yield f"{name} is required and is no field"


def _field_faults(rules: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if rules.get("type") != "string":
        yield "is no string"
    for word in ("title", "description"):
        if not str(rules.get(word, "")).strip():
            yield f"has no {word}"
    if not isinstance(rules.get("x-order"), int):
        yield "has no x-order"
    if rules.get("x-type", "text") not in TYPES:
        yield f"has an x-type that is none of {', '.join(sorted(TYPES))}"
    yield from _value_faults(rules)
    yield from (f"has an unknown source in x-from: {s}" for s in rules.get("x-from", ()) if not SOURCES.fullmatch(s))
    when = rules.get("x-when")
    if when is not None and (when.get("field") not in properties or not when.get("values")):
        yield "has an x-when that names no other field or no value"


def _value_faults(rules: Mapping[str, Any]) -> Iterator[str]:
    shown = [*rules.get("examples", ()), *([rules["default"]] if "default" in rules else [])]
    if rules.get("x-secret") and (shown or rules.get("x-from")):
        yield "is secret, so it can have no default, no examples and no x-from"
    validator = Draft202012Validator(dict(rules))
    yield from ("has a default or an example that does not fit it" for each in shown if not validator.is_valid(each))
