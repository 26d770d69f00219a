"""Secrets that stay as they are when their owner is changed. Pure, so that decisions may use it."""

from collections.abc import Mapping

from contracts.errors import Conflict
from contracts.field_values import FieldValue

from chassis.texts import fault_of

_MOST_FAULTS = 20


def with_kept(
    fields: Mapping[str, FieldValue], present: Mapping[str, FieldValue], *, within: str = "fields"
) -> dict[str, FieldValue]:
    """The fields, and for those that should stay as they are the secrets that are `present`.

    Raises `Conflict` (`nothing_masked`) naming those where no secret is: the request is well formed, and asks for what
    is not there. `within`: what a client calls the fields.
    """
    lost = [name for name, field in fields.items() if field.keep and (name not in present or not present[name].sealed)]
    faults = {f"{within}.{printable(name)}.masked": "there is no secret to keep" for name in lost[:_MOST_FAULTS]}
    if faults:
        words = ", ".join(faults)
        raise Conflict("nothing_masked", f"No secret is kept that could stay as it is: {words}.", fields=faults)
    return {name: present[name] if field.keep else field for name, field in fields.items()}


def printable(name: str) -> str:
    """The name of a field as it may stand in a text."""
    # A client may send any text as the name of a field, and it comes back in logs and answers.
    return name if fault_of(name, longest=64, empty=False) is None else ascii(name[:64])
