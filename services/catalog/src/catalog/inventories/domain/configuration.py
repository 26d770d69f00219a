"""Whether the settings of an inventory are those of its type. Pure; no text here ever quotes a value."""

from collections.abc import Iterator, Mapping

from chassis.kept_secrets import printable
from chassis.texts import fault_of, is_storable
from contracts.field_values import FieldValue
from contracts.inventory_types import SETTINGS, InventoryType, Setting, block_of, required_settings

LONGEST_TEXT = 255
LONGEST_VALUE = 65_536
Fault = tuple[str, str]
"""Place in the request and what is wrong, in words."""


def configuration_faults(kind: InventoryType, configuration: Mapping[str, FieldValue]) -> Iterator[Fault]:
    """What is wrong with the settings of an inventory. A sealed one, or a reference, is taken for right."""
    block, known = block_of(kind), {setting.name: setting for setting in SETTINGS[kind]}
    for name, field in configuration.items():
        if fault := _fault(known.get(name), field):
            yield f"{block}.{printable(name)}", fault
    readable = {name: field.value for name, field in configuration.items()}
    for setting in required_settings(kind, readable):
        if not _is_set(configuration.get(setting.name)):
            yield f"{block}.{setting.name}", "is missing"


def _is_set(field: FieldValue | None) -> bool:
    return field is not None and bool(field.sealed or field.provider_id or field.value)


def _fault(setting: Setting | None, field: FieldValue) -> str | None:
    if setting is None:
        return "is not among the settings of this type"
    # A reference names a place in a secret provider; an empty text is no value.
    if field.provider_id or not field.value:
        return None
    if setting.secret:
        return "is secret and must be sealed on its way"
    if setting.choices and field.value not in setting.choices:
        return f"must be one of {', '.join(setting.choices)}"
    if setting.is_text:
        return fault_of(field.value, longest=LONGEST_TEXT, empty=not setting.required)
    if not is_storable(field.value) or len(field.value) > LONGEST_VALUE:
        return f"holds a NUL character or more than {LONGEST_VALUE} characters"
    return None
