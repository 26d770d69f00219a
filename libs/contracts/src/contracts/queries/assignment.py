"""What the assignment service is asked and answers."""

from pydantic import Field

from contracts.messages.assignment import App, AppKind
from contracts.messages.catalog import Resource
from contracts.topics import DEFAULT_POOL
from contracts.values import BundleId, IntegrationId, Value


class ChoiceQuestion(Value):
    """Which integration and protocol would an app get?"""

    kind: AppKind
    resource: Resource | None = Field(default=None, description="None: it is not named yet")
    integration_id: IntegrationId | None = None
    protocol: str | None = None
    in_use: IntegrationId | None = Field(default=None, description="What the app has already: it may stay, though gone")
    is_kept: bool = Field(
        default=False,
        description="Whether the app has just this resource, integration and protocol: they stay, whatever became of "
        "the resource",
    )


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
    is_offered: bool = Field(default=True, description="Whether workers offer its integration")
    bundle_names: dict[BundleId, str] = Field(
        default={}, description="Names of the bundles that fields came from; a bundle that is gone has none"
    )


def common_pool(*apps: ReachableApp) -> str | None:
    """The pool whose workers do what is about all of these; None where no pool reaches them all.

    With an app that no pool reaches it is the default pool, whose workers say in words why that is.
    """
    if not all(app.pools for app in apps):
        return DEFAULT_POOL
    # In the order of the first app, which has the default pool first: with one pool all goes where it always went.
    return next((pool for pool in apps[0].pools if all(pool in app.pools for app in apps)), None)
