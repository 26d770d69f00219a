"""Which of the integrations that workers offer are taken over. Pure."""

import re

from contracts.errors import Invalid
from contracts.messages.connector.offers import Integration
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError


def supersedes(offered: Integration, current: Integration | None) -> bool:
    """Whether an offered integration takes the place of the known one: a newer version, or other words for the same."""
    if current is None:
        return True
    # The same version with other words is taken too: third parties forget to count up while they work on a manifest.
    return _version(offered.version) >= _version(current.version) and offered != current


def check_offer(offered: Integration) -> None:
    """Raise `Invalid` when an integration's manifest cannot be worked with."""
    for protocol in offered.protocols:
        for kind in protocol.kinds:
            if kind not in protocol.schemas:
                raise Invalid("manifest_invalid", f"Protocol {protocol.name} has no schema for a {kind}.")
            try:
                Draft202012Validator.check_schema(protocol.schemas[kind])
            except SchemaError as error:
                detail = f"The schema of protocol {protocol.name} for a {kind} is no JSON Schema."
                raise Invalid("manifest_invalid", detail) from error


def _version(version: str) -> tuple[int, ...]:
    # The numbers alone, so that any scheme of versions has an order: `1.10` after `1.9`, `v2` after `1.0-beta`.
    return tuple(int(part) for part in re.findall(r"\d+", version))
