"""What may change in a message without a new version of it: optional fields, and models of a union that `type` tells
apart, may be added, nothing else.

A new version of a message is a new type; both are sent for a while. What these rules forbid would make a reader of the
old schema refuse new messages, or a reader of the new one refuse old messages.
"""

import json
from typing import Any

Schema = dict[str, Any]
# Neither these nor definitions, which are resolved first, change what a schema accepts. A default only matters to a
# field that is optional, and every reader has its own.
_FOR_PEOPLE = frozenset({"title", "description", "default", "examples", "$schema", "$id", "$defs"})
_DEALT_WITH = frozenset({"properties", "required", "items", "anyOf", "additionalProperties"})


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What in `new` breaks `old`, one line each, with the path of the field; empty when it is a mere addition."""
    return _compare(resolve(old), resolve(new), path="")


def resolve(schema: Schema) -> Schema:
    """The schema with every `$ref` into its own `$defs` replaced by what it names."""
    resolved = _resolve(schema, schema.get("$defs", {}))
    return dict(resolved)


def _resolve(part: Any, definitions: Schema) -> Any:
    if isinstance(part, list):
        return [_resolve(p, definitions) for p in part]
    if not isinstance(part, dict):
        return part
    # A property may be called `$ref` too; then its value is a schema, and no text.
    named = part.get("$ref", "").removeprefix("#/$defs/") if isinstance(part.get("$ref"), str) else ""
    own = {key: _resolve(value, definitions) for key, value in part.items() if key not in ("$ref", "$defs")}
    return {**_resolve(definitions[named], definitions), **own} if named else own


def _compare(old: Any, new: Any, *, path: str) -> list[str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [f"{path or 'message'}: {_short(old)} became {_short(new)}"]
    return [
        *_keywords(old, new, path),
        *_properties(old, new, path),
        *_nested(old, new, path),
        *_choices(old.get("anyOf"), new.get("anyOf"), path),
    ]


def _keywords(old: Schema, new: Schema, path: str) -> list[str]:
    """Types, formats, limits, allowed values: as they were."""
    # Compared for equality: a limit that is merely widened is a break too, as readers of the old schema would refuse.
    names = sorted((old.keys() | new.keys()) - _FOR_PEOPLE - _DEALT_WITH)
    changed = [n for n in names if old.get(n) != new.get(n)]
    return [f"{path or 'message'}: {n} {_short(old.get(n))} became {_short(new.get(n))}" for n in changed]


def _properties(old: Schema, new: Schema, path: str) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    removed = [f"{_join(path, name)}: removed" for name in before if name not in after]
    # Required is what a reader demands. Messages in the topic, and senders of versions before, do not have the field.
    demanded = sorted(set(new.get("required", ())) - set(old.get("required", ())))
    required = [f"{_join(path, name)}: {'became' if name in before else 'added as'} required" for name in demanded]
    kept = [c for name in before if name in after for c in _compare(before[name], after[name], path=_join(path, name))]
    return removed + required + kept


def _nested(old: Schema, new: Schema, path: str) -> list[str]:
    changes = []
    for keyword, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if old.get(keyword) is not None or new.get(keyword) is not None:
            changes += _compare(old.get(keyword), new.get(keyword), path=f"{path}{mark}")
    return changes


def _choices(old: list[Any] | None, new: list[Any] | None, path: str) -> list[str]:
    if old is None or new is None:
        return [] if old is new else [f"{path or 'message'}: {_short(old)} became {_short(new)}"]
    known = _known_choices(old, new)
    # Any other choice more is a break: readers of the old schema know no such value.
    if len(old) != len(known):
        return [f"{path or 'message'}: {_short(old)} became {_short(known)}"]
    return [c for before, after in zip(old, known, strict=True) for c in _compare(before, after, path=path)]


def _known_choices(old: list[Any], new: list[Any]) -> list[Any]:
    """The new choices, without models of a tagged union that the old schema did not have."""
    # A result of a new task type is sent only to who could ask for such a task (decision 0038).
    tags = {_tag(each) for each in old} | {None}
    return [each for each in new if _tag(each) in tags]


def _tag(choice: Any) -> str | None:
    """The value of `type` that tells one model of a tagged union from the others."""
    properties = choice.get("properties", {}) if isinstance(choice, dict) else {}
    tag = properties.get("type", {}).get("const")
    return str(tag) if tag is not None else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
