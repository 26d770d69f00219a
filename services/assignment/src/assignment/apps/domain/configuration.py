"""Whether the fields of an app fit the schema of its protocol. Pure; no text here ever quotes a value."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from chassis.kept_secrets import printable
from chassis.texts import is_storable
from contracts.errors import Invalid
from contracts.field_values import FieldValue
from contracts.messages.outcomes import FieldProblem
from contracts.paths import normalized
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from assignment.apps.domain.choice import Choice

LONGEST_VALUE = 65_536
MOST_FAULTS = 20
_ABOUT_PRESENCE = ("required", "dependentRequired")


Fault = tuple[str, str]
"""Path and what is wrong, in words."""


def check_configuration(choice: Choice, fields: Mapping[str, FieldValue]) -> tuple[FieldProblem, ...]:
    """What the fields lack of those that the schema requires: they can be filled in later.

    Raises `Invalid` `configuration_invalid`, which never quotes a value, when those that are there do not fit it. A
    sealed value or a reference into a secret provider counts as present, whatever it holds. An empty one counts as
    missing.
    """
    wrong, missing = all_faults(choice, fields)
    found = dict(islice([*wrong, *missing], MOST_FAULTS))
    if wrong:
        words = "; ".join(f"{path.removeprefix('fields.')} {fault}" for path, fault in found.items())
        detail = f"The configuration does not fit protocol {choice.protocol.name} of a {choice.kind}: {words}."
        raise Invalid("configuration_invalid", detail, fields=found)
    return tuple(FieldProblem(field=path, detail=fault) for path, fault in found.items())


def faults_of(choice: Choice, fields: Mapping[str, FieldValue]) -> tuple[FieldProblem, ...]:
    """All that does not fit or is missing, for fields that fitted another version; never quotes a value."""
    wrong, missing = all_faults(choice, fields)
    return tuple(FieldProblem(field=path, detail=fault) for path, fault in islice([*wrong, *missing], MOST_FAULTS))


def all_faults(choice: Choice, fields: Mapping[str, FieldValue]) -> tuple[list[Fault], list[Fault]]:
    """What is wrong, and what is merely missing."""
    wrong, missing = list(_wrong(choice, fields)), list[Fault]()
    for is_missing, fault in _misfits(choice, fields):
        (missing if is_missing else wrong).append(fault)
    return wrong, missing


def normalize(choice: Choice, fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """The fields of a configuration that fits, with the paths among them (`x-path`) as restore points tell them."""
    return {name: _normalized(field, choice.properties.get(name, {})) for name, field in fields.items()}


def _normalized(field: FieldValue, rules: Mapping[str, Any]) -> FieldValue:
    if not rules.get("x-path") or field.provider_id or not field.value:
        return field
    return field.model_copy(update={"value": normalized(field.value)})


def _given(fields: Mapping[str, FieldValue]) -> tuple[set[str], dict[str, str]]:
    """Names of those that are there and cannot be read here, and what can be read of the others."""
    hidden = {name for name, field in fields.items() if field.sealed is not None or field.provider_id}
    return hidden, {name: field.value for name, field in fields.items() if name not in hidden and field.value}


def _wrong(choice: Choice, fields: Mapping[str, FieldValue]) -> Iterator[Fault]:
    _, clear = _given(fields)
    secret, known = choice.secret_fields(), ", ".join(sorted(choice.properties))
    for name in fields:
        if name not in choice.properties:
            yield f"fields.{printable(name)}", f"is not among its fields ({known})"
    for name, value in clear.items():
        if name in secret:
            yield f"fields.{name}", "is secret and must be sealed on its way"
        elif not is_storable(value) or len(value) > LONGEST_VALUE:
            yield f"fields.{name}", f"holds a NUL character or more than {LONGEST_VALUE} characters"


def _misfits(choice: Choice, fields: Mapping[str, FieldValue]) -> Iterator[tuple[bool, Fault]]:
    """Where the schema is broken, and whether by nothing but what is missing."""
    hidden, clear = _given(fields)
    declared = choice.schema.get("properties", {})
    # A sealed value is checked as an empty text, as nothing here can read it; faults of its form are passed over below.
    instance = {name: value for name, value in {**clear, **dict.fromkeys(hidden, "")}.items() if name in declared}
    for error in Draft202012Validator(choice.schema).iter_errors(instance):
        if error.validator in _ABOUT_PRESENCE:
            yield from ((True, (f"fields.{name}", "is missing")) for name in _required(error) if name not in instance)
        elif not error.path:
            yield _misfit_of_all(error)
        elif error.path[0] not in hidden:
            name = str(error.path[0])
            yield False, (f"fields.{name}", _words(error, choice.properties[name]))


def _misfit_of_all(error: ValidationError) -> tuple[bool, Fault]:
    """A rule about the fields together, and whether it is broken by nothing but what is missing."""
    if _lacks_one_of_several(error):
        return True, ("fields", "lack one of several that go together")
    return False, ("fields", "break a rule that they have together")


def _lacks_one_of_several(error: ValidationError) -> bool:
    """Whether a rule of alternatives is broken only because none of them is there yet."""
    contexts = list(error.context or ())
    return bool(contexts) and all(e.validator in _ABOUT_PRESENCE and not e.path for e in contexts)


def _required(error: ValidationError) -> list[str]:
    rule: Any = error.validator_value
    given: Any = error.instance
    if error.validator == "required":
        return list(rule)
    return [name for trigger, names in rule.items() if trigger in given for name in names]


def _words(error: ValidationError, rules: Mapping[str, Any]) -> str:
    """Why a value does not fit, from the rule it breaks; the value itself might be a secret in the wrong place."""
    rule: Any = error.validator_value
    # The texts of `jsonschema` quote the value.
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
