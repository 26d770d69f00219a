"""Which of the integrations that workers offer are taken over, and which of them a connector may use. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from contracts.errors import Invalid, TemporaryError
from contracts.messages.connector.offers import Integration
from contracts.queries.installations import OfferedVersion
from contracts.values import IntegrationId
from contracts.versions import version_key
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from assignment.apps.domain.pools import Pool

Absence = Literal["leaving", "uninstalled"]
"""Why an organization does not have an integration: it is being decided that it does without it, or it does."""


@dataclass(frozen=True)
class Offering:
    """All integrations that were ever offered, and those among them that an organization cannot choose."""

    integrations: Sequence[Integration]
    absent: Mapping[IntegrationId, Absence] = field(default_factory=dict)
    gone: frozenset[IntegrationId] = frozenset()

    def is_offered(self, integration_id: IntegrationId) -> bool:
        """Whether workers can run it, as far as anybody knows; `gone_in_words` says what else."""
        return integration_id not in self.gone and any(each.id == integration_id for each in self.integrations)

    @property
    def uninstalled(self) -> frozenset[IntegrationId]:
        """Those that the organization does without."""
        return frozenset(each for each, absence in self.absent.items() if absence == "uninstalled")

    def gone_for(self, in_use: IntegrationId | None = None) -> frozenset[IntegrationId]:
        """Those that no connector is made with; what one has already (`in_use`) it may keep."""
        return self.gone - {in_use} if in_use else self.gone

    def require_settled(self, integration_id: IntegrationId) -> None:
        """Raise `TemporaryError` while it is being decided that an integration is uninstalled."""
        if self.absent.get(integration_id) == "leaving":
            raise TemporaryError("integration_unsettled", "The integration is being uninstalled at this moment.")


def gone_in_words(name: str) -> str:
    """Why nothing can be done by an integration that went away."""
    return f"No worker has offered integration {name} for a long time: nothing can be done by it until one does."


def is_offered(
    integration_id: IntegrationId,
    announced_at: datetime | None,
    pools: Iterable[Pool],
    *,
    now: datetime,
    silence: timedelta,
) -> bool:
    """Whether a worker offered an integration not longer ago than `silence`: as it started, or with its pool."""
    known = [offer for pool in pools for offer in pool.offers]
    heard = [offer.announced_at for offer in known if offer.integration_id == integration_id]
    if announced_at is not None:
        heard.append(announced_at)
    # Kept before times were noted: as long as no pool says what it offers, nobody can tell that it went away.
    return now - max(heard) <= silence if heard else not known


def offered_versions(integration: Integration, pools: Iterable[Pool]) -> tuple[OfferedVersion, ...]:
    """In which versions workers offer an integration, and in which pools, newest first."""
    found: dict[str, set[str]] = {}
    for pool in pools:
        for offer in pool.offers:
            if offer.integration_id == integration.id:
                found.setdefault(offer.version, set()).add(pool.name)
    # Workers of before pools were told say nothing about theirs; what they offered is known all the same.
    found.setdefault(integration.version, set())
    newest_first = sorted(found, key=version_key, reverse=True)
    return tuple(OfferedVersion(version=version, pools=tuple(sorted(found[version]))) for version in newest_first)


def supersedes(offered: Integration, current: Integration | None) -> bool:
    """Whether an offered integration takes the place of the known one: a newer version, or other words for the same."""
    if current is None:
        return True
    # The same version with other words is taken too: third parties forget to count up while they work on a manifest.
    return version_key(offered.version) >= version_key(current.version) and offered != current


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
