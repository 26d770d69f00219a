"""What a worker announces."""

from typing import cast

from chassis.runtime.supervision import LoopSupervisor
from connector.app import offering
from connector.context.worker_context import AllIntegrations
from contracts.messages.connector.offers import Integration, PoolOffered, Reach

from tests.support.waiting import eventually_async
from tests.unit.connector.parts import MemoryPublisher

REACH = (Reach(protocol="fs", field="root", within=("/srv",)),)


class Reaching:
    """Integrations that reach one directory."""

    def reach(self) -> tuple[Reach, ...]:
        return REACH

    def manifests(self) -> tuple[Integration, ...]:
        return ()


async def test_what_the_pool_reaches_is_announced_again_and_again() -> None:
    publisher, integrations = MemoryPublisher(), cast("AllIntegrations", Reaching())
    async with offering(LoopSupervisor(), publisher, integrations, pool="branch", pause_seconds=0.001):
        await eventually_async(lambda: len(publisher.sent) >= 3)
    announced = {(event.data.pool, event.data.reach) for event in publisher.sent if isinstance(event.data, PoolOffered)}
    assert announced == {("branch", REACH)}
