"""An app as a worker uses it: with its secrets in clear, so it lives in memory only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.messages.assignment import AppKind
from contracts.values import AppId, OrganizationId


@dataclass(frozen=True, kw_only=True)
class AppConfiguration:
    """Everything needed to reach an app. Never stored, sent or logged; its `repr` shows no field value."""

    app_id: AppId
    organization_id: OrganizationId
    kind: AppKind
    protocol: str
    name: str = ""
    endpoints: tuple[str, ...] = ()
    """Addresses; the resource's when the app names none."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Field values in clear, references into secret providers resolved."""
    repository_id: str | None = None
    """The repository that a store is known to have; None where that is not known yet."""

    def text(self, name: str, default: str = "") -> str:
        """A field's value; `default` when it is missing or empty."""
        return self.fields.get(name) or default

    def switch(self, name: str, *, default: bool = False) -> bool:
        """A field of `true` or `false`, in any case; `default` when it is missing or empty."""
        return self.text(name, str(default)).lower() == "true"
