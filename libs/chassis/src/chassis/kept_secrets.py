"""Secrets that stay when their owner is changed, or when a key is. Pure, so that decisions may use it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.errors import Conflict
from contracts.field_values import FieldValue
from contracts.messages.resealing import Resealed
from contracts.queries.sealing import KeyUse, OwnerKind, SealedField, SealedOwner, SealedOwners, SealedQuestion

from chassis.texts import fault_of

_MOST_FAULTS = 20


def with_kept(
    fields: Mapping[str, FieldValue], present: Mapping[str, FieldValue], *, within: str = "fields"
) -> dict[str, FieldValue]:
    """The fields, and for those that should stay as they are the secrets that are `present`.

    Raises `Conflict` (`nothing_masked`) naming those where no secret is: the request is well formed, and asks for what
    is not there. `within`: what a client calls the fields.
    """
    lost = [name for name, field in fields.items() if field.keep and not _can_stay(present.get(name))]
    faults = {f"{within}.{printable(name)}.masked": "there is no secret to keep" for name in lost[:_MOST_FAULTS]}
    if faults:
        words = ", ".join(faults)
        raise Conflict("nothing_masked", f"No secret is kept that could stay as it is: {words}.", fields=faults)
    return {name: present[name] if field.keep else field for name, field in fields.items()}


def with_resealed(fields: Mapping[str, FieldValue], resealed: Iterable[Resealed]) -> dict[str, FieldValue]:
    """The fields with secrets under other keys, each in the place of the very sealed value that it was made from."""
    changed = dict(fields)
    for each in resealed:
        field = changed.get(each.field)
        # Another nonce: the secret was changed since, or it took its place before.
        if field is not None and field.sealed is not None and field.sealed.nonce == each.nonce:
            changed[each.field] = field.model_copy(update={"sealed": each.sealed})
    return changed


def replaced(before: Mapping[str, FieldValue], after: Mapping[str, FieldValue]) -> int:
    """How many fields have another value than before."""
    return sum(value != before.get(name) for name, value in after.items())


class Holder(NamedTuple):
    """What keeps sealed values."""

    kind: OwnerKind
    id: str
    fields: Mapping[str, FieldValue]


def sealed_owners(holders: Iterable[Holder], question: SealedQuestion) -> SealedOwners:
    """Who of them keeps values sealed under other keys, as many as asked for, and how many values are under which."""
    owners: list[SealedOwner] = []
    uses = Counter[tuple[str, str]]()
    for holder in holders:
        found = [
            SealedField(field=name, sealed_for=value.owner(holder.id), sealed=value.sealed)
            for name, value in holder.fields.items()
            if value.sealed is not None
        ]
        uses.update((holder.kind, each.sealed.key_id) for each in found)
        others = tuple(each for each in found if each.sealed.key_id != question.key_id)
        if others and len(owners) < question.limit:
            owners.append(SealedOwner(kind=holder.kind, id=holder.id, fields=others))
    counted = (KeyUse(kind=kind, key_id=key, values=values) for (kind, key), values in sorted(uses.items()))
    return SealedOwners(owners=tuple(owners), uses=tuple(counted))


def _can_stay(present: FieldValue | None) -> bool:
    # What came from a bundle goes on following it, secret or not.
    return present is not None and (present.sealed is not None or present.bundle_id is not None)


def printable(name: str) -> str:
    """The name of a field as it may stand in a text."""
    # A client may send any text as the name of a field, and it comes back in logs and answers.
    return name if fault_of(name, longest=64, empty=False) is None else ascii(name[:64])
