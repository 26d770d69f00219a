"""What the assignment service is asked and answers."""

from pydantic import Field

from contracts.messages.assignment import App, AppKind
from contracts.messages.catalog import Resource
from contracts.values import BundleId, IntegrationId, Value


class ChoiceQuestion(Value):
    """Which integration and protocol would an app get?"""

    kind: AppKind
    resource: Resource
    integration_id: IntegrationId | None = None
    protocol: str | None = None
    in_use: IntegrationId | None = Field(default=None, description="What the app has already: it may stay, though gone")


class Choice(Value):
    """What an app would get. Whatever is not among `clear_fields` must be sealed before it travels."""

    integration_id: IntegrationId
    protocol: str
    # Those without secrets rather than those with: a field that is forgotten here is sealed, not shown.
    clear_fields: frozenset[str] = Field(default=frozenset(), description="The protocol's fields that hold no secret")


class ReachableApp(App):
    """An app, and which pools of workers can reach it."""

    pools: tuple[str, ...] = Field(
        default=(), description="The default pool first, if it can; none where no pool says that it can"
    )
    bundle_names: dict[BundleId, str] = Field(
        default={}, description="Names of the bundles that fields came from; a bundle that is gone has none"
    )
