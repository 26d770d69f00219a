"""Whether the fields of an app fit the schema of its protocol. Pure; no text here ever quotes a value."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from chassis.errors import Invalid
from chassis.paths import normalized
from chassis.texts import fault_of, is_storable
from contracts.assignment import FieldValue
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from assignment.domain.choice import Choice

LONGEST_VALUE = 65_536
MOST_FAULTS = 20


def check_configuration(choice: Choice, fields: Mapping[str, FieldValue]) -> None:
    """Raise `Invalid` `configuration_invalid` when the fields do not fit the schema; never quotes a value.

    A sealed value or a reference into a secret provider counts as present, whatever it holds. An empty value counts
    as missing.
    """
    faults = dict(islice(_faults(choice, fields), MOST_FAULTS))
    if faults:
        words = "; ".join(f"{path.removeprefix('fields.')} {fault}" for path, fault in faults.items())
        detail = f"The configuration does not fit protocol {choice.protocol.name} of a {choice.kind}: {words}."
        raise Invalid("configuration_invalid", detail, fields=faults)


def normalize(choice: Choice, fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """The fields of a configuration that fits, with the paths among them (`x-path`) as restore points tell them."""
    return {name: _normalized(field, choice.properties.get(name, {})) for name, field in fields.items()}


def _normalized(field: FieldValue, rules: Mapping[str, Any]) -> FieldValue:
    if not rules.get("x-path") or field.provider_id or not field.value:
        return field
    return field.model_copy(update={"value": normalized(field.value)})


def _faults(choice: Choice, fields: Mapping[str, FieldValue]) -> Iterator[tuple[str, str]]:
    hidden = {name for name, field in fields.items() if field.sealed is not None or field.provider_id}
    clear = {name: field.value for name, field in fields.items() if name not in hidden and field.value}
    secret, known = choice.secret_fields(), ", ".join(sorted(choice.properties))
    for name in fields:
        if name not in choice.properties:
            yield f"fields.{_printable(name)}", f"is not among its fields ({known})"
    for name, value in clear.items():
        if name in secret:
            yield f"fields.{name}", "is secret and must be sealed on its way"
        elif not is_storable(value) or len(value) > LONGEST_VALUE:
            yield f"fields.{name}", f"holds a NUL character or more than {LONGEST_VALUE} characters"
    yield from _misfits(choice, {**clear, **dict.fromkeys(hidden, "")}, hidden=hidden)


def _misfits(choice: Choice, given: Mapping[str, str], *, hidden: Collection[str]) -> Iterator[tuple[str, str]]:
    declared = choice.schema.get("properties", {})
    instance = {name: value for name, value in given.items() if name in declared}
    for error in Draft202012Validator(choice.schema).iter_errors(instance):
        if error.validator in ("required", "dependentRequired"):
            yield from ((f"fields.{name}", "is missing") for name in _required(error) if name not in instance)
        elif not error.path:
            yield "fields", "break a rule that they have together"
        elif error.path[0] not in hidden:
            name = str(error.path[0])
            yield f"fields.{name}", _words(error, choice.properties[name])


def _required(error: ValidationError) -> list[str]:
    rule: Any = error.validator_value
    given: Any = error.instance
    if error.validator == "required":
        return list(rule)
    return [name for trigger, names in rule.items() if trigger in given for name in names]


def _words(error: ValidationError, rules: Mapping[str, Any]) -> str:
    """Why a value does not fit, from the rule it breaks; the value itself might be a secret in the wrong place."""
    rule: Any = error.validator_value
    match error.validator:
        case "enum":
            return f"must be one of {', '.join(map(str, rule))}"
        case "const":
            return f"must be {rule}"
        case "minLength":
            return f"must have at least {rule} characters"
        case "maxLength":
            return f"must have at most {rule} characters"
    hint = rules.get("x-hint") or rules.get("description")
    return f"does not have the right form: {str(hint).rstrip('.')}" if hint else "does not have the right form"


def _printable(name: str) -> str:
    return name if fault_of(name, longest=64, empty=False) is None else ascii(name[:64])
