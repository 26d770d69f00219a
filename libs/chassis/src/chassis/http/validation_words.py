"""What is wrong with a part of a request, in our words: those of the library are about its types."""

import re
from collections.abc import Mapping
from typing import Any

from contracts.wording import counted, is_or_are

_UNKNOWN = "does not have the form it should"
_TIME = "must be a time as RFC 3339 has them, such as 2026-11-28T17:30:00Z"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "string_unicode": "must be a text in UTF-8",
    "bytes_type": "must be a text",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "none_required": "must be null",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "invalid_key": "has a key that is no text",
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": "must be a time with its offset",
    "date_type": "must be a date such as 2026-11-28",
    "date_parsing": "must be a date such as 2026-11-28",
    "date_from_datetime_parsing": "must be a date such as 2026-11-28",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "union_tag_not_found": "must say which kind it is, in {discriminator}",
    "union_tag_invalid": "must be one of the kinds {expected_tags}",
    "value_error": "{error}",
    "assertion_error": "{error}",
}
# What "+02:00" has become in a query in which nobody wrote the plus as %2B.
_LOST_PLUS = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.]\d+)?)? \d{2}:?\d{2}")


def in_words(error: Mapping[str, Any]) -> str:
    """What one error of pydantic says of a value, as what follows the name of its field. Never quotes the value."""
    said = _said(error["type"], error.get("ctx") or {})
    value = error.get("input")
    if error["loc"][:1] == ("query",) and isinstance(value, str) and _LOST_PLUS.fullmatch(value):
        return f"{said}; the + of an offset is written %2B in a query"
    return said


def _said(kind: str, about: Mapping[str, Any]) -> str:
    if kind == "too_long":
        return f"has {_size(about)}, at most {about['max_length']} {is_or_are(about['max_length'])} allowed"
    if kind == "too_short":
        return f"has {_size(about)}, at least {about['min_length']} {is_or_are(about['min_length'])} needed"
    if kind in ("string_too_long", "bytes_too_long"):
        return f"is longer than {counted(about['max_length'], 'character')}"
    if kind in ("string_too_short", "bytes_too_short"):
        least = about["min_length"]
        return "must not be empty" if least == 1 else f"is shorter than {counted(least, 'character')}"
    try:
        return _WORDS.get(kind, _UNKNOWN).format_map({name: _plain(fact) for name, fact in about.items()})
    except KeyError:
        # Made by hand, without what the library says beside its kind.
        return _UNKNOWN


def _plain(fact: Any) -> Any:
    # The bounds of a float are floats, however they were written.
    return int(fact) if isinstance(fact, float) and fact.is_integer() else fact


def _size(about: Mapping[str, Any]) -> str:
    # The library does not always count to the end.
    return "too many items" if about["actual_length"] is None else counted(about["actual_length"], "item")
