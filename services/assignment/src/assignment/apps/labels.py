"""Which labels apps carry."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages.classification import AppLabelRenamed, LabelRename
from contracts.queries.classification import LabelUse
from contracts.values import OrganizationId

from assignment.apps.domain import labels
from assignment.apps.store import AssignmentStore


@dataclass(frozen=True)
class AppLabels:
    """Apps as holders of labels; see `assignment.labels.usecases.LabelHolder`."""

    store: AssignmentStore

    async def carriers(self, org: OrganizationId, rename: LabelRename) -> Sequence[AppLabelRenamed]:
        """A message to each app that carries the old label."""
        # All are read: labels are no key of theirs, and renames are rare.
        return [
            AppLabelRenamed(organization_id=org, app_id=app.id, rename=rename)
            for app in await self.store.apps_of(org, None)
            if labels.carries(app, rename)
        ]

    async def uses(self, org: OrganizationId) -> Sequence[LabelUse]:
        """Each label of each app."""
        return list(labels.uses(await self.store.apps_of(org, None)))
