"""Who keeps sealed values is known, so that a replacement of the master key forgets nobody (decision 0062)."""

import json
from typing import get_args

from contracts.queries.sealing import OwnerKind
from contracts.registry import MESSAGES

RESEALED = {
    "cairn.assignment.app.": "connector",
    "cairn.assignment.bundle.": "bundle",
    "cairn.catalog.inventory.": "inventory",
}
"""Messages that bring sealed values to those who keep them, and as what they are taken under another key."""
NOT_KEPT = {"cairn.connector.draft.test.v1"}
"""Messages with sealed values that nobody keeps; what they ask for is over before a key is given up."""


def test_whoever_is_sent_sealed_values_is_asked_for_them() -> None:
    sent = {type_ for type_, message in MESSAGES.items() if "SealedValue" in json.dumps(message.model_json_schema())}
    kept = {type_: [kind for prefix, kind in RESEALED.items() if type_.startswith(prefix)] for type_ in sent - NOT_KEPT}
    assert {type_: kinds for type_, kinds in kept.items() if len(kinds) != 1} == {}
    assert sent >= NOT_KEPT
    assert set(get_args(OwnerKind)) == set(RESEALED.values())
    assert {f"{prefix}reseal.v1" for prefix in RESEALED} <= MESSAGES.keys()
