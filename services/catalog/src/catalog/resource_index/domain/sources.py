"""Which resource a source uses, as the catalog keeps it. Pure."""

from contracts.messages.assignment import AppAssigned, AppRemoved
from contracts.values import AppId, ResourceId, Value
from pydantic import Field


class SourceUse(Value):
    """A source and its resource."""

    id: AppId
    resource_id: ResourceId | None = Field(description="None: the source is gone")
    revision: int = Field(description="Revision of the source; that of its removal, when it is gone")


def after_assignment(known: SourceUse | None, event: AppAssigned) -> SourceUse | None:
    """What is known after an app was assigned or reconfigured; None when that changes nothing."""
    app = event.app
    if app.kind != "source" or (known is not None and known.revision >= app.revision):
        return None
    return SourceUse(id=app.id, resource_id=app.resource.id, revision=app.revision)


def after_removal(known: SourceUse | None, event: AppRemoved) -> SourceUse | None:
    """What is known after an app was removed; None when that changes nothing. Only sources are known."""
    if known is None or known.revision >= event.revision:
        return None
    # Kept: an older event that comes once more does not bring the source back.
    return known.model_copy(update={"resource_id": None, "revision": event.revision})
