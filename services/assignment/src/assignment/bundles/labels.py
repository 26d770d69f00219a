"""Which environments bundles are for."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages.bundles import BundlesLabelRenamed
from contracts.messages.classification import LabelRename
from contracts.queries.classification import LabelUse
from contracts.values import OrganizationId

from assignment.bundles.domain import labels
from assignment.bundles.store import BundleStore


@dataclass(frozen=True)
class BundleLabels:
    """Bundles as holders of labels; see `assignment.labels.usecases.LabelHolder`."""

    store: BundleStore

    async def carriers(self, org: OrganizationId, rename: LabelRename) -> Sequence[BundlesLabelRenamed]:
        """One message to all bundles of the organization, where one of them is kept for the old environment."""
        found = (await self.store.bundles.find(org)).items
        is_carried = any(labels.carries(bundle, rename) for bundle in found)
        return [BundlesLabelRenamed(organization_id=org, rename=rename)] if is_carried else []

    async def uses(self, org: OrganizationId) -> Sequence[LabelUse]:
        """The environment of each bundle that is for one."""
        return list(labels.uses(await self.store.bundles_of(org)))
