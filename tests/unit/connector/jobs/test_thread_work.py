"""Work in a thread of the worker: its process counts for the job meanwhile."""

from pathlib import Path
from threading import Event

import pytest
from connector.engine.processes import ProcessMeter, Reading, metering
from connector.jobs.thread_work import in_thread

from tests.unit.connector.workshop import Workshop


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    return await Workshop(tmp_path).open()


async def test_what_the_worker_uses_counts_while_it_works_for_the_job(workshop: Workshop) -> None:
    meter, job = ProcessMeter(), await workshop.job()

    def read(_: Event) -> Reading:
        Path(__file__).read_bytes()
        return meter.read()

    with metering(meter):
        during = await in_thread(job, read, of="store")

    assert during.memory_bytes
    assert (during.read_bytes or 0) >= Path(__file__).stat().st_size
    assert meter.read().memory_bytes is None
