"""The form of a protocol for a kind of app, and the values that need not be typed. Pure."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from contracts.errors import Invalid
from contracts.field_values import FieldValue, SealedValue
from contracts.messages.catalog import Resource
from contracts.messages.outcomes import FieldProblem
from contracts.queries.wizard import (
    FieldCondition,
    FieldDescriptor,
    Origin,
    PrefilledField,
    PrefilledText,
    PrefilledTexts,
    ProtocolForm,
)
from jsonschema import Draft202012Validator

from assignment.apps.domain.choice import Choice
from assignment.apps.domain.configuration import MOST_FAULTS, all_faults, check_configuration
from assignment.bundles.domain.filling import Filled, Filling, as_bundle_has_it

_ENVIRONMENT_TAGS = ("environment",)
# In place of a secret that is there: what is checked is that it is.
_SEALED = SealedValue(key_id="", data_key="", nonce="", ciphertext="")
_DATA_CLASS_TAGS = ("data_class", "data-class")


def form_of(choice: Choice, resource: Resource | None) -> ProtocolForm:
    """The form of a protocol: the schema as it is checked, and its fields one by one."""
    descriptors = tuple(_descriptor(choice, name, resource) for name in ordered(choice))
    properties = {name: choice.properties[name] for name in ordered(choice)}
    form = {**choice.schema, "properties": properties}
    return ProtocolForm(name=choice.protocol.name, title=choice.protocol.title, form=form, fields=descriptors)


def ordered(choice: Choice) -> list[str]:
    """The names of the fields in the order of the form: by `x-order`, those without one as they are declared, last."""
    declared = choice.schema.get("properties", {})
    # The passphrase is first among the properties where no manifest says more of it; it comes last in a form.
    names = [*declared, *(name for name in choice.properties if name not in declared)]
    return sorted(names, key=lambda name: _order(choice.properties[name]))


def suggestions(choice: Choice, resource: Resource | None, filling: Filling) -> dict[str, PrefilledField]:
    """Values that bundles give, else those from what is known of the resource, else the defaults, with their origin.

    In this order, as a connector that is not given a field gets what a bundle has for it.
    """
    found = dict[str, PrefilledField]()
    for name in ordered(choice):
        rules = choice.properties[name]
        known = _from_resource(rules, resource)
        if name in filling.fields:
            found[name] = from_bundle(filling.fields[name])
        elif known is not None:
            found[name] = PrefilledField(value=known[0], origin=known[1])
        elif isinstance(rules.get("default"), str):
            found[name] = PrefilledField(value=rules["default"], origin=Origin(kind="default"))
    return found


def from_bundle(filled: Filled) -> PrefilledField:
    """What a bundle gives to a field, with the bundle as its origin. A secret is there, and not shown."""
    value, origin = filled.value, Origin(kind="bundle", id=filled.bundle_id, name=filled.bundle_name)
    masked = value.sealed is not None
    return PrefilledField(
        value=None if masked else value.value, provider_id=value.provider_id, masked=masked, origin=origin
    )


def is_complete(choice: Choice, values: Mapping[str, PrefilledField]) -> bool:
    """Whether these values are all that the form requires."""
    try:
        return not check_configuration(choice, _as_fields(values))
    except Invalid:
        return False


def faults_of(choice: Choice, filling: Filling, values: Mapping[str, PrefilledField]) -> tuple[FieldProblem, ...]:
    """What a connector would be refused with that leaves to bundles what they give: a person has to fill that in.

    Bundles that contradict each other about a field for which nothing else is known, and what does not fit.
    """
    ties = ((f"fields.{name}", why) for name, why in filling.ties.items() if name not in values)
    wrong, _ = all_faults(choice, _as_fields(values))
    names = {f"fields.{name}": filled.bundle_name for name, filled in filling.fields.items()}
    unfit = ((path, as_bundle_has_it(fault, names[path])) for path, fault in wrong if path in names)
    return tuple(FieldProblem(field=path, detail=detail) for path, detail in islice([*ties, *unfit], MOST_FAULTS))


def _as_fields(values: Mapping[str, PrefilledField]) -> dict[str, FieldValue]:
    return {
        name: FieldValue(provider_id=each.provider_id, value=each.value, sealed=_SEALED if each.masked else None)
        for name, each in values.items()
    }


def environment_of(resource: Resource | None) -> PrefilledText | None:
    """The environment that the resource's tags name; the first one, should there be several."""
    found = next(_tagged(resource, _ENVIRONMENT_TAGS), None)
    return PrefilledText(value=found[1], origin=Origin(kind="tag", name=found[0])) if found else None


def data_classes_of(resource: Resource | None) -> PrefilledTexts | None:
    """The data classes that the resource's tags name, in their order."""
    found = list(_tagged(resource, _DATA_CLASS_TAGS))
    if not found:
        return None
    values = tuple(dict.fromkeys(value for _, value in found))
    return PrefilledTexts(values=values, origin=Origin(kind="tag", name=", ".join(tag for tag, _ in found)))


def endpoints_of(resource: Resource | None) -> PrefilledTexts | None:
    """The addresses that a connector has which names none."""
    if resource is None or not resource.endpoints:
        return None
    addresses = tuple(endpoint.endpoint for endpoint in resource.endpoints)
    return PrefilledTexts(values=addresses, origin=Origin(kind="resource", name=resource.name))


def _descriptor(choice: Choice, name: str, resource: Resource | None) -> FieldDescriptor:
    rules, default = choice.properties[name], choice.properties[name].get("default")
    known = _from_resource(rules, resource)
    when = rules.get("x-when")
    return FieldDescriptor(
        name=name,
        display_name=str(rules.get("title") or name.replace("_", " ").capitalize()),
        description=str(rules.get("description") or ""),
        type=_type(rules, sensitive=name in choice.secret_fields()),
        required=name in choice.schema.get("required", ()),
        sensitive=name in choice.secret_fields(),
        default=default if isinstance(default, str) else None,
        enum=tuple(map(str, rules.get("enum", ()))),
        pattern=rules.get("pattern"),
        examples=tuple(map(str, rules.get("examples", ()))),
        inventory_value=known[0] if known else None,
        when=FieldCondition(field=str(when["field"]), values=tuple(map(str, when["values"]))) if when else None,
    )


def _type(rules: Mapping[str, Any], *, sensitive: bool) -> str:
    if sensitive:
        return "secret"
    if rules.get("enum"):
        return "choice"
    if rules.get("x-path"):
        return "path"
    return str(rules.get("x-type", "text"))


def _order(rules: Mapping[str, Any]) -> float:
    order = rules.get("x-order")
    return order if isinstance(order, int) else float("inf")


def _from_resource(rules: Mapping[str, Any], resource: Resource | None) -> tuple[str, Origin] | None:
    """The first value that fits of those that `x-from` names; nothing for a secret, as what is known is no secret."""
    if resource is None or rules.get("x-secret"):
        return None
    for source in rules.get("x-from", ()):
        for value, origin in _known(str(source), resource):
            if value and Draft202012Validator(rules).is_valid(value):
                return value, origin
    return None


def _known(source: str, resource: Resource) -> Iterator[tuple[str, Origin]]:
    subject, _, part = source.partition(".")
    if subject == "resource" and part == "name":
        yield resource.name, Origin(kind="resource", name=resource.name)
    elif subject == "tag":
        yield from ((value, Origin(kind="tag", name=tag)) for tag, value in _tagged(resource, (part,)))
    elif subject == "endpoint":
        for endpoint in resource.endpoints:
            # Of an identifier `kind` is `host`, for readers of the version before.
            value = _part_of(endpoint.endpoint, part, is_identifier=endpoint.is_identifier)
            yield value, Origin(kind="endpoint", name=endpoint.endpoint)


def _part_of(address: str, part: str, *, is_identifier: bool) -> str:
    """The host, the port or the identifier in an endpoint; empty where it has none."""
    if part == "identifier":
        return address if is_identifier else ""
    if is_identifier:
        return ""
    # As `contracts.endpoints` reads it; what is kept was read by that.
    bare = address.split("://", 1)[-1].split("/", 1)[0]
    host, port = bare, ""
    if bare.startswith("["):
        host, _, rest = bare[1:].partition("]")
        port = rest.removeprefix(":")
    elif bare.count(":") == 1:
        host, _, port = bare.partition(":")
    return {"host": host, "port": port}.get(part, "")


def _tagged(resource: Resource | None, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Tags `key=value` with one of these keys, in their order, each with its value."""
    for tag in resource.tags if resource else ():
        key, _, value = tag.partition("=")
        if key.strip().casefold() in keys and value.strip():
            yield tag, value.strip()
