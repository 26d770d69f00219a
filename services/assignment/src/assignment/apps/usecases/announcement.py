"""What is told of an app that is saved."""

from collections.abc import Sequence

from contracts.messages.assignment import App, AppAssigned, AppRef
from contracts.messages.base import Message
from contracts.messages.connector.connection_tests import TestConnection
from contracts.topics import DEFAULT_POOL
from contracts.values import OrganizationId

from assignment.apps.domain.pools import pools_for
from assignment.apps.store import AssignmentStore


async def announcement(
    store: AssignmentStore, event: type[AppAssigned], org: OrganizationId, app: App
) -> Sequence[Message]:
    """What whoever saves an app sends with it: that it is so now, and the test of its connection.

    Nobody waits for the outcome of that test. An incomplete app has none.
    """
    told = event(organization_id=org, app_id=app.id, app=app)
    if app.lacking or not store.tests_changes:
        return [told]
    pools = pools_for(app, await store.present_pools())
    reference = AppRef(id=app.id, revision=app.revision, kind=app.kind, name=app.name)
    # Where no pool reaches it, workers of the default one say in words why.
    pool = pools[0] if pools else DEFAULT_POOL
    test = TestConnection(organization_id=org, app_id=app.id, app=reference, pool=pool, trigger="change")
    return [told, test]
