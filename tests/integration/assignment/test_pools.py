"""Pools of workers as MongoDB keeps them."""

from datetime import timedelta

from assignment.apps.store import open_store
from assignment.apps.usecases import offers
from assignment.settings import Settings
from chassis.runtime.service_runtime import open_service_runtime
from contracts.messages.connector.base import EVERYBODY
from contracts.messages.connector.offers import PoolOffered

from tests.support import builders as make
from tests.support.environment import Corner


async def test_a_silent_pool_is_left_out_and_one_without_a_time_is_not(fresh_corner: Corner) -> None:
    async with open_service_runtime(fresh_corner.settings(Settings), "assignment") as runtime:
        patient = await open_store(runtime)
        impatient = await open_store(runtime, pool_silence=timedelta(seconds=-1))
        await offers.note_pool(patient, make.wrap(PoolOffered(organization_id=EVERYBODY, pool="branch")))
        assert [pool.name for pool in await patient.present_pools()] == ["branch"]
        assert await impatient.present_pools() == []

        # As the version before kept it.
        await runtime.database["pools"].update_many({}, {"$unset": {"value.announced_at": ""}})
        assert [pool.name for pool in await impatient.present_pools()] == ["branch"]
