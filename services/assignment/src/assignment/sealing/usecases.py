"""What this service keeps sealed, over all its areas."""

from chassis.kept_secrets import Holder, sealed_owners
from chassis.telemetry import semantic_conventions as semconv
from chassis.telemetry.tracing import span
from contracts.queries.sealing import SealedOwners, SealedQuestion
from contracts.values import OrganizationId

from assignment.apps.store import AssignmentStore
from assignment.bundles.store import BundleStore


async def list_sealed(
    apps: AssignmentStore, bundles: BundleStore, org: OrganizationId, question: SealedQuestion
) -> SealedOwners:
    """Bundles and apps with values under other keys, bundles first, and how many values are under which key."""
    with span("assignment.list_sealed", attributes={semconv.ORGANIZATION: org}):
        # Bundles first: an app gets what came from a bundle as the bundle has it then.
        kept = (await bundles.bundles.find(org)).items
        holders = [Holder("bundle", each.id, each.fields) for each in kept]
        holders += [Holder("connector", each.id, each.fields) for each in await apps.apps_of(org, None)]
        return sealed_owners(holders, question)
